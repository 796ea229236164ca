"""What is known around a hit when it is judged: who asked (in RAM, for as long as this batch), the organization's own
networks, whether the sender was looking, and what the operator's files of networks say. Stores nothing."""

import ipaddress
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

from django.conf import settings

from organizations import policy
from tracking import places
from tracking.classify import A_LOOK, JUST_BEFORE, Around
from tracking.copies import Message
from tracking.hot.hits import Hit
from tracking.policies import NETWORKS

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Who:
    address: str
    agent: str


class Surroundings:
    """For one batch: what is worked out of an address is remembered as long."""

    def __init__(self, organizations: Collection[UUID]) -> None:
        self._networks = {each: _networks(each) for each in organizations}
        self._who = cache(_who)
        self._hosting = cache(places.hosting_of)
        self.place_of = cache(places.place_of)

    def who(self, hit: Hit) -> Who:
        return self._who(*hit.who)

    def of(self, message: Message, at: datetime, address: str) -> Around:
        return Around(
            own_networks=self._networks[message.organization_id],
            sender_is_looking=_is_looking(message, at),
            hosting=self._hosting(address),
        )


def _who(peer: str = "", agent: str = "", forwarded: str = "") -> Who:
    """All of it empty where the day's key is gone."""
    return Who(_client(peer, forwarded), agent)


def _networks(organization_id: UUID) -> Collection[Network]:
    return [ipaddress.ip_network(text) for text in policy.organization_value_of(NETWORKS.key, organization_id)]


def _is_looking(message: Message, at: datetime) -> bool:
    until = message.viewing_until
    return until is not None and until - A_LOOK - JUST_BEFORE <= at <= until


def _client(peer: str, forwarded: str) -> str:
    """The address that asked. What a trusted proxy says counts from its end: the rest anybody may have written."""
    trusted = _trusted(tuple(settings.TRUSTED_PROXIES))
    address = _shown(peer)
    for hop in reversed([hop.strip() for hop in forwarded.split(",") if hop.strip()]):
        if not address or not any(ipaddress.ip_address(address) in network for network in trusted):
            break
        address = _shown(hop)
    return address


@cache
def _trusted(listed: tuple[str, ...]) -> list[Network]:
    """Addresses and networks, as the web process reads them; what else it takes (a name, "*") is nobody here."""
    found = []
    for each in listed:
        with suppress(ValueError):
            found.append(ipaddress.ip_network(each))
    return found


def _shown(text: str) -> str:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)
