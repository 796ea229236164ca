"""What products are really given, looked through: no token, nor what hands one out, by any public way."""

import functools
from collections.abc import Callable
from typing import Any

import pytest

from providers.base import Access, Secret, TokenSet
from tests.architecture import graph
from tests.vault.conftest import Connected, alice, cold, polled, provider
from vault import clients
from vault.grants import Grant
from vault.leases import Lease
from vault.tokens import ConnectionTokens

__all__ = ["alice", "cold", "polled", "provider"]  # fixtures

DEPTH = 6
_HOLDERS = (Secret, Access, TokenSet, Lease, Grant, ConnectionTokens)
TOKEN = "00D000000000001!a-token-in-clear"


def is_secret(value: object) -> bool:
    """What holds a token, its sealed or its opened text."""
    return isinstance(value, _HOLDERS) or (isinstance(value, str) and value == TOKEN)


def _crm(connected: Connected) -> object:
    return clients.crm_for(clients.connection_of(connected.member, "salesforce"), "test.given")


GIVEN: dict[str, Callable[[Connected], object]] = {
    "crm_for": _crm,
    "connection_of": lambda connected: clients.connection_of(connected.member, "salesforce"),
    "a connection's row": lambda connected: connected.again(),
}


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
@pytest.mark.parametrize("name", GIVEN)
def test_no_public_way_from_what_is_given_to_a_token(name: str, alice: Connected) -> None:
    given = GIVEN[name](alice)
    found = dict(graph.reachable(given, DEPTH))
    assert len(found) > 3, "it has been looked through"
    assert graph.leaks(given, is_secret, DEPTH) == []


class Planted:
    """A client with one thing too many."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def find(self) -> None: ...


class Slotted:
    __slots__ = ("source",)

    def __init__(self, source: object) -> None:
        self.source = source


class WithProperty:
    def __init__(self, held: object) -> None:
        self._held = held

    @property
    def held(self) -> object:
        return self._held


def _planted() -> dict[str, object]:
    held = Secret(TOKEN)
    deep: Any = Planted(client=Planted(session=Planted(headers={"Authorization": [held]})))
    return {
        "attribute": Planted(token=held),
        "text": Planted(authorization=TOKEN),
        "slot": Slotted(held),
        "property": WithProperty(held),
        "deep": deep,
        "access": Planted(last=Access(held, "https://acme.my.salesforce.com")),
        "closure": Planted(find=lambda: held),
        "default": Planted(find=lambda source=held: source),
        "partial": Planted(find=functools.partial(print, held)),
        "bound method": Planted(find=Planted(source=held).find),
        "bound to its source": Planted(refresh=ConnectionTokens.__new__(ConnectionTokens).access),
        "within functions": Planted(find=functools.partial(lambda hook: hook, Slotted(held))),
    }


@pytest.mark.parametrize("name", _planted())
def test_a_planted_way_is_found(name: str) -> None:
    assert graph.leaks(_planted()[name], is_secret, DEPTH)


def test_private_names_are_for_the_rule_about_them() -> None:
    """detours.private_attributes holds the rooms to that."""
    assert graph.leaks(Planted(_token=Secret(TOKEN), name="Acme"), is_secret, DEPTH) == []
