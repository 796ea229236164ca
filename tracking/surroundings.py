"""What is known around a hit when it is judged: who asked (in RAM, for as long as this batch), the organization's own
networks, whether the sender was looking, and what the operator's files of networks say. Stores nothing."""

import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings

from organizations import policy
from tracking import places
from tracking.classify import Around
from tracking.hot.hits import Hit
from tracking.models import Copy, TrackedMessage
from tracking.policies import NETWORKS

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
#: How long before the sender said "I am looking" his own mail program may have loaded the image.
LOOKED = timedelta(seconds=75)


@dataclass(frozen=True, slots=True)
class Who:
    address: str
    agent: str


class Surroundings:
    """For one batch."""

    def __init__(self, copies: Mapping[UUID, Copy]) -> None:
        organizations = {copy.message.organization_id for copy in copies.values()}
        self._networks = {each: _networks(each) for each in organizations}

    def who(self, hit: Hit) -> Who:
        if not hit.who:
            return Who("", "")
        peer, agent, forwarded = hit.who
        return Who(_client(peer, forwarded), agent)

    def of(self, message: TrackedMessage, at: datetime, address: str) -> Around:
        return Around(
            own_networks=self._networks[message.organization_id],
            sender_is_looking=_is_looking(message, at),
            hosting=places.hosting_of(address),
        )

    def place_of(self, address: str) -> str:
        return places.place_of(address)


def _networks(organization_id: UUID) -> Collection[Network]:
    return [ipaddress.ip_network(text) for text in policy.organization_value_of(NETWORKS.key, organization_id)]


def _is_looking(message: TrackedMessage, at: datetime) -> bool:
    until = message.viewing_until
    return until is not None and until - LOOKED <= at <= until


def _client(peer: str, forwarded: str) -> str:
    """The address that asked. What a trusted proxy says counts from its end: the rest anybody may have written."""
    address = peer
    for hop in reversed([hop.strip() for hop in forwarded.split(",") if hop.strip()]):
        if address not in settings.TRUSTED_PROXIES:
            break
        address = hop
    return _shown(address)


def _shown(text: str) -> str:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)
