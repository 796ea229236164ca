"""Whether a person asked: a verdict on each hit, with its reason in words. Pure rules; stores nothing.

Honest about what cannot be known: `unknown` is an answer, and what nobody asked for is never `human_likely`. Judged
when a hit is drained, and again when later ones of the same copy say more (several links at once)."""

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache

from tracking.hot.hits import Flag
from tracking.hot.tokens import Kind
from tracking.signatures import OWN, Agent, agent_of

#: Delivery alone takes that long: whatever asked, nobody has read it (gophish/gophish#1555: one to three seconds).
AT_ONCE = timedelta(seconds=3)
#: Filters are at work (resend/resend-node#901: 12 s; jdavidbakr/mail-tracker#228: the first 30 s), and somebody who has
#: the mailbox open may be reading already. Neither is rare, so it is called neither.
AT_DELIVERY = timedelta(seconds=30)
#: So long may a sandbox take for a link (docs.trendmicro.com, "Configuring Web Reputation": three minutes on average,
#: up to thirty). Later, a request out of a data centre may be a reader behind a VPN, a remote desktop or an isolated
#: browser as well (warmbly/warmbly, tracking/scanner-networks.txt).
VETTED = timedelta(minutes=30)
#: Different links within so short a time are nobody's fingers (anymail/django-anymail#200).
BURST = timedelta(seconds=5)
#: A mail program loads a message's images when it shows it: so long after its sender's sidebar has said that it does,
#: and so long before, since the image may be the quicker one. Longer would hide readers from a sender who watches.
A_LOOK, JUST_BEFORE = timedelta(seconds=30), timedelta(seconds=15)
#: Microsoft's mail protection. The first six are what Microsoft publishes for *.mail.protection.outlook.com
#: (endpoints.office.com, set 10; quoted in MicrosoftDocs/OfficeDocs-Enterprise#755). The last it does not publish
#: (MicrosoftDocs/OfficeDocs-Enterprise#544), but its detonations come from there (opencollective/opencollective#3656,
#: mautic/mautic#9400, gophish/gophish#2646).
_MICROSOFT = tuple(
    map(
        ipaddress.ip_network,
        (
            "40.92.0.0/15", "40.107.0.0/16", "52.100.0.0/14", "104.47.0.0/17",
            "2a01:111:f400::/48", "2a01:111:f403::/48",
            "40.94.0.0/16",
        ),
    )
)  # fmt: skip


Address = ipaddress.IPv4Address | ipaddress.IPv6Address
#: Load images for somebody's screen, sometimes ahead of it.
_SHOWING = (Agent.IMAGE_PROXY, Agent.WEB_VIEW)


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
    """One hit, with who asked still readable. What several rules look at is worked out once: see `forget`."""

    kind: Kind
    flags: int
    user_agent: str
    address: str  # "" where it is not known (the day's key is gone)
    since_sent: timedelta | None  # None: not sent yet, as far as we know

    @property
    def program(self) -> tuple[Agent, str]:
        return agent_of(self.user_agent)

    @property
    def ip(self) -> Address | None:
        return _ip_of(self.address)

    @property
    def is_microsofts(self) -> bool:
        return _is_microsofts(self.address)


@lru_cache(1_000)
def _ip_of(address: str) -> Address | None:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


@lru_cache(1_000)
def _is_microsofts(address: str) -> bool:
    ip = _ip_of(address)
    return ip is not None and any(ip in network for network in _MICROSOFT)


def forget() -> None:
    """Who asked, which is remembered for as long as a batch is judged. For whoever drains."""
    for each in (agent_of, _ip_of, _is_microsofts):
        each.cache_clear()


@dataclass(frozen=True, slots=True)
class Around:
    """What else is known. Whether other links were asked for within seconds is looked at afterwards (burst.py)."""

    own_networks: Collection[ipaddress.IPv4Network | ipaddress.IPv6Network] = ()
    sender_is_looking: bool = False  # "I am viewing this", said by the sender's own sidebar
    hosting: str = ""  # the data centre that the address belongs to, if a file of networks says so


def is_from_its_person(asked: Asked, around: Around) -> bool:
    """Whether the address is that of who wanted it. A proxy's, a filter's or a data centre's place is not his: Google
    loads images from California for readers anywhere."""
    return asked.program[0] in OWN and not asked.is_microsofts and not around.hosting


def judge(asked: Asked, around: Around) -> Judged:
    """The first rule that has an answer. What proves a machine comes before what only makes one likely, and whatever
    is left in doubt before what speaks for a person."""
    rules = (
        _before_sent, _headers_only, _announced, _partly, _own, _by_agent, _security, _at_once,
        _not_handed_on, _at_delivery, _hosted, _beside_the_sender,
    )  # fmt: skip
    for rule in rules:
        judged = rule(asked, around)
        if judged is not None:
            return judged
    return _by_itself(asked)


def _before_sent(asked: Asked, _: Around) -> Judged | None:
    if asked.since_sent is not None and asked.since_sent >= timedelta(0):
        return None
    return Judged(Verdict.SELF, "Asked for before we heard that the message was sent: a draft or its preview.")


def _headers_only(asked: Asked, _: Around) -> Judged | None:
    if not asked.flags & Flag.HEAD:
        return None
    return Judged(Verdict.SCANNER, "Only asked whether it is there, as link checkers do.")


def _announced(asked: Asked, _: Around) -> Judged | None:
    if not asked.flags & Flag.PREFETCH:
        return None
    return Judged(Verdict.PROXY_PREFETCH, "Fetched ahead, as the program itself says.")


def _partly(asked: Asked, _: Around) -> Judged | None:
    if not asked.flags & Flag.PARTIAL:
        return None
    return Judged(Verdict.SCANNER, "Asked for a part of it, or only if it had changed, as programs do.")


def _own(asked: Asked, around: Around) -> Judged | None:
    if around.sender_is_looking and asked.kind is Kind.OPEN:
        return LOOKING
    if asked.ip is not None and any(asked.ip in network for network in around.own_networks):
        return Judged(Verdict.SELF, "Came from one of your organization's own networks.")
    return None


def _by_agent(asked: Asked, _: Around) -> Judged | None:
    kind, name = asked.program
    if kind is Agent.PREFETCHER and asked.kind is Kind.OPEN:
        return Judged(Verdict.PROXY_PREFETCH, f"{name} loads the images of every message, read or not.")
    if kind is Agent.SCANNER:
        return Judged(Verdict.SCANNER, f"{name} looks through messages for harmful links.")
    if kind is Agent.PREVIEW:
        return Judged(Verdict.SCANNER, f"{name} drew a preview, which shows what a link leads to.")
    if kind in (Agent.PROGRAM, Agent.PREFETCHER):
        name = "a program" if kind is Agent.PREFETCHER else name  # on a link that name would be a guess
        return Judged(Verdict.SCANNER, f"Asked by {name}, not by a mail program or browser.")
    return None


def _not_handed_on(asked: Asked, _: Around) -> Judged | None:
    """What shows mail hands a link on to a browser. Where it asks for the link itself, it looks ahead: a proxy without
    anybody's doing, a mail program perhaps after a click (nextauthjs/next-auth#1840; webmasters.stackexchange.com,
    question 71112)."""
    kind, name = asked.program
    if asked.kind is not Kind.CLICK or kind not in (Agent.IMAGE_PROXY, Agent.MAIL_PROGRAM):
        return None
    verdict = Verdict.SCANNER if kind is Agent.IMAGE_PROXY else Verdict.UNKNOWN
    return Judged(verdict, f"{name} itself looked the link up; people's clicks come from their browser.")


def _security(asked: Asked, _: Around) -> Judged | None:
    """Safe Links sends its reader's own browser on, so a click from Microsoft's addresses is its detonation
    (warmbly/warmbly#412)."""
    if asked.kind is Kind.CLICK and asked.is_microsofts:
        return Judged(Verdict.SCANNER, "Microsoft's mail protection tried the link.")
    return None


def _at_once(asked: Asked, _: Around) -> Judged | None:
    """But a mail program that loads it at once may be the sender's own, showing what was sent."""
    kind, name = asked.program
    if asked.since_sent is None or asked.since_sent > AT_ONCE or kind is Agent.MAIL_PROGRAM:
        return None
    if asked.kind is Kind.OPEN and kind in _SHOWING:
        return Judged(Verdict.PROXY_PREFETCH, f"{name} fetched it while the message was being delivered.")
    return Judged(Verdict.SCANNER, "Asked for within three seconds of sending, before anybody could have read it.")


def _at_delivery(asked: Asked, _: Around) -> Judged | None:
    if asked.since_sent is None or asked.since_sent > AT_DELIVERY:
        return None
    return Judged(Verdict.UNKNOWN, "So soon after sending it may be a filter on the way, or a quick reader.")


def _hosted(asked: Asked, around: Around) -> Judged | None:
    """Outlook.com loads images for its readers from Microsoft's addresses (warmbly/warmbly#412): on the pixel these
    settle nothing."""
    kind, _ = asked.program
    network = "Microsoft" if asked.is_microsofts else around.hosting
    if not network or (kind is Agent.IMAGE_PROXY and asked.kind is Kind.OPEN):
        return None
    if asked.kind is Kind.OPEN:
        return Judged(Verdict.UNKNOWN, f"Came from a data centre ({network}): for a reader, or for a filter.")
    if asked.since_sent is not None and asked.since_sent <= VETTED:
        return Judged(Verdict.SCANNER, f"Came from a data centre ({network}) soon after sending, as link checkers do.")
    return Judged(Verdict.UNKNOWN, f"Came from a data centre ({network}): a link checker, or a reader behind a VPN.")


def _beside_the_sender(_: Asked, around: Around) -> Judged | None:
    """A look loads the image; whether the sender followed a link as well, nobody said."""
    if not around.sender_is_looking:
        return None
    return Judged(
        Verdict.UNKNOWN, "The sender was looking at this message at that moment, and may have tried the link."
    )


def _by_itself(asked: Asked) -> Judged:
    kind, name = asked.program
    if asked.kind is Kind.OPEN and kind in _SHOWING:
        return Judged(Verdict.HUMAN_LIKELY, f"{name} loaded it for its reader's screen.")
    if kind is Agent.MAIL_PROGRAM:
        return Judged(Verdict.HUMAN_LIKELY, f"{name} showed the message.")
    if kind in (Agent.BROWSER, Agent.WEB_VIEW):
        who = "An ordinary browser" if kind is Agent.BROWSER else "An app's own window"
        what = "followed the link" if asked.kind is Kind.CLICK else "showed the message"
        return Judged(Verdict.HUMAN_LIKELY, f"{who} {what}.")
    return Judged(Verdict.UNKNOWN, "Nothing says which program asked.")
