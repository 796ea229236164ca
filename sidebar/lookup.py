"""The look-up: who these correspondents are in Salesforce, as this member may see it. One Salesforce call at most."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from organizations.domains import own_domains
from organizations.models import Member
from providers.base import Priority
from providers.errors import RateLimited, Transient
from sidebar import render
from sidebar.addresses import correspondents
from sidebar.bulkhead import bulkhead
from sidebar.cache import Owner, cards
from sidebar.flights import Flights, Peek, Trip
from sidebar.policies import card_lifetime
from sidebar.refusals import TooManyAddressesError
from vault.clients import ConnectionRef, crm_for, salesforce_connection_of

#: Addresses in one look-up, which is what one call to Salesforce takes.
MOST = 100
flights = Flights(bulkhead)
os.register_at_fork(after_in_child=flights.reset)


@dataclass(frozen=True, slots=True)
class Answer:
    """`cards`: rendered JSON objects in the order asked. `skipped`: colleagues. `invalid`: indices of the input."""

    cards: list[bytes]
    skipped: list[str]
    invalid: list[int]


@dataclass(frozen=True, slots=True)
class Prefetched:
    """`shed`: nothing was fetched, since Salesforce's or our own room is short; a click still finds its way."""

    prefetched: int
    already: int
    shed: bool


def look_up_people(member: Member, strings: Sequence[str], *, refresh: bool = False) -> Answer:
    """The cards of everybody in `strings` (RFC 5322), from RAM, else by one Salesforce call; `refresh`: by a call.

    Raises ConnectRequired, TooManyAddressesError, and what providers.errors has."""
    connection = salesforce_connection_of(member)
    who = correspondents(strings, own_domains(member.organization_id))
    keys = _keys(connection, who.wanted)
    found = {} if refresh else cards.get_many(keys)
    if missing := {key: address for key, address in zip(keys, who.wanted, strict=True) if key not in found}:
        found |= _fetch(member, connection, missing, peek=_sees_nothing if refresh else cards.peek)
    return Answer([found[key] for key in keys], who.skipped, who.invalid)


def prefetch_people(member: Member, strings: Sequence[str]) -> Prefetched:
    """Fetch what is not in RAM yet and about to be opened, in one call. Sheds instead of failing when room is short.

    Raises ConnectRequired, TooManyAddressesError, NeedsReconnect, PermissionMissing."""
    connection = salesforce_connection_of(member)
    who = correspondents(strings, own_domains(member.organization_id))
    keys = _keys(connection, who.wanted)
    missing = {key: address for key, address in zip(keys, who.wanted, strict=True) if cards.peek(key) is None}
    already = len(keys) - len(missing)
    try:
        fresh = _fetch(member, connection, missing, peek=cards.peek, priority=Priority.PREFETCH) if missing else {}
    except (RateLimited, Transient):
        return Prefetched(0, already, shed=True)
    return Prefetched(len(fresh), len(keys) - len(fresh), shed=False)


def _sees_nothing(_key: bytes) -> None:
    """A refresh looks past what is in RAM."""


def _keys(connection: ConnectionRef, addresses: Sequence[str]) -> list[bytes]:
    if len(addresses) > MOST:
        raise TooManyAddressesError(MOST)
    return cards.keys(str(connection.id), addresses)


def _fetch(
    member: Member,
    connection: ConnectionRef,
    missing: Mapping[bytes, str],
    *,
    peek: Peek,
    priority: Priority = Priority.INTERACTIVE,
) -> dict[bytes, bytes]:
    owner = _owner(connection)
    generation = cards.generation(owner)

    def load(keys: list[bytes]) -> Mapping[bytes, bytes]:
        asked_at, addresses = render.now(), [missing[key] for key in keys]
        matches = crm_for(connection, "sidebar.lookup").find_people(addresses, priority=priority)
        fresh = {key: render.card(missing[key], matches[missing[key]], asked_at) for key in keys}
        sure = {key: card for key, card in fresh.items() if matches[missing[key]].is_complete}
        cards.store(owner, sure, seconds=card_lifetime(member), generation=generation)
        return fresh

    trip = Trip(load, peek, owner.organization_id, generation, priority)
    return flights.fetch(list(missing), trip)


def _owner(connection: ConnectionRef) -> Owner:
    return Owner(str(connection.id), str(connection.member_id), str(connection.organization_id))
