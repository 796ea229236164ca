"""Whether a person asked: a verdict on each hit, with its reason in words. Pure rules; stores nothing.

Honest about what cannot be known: `unknown` is an answer, and what nobody asked for is never `human_likely`. Judged
when a hit is drained, and again when later ones of the same copy say more (several links at once)."""

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from tracking.hot.hits import Flag
from tracking.hot.tokens import Kind
from tracking.signatures import Agent, agent_of

#: Faster than anybody reads: the mail was being delivered.
AT_DELIVERY = timedelta(seconds=10)
#: Different links within so short a time are nobody's fingers (anymail/django-anymail#200).
BURST = timedelta(seconds=5)
_MICROSOFT = tuple(map(ipaddress.ip_network, ("40.94.0.0/16", "40.107.0.0/16", "104.47.0.0/16", "52.100.0.0/14")))


class Verdict(StrEnum):
    HUMAN_LIKELY = "human_likely"
    PROXY_PREFETCH = "proxy_prefetch"
    SCANNER = "scanner"
    SELF = "self"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Judged:
    verdict: Verdict
    reason: str


LOOKING = Judged(Verdict.SELF, "The sender was looking at this message at that moment.")
LINKS_AT_ONCE = Judged(Verdict.SCANNER, "Several links of this message were followed within seconds.")


@dataclass(frozen=True, slots=True)
class Asked:
    """One hit, with who asked still readable."""

    kind: Kind
    flags: int
    user_agent: str
    address: str  # "" where it is not known (the day's key is gone)
    since_sent: timedelta | None  # None: not sent yet, as far as we know


@dataclass(frozen=True, slots=True)
class Around:
    """What else is known. `links_nearby`: other links of this copy that were asked for within BURST."""

    links_nearby: int = 0
    own_networks: Collection[ipaddress.IPv4Network | ipaddress.IPv6Network] = ()
    sender_is_looking: bool = False  # "I am viewing this", said by the sender's own sidebar
    hosting: str = ""  # the data centre that the address belongs to, if a file of networks says so


def judge(asked: Asked, around: Around) -> Judged:
    """The first rule that has an answer."""
    rules = (_before_sent, _headers_only, _announced, _own, _by_agent, _links_at_once, _security, _at_delivery, _hosted)
    for rule in rules:
        judged = rule(asked, around)
        if judged is not None:
            return judged
    return _by_itself(asked)


def _before_sent(asked: Asked, _: Around) -> Judged | None:
    if asked.since_sent is not None and asked.since_sent >= timedelta(0):
        return None
    return Judged(Verdict.SELF, "Opened before the message was sent: a draft or its preview.")


def _headers_only(asked: Asked, _: Around) -> Judged | None:
    if not asked.flags & Flag.HEAD:
        return None
    return Judged(Verdict.SCANNER, "Only asked whether it is there, as link checkers do.")


def _announced(asked: Asked, _: Around) -> Judged | None:
    if not asked.flags & Flag.PREFETCH:
        return None
    return Judged(Verdict.PROXY_PREFETCH, "Fetched ahead, as the program itself says.")


def _own(asked: Asked, around: Around) -> Judged | None:
    if around.sender_is_looking:
        return LOOKING
    address = _address(asked.address)
    if address is not None and any(address in network for network in around.own_networks):
        return Judged(Verdict.SELF, "Came from one of your organization's own networks.")
    return None


def _by_agent(asked: Asked, _: Around) -> Judged | None:
    kind, name = agent_of(asked.user_agent)
    if kind is Agent.PREFETCHER:
        return Judged(Verdict.PROXY_PREFETCH, f"{name} loads the images of every message, read or not.")
    if kind is Agent.SCANNER:
        return Judged(Verdict.SCANNER, f"{name} looks through messages for harmful links.")
    if kind is Agent.PREVIEW:
        return Judged(Verdict.SCANNER, f"{name} drew a preview of the link.")
    if kind is Agent.PROGRAM:
        return Judged(Verdict.SCANNER, f"Asked by {name}, not by a mail program or browser.")
    return None


def _links_at_once(asked: Asked, around: Around) -> Judged | None:
    return LINKS_AT_ONCE if asked.kind is Kind.CLICK and around.links_nearby else None


def _security(asked: Asked, _: Around) -> Judged | None:
    """Safe Links sends its reader's own browser on, so a click from Microsoft's addresses is its detonation
    (warmbly/warmbly#412; opencollective#3656 and laravel-passwordless-login#79 name the networks)."""
    address = _address(asked.address)
    if asked.kind is not Kind.CLICK or address is None or not any(address in network for network in _MICROSOFT):
        return None
    return Judged(Verdict.SCANNER, "Microsoft's mail protection tried the link.")


def _at_delivery(asked: Asked, _: Around) -> Judged | None:
    if asked.since_sent is None or asked.since_sent > AT_DELIVERY:
        return None
    kind, name = agent_of(asked.user_agent)
    if asked.kind is Kind.OPEN and kind is Agent.IMAGE_PROXY:
        return Judged(Verdict.PROXY_PREFETCH, f"{name} fetched it while the message was being delivered.")
    return Judged(Verdict.SCANNER, "Asked for within seconds of sending, before anybody could have read it.")


def _hosted(asked: Asked, around: Around) -> Judged | None:
    kind, _ = agent_of(asked.user_agent)
    if not around.hosting or kind is Agent.IMAGE_PROXY:
        return None
    if asked.kind is Kind.CLICK:
        return Judged(Verdict.SCANNER, f"Came from a data centre ({around.hosting}), where nobody reads mail.")
    return Judged(Verdict.UNKNOWN, f"Came from a data centre ({around.hosting}): a mail provider's or a scanner's.")


def _by_itself(asked: Asked) -> Judged:
    kind, name = agent_of(asked.user_agent)
    if kind is Agent.IMAGE_PROXY:
        return Judged(Verdict.HUMAN_LIKELY, f"{name} loaded it for its reader's screen.")
    if kind is Agent.MAIL_PROGRAM:
        return Judged(Verdict.HUMAN_LIKELY, f"{name} loaded it.")
    if kind is Agent.BROWSER:
        what = "followed the link" if asked.kind is Kind.CLICK else "showed the message"
        return Judged(Verdict.HUMAN_LIKELY, f"An ordinary browser {what}.")
    return Judged(Verdict.UNKNOWN, "Nothing says which program asked.")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
