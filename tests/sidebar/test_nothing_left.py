"""C57, C59: after a card's time nothing of it is in memory, in a table or in a log."""

import gc
import logging
import secrets
import time
from collections.abc import Iterator

import pytest
from django.db import connection

from providers.base import PersonMatch
from sidebar import lookup
from sidebar.cache import CardCache, cards
from tests.sidebar.conftest import Everybody
from tests.sidebar.crm import person_of
from tests.sidebar.memory import holders_of
from tests.sidebar.wsgi import over_wsgi


@pytest.fixture
def canary(everybody: Everybody, monkeypatch: pytest.MonkeyPatch) -> Iterator[bytes]:
    """Everybody Alice looks up is called like this. Nobody keeps the name but who is tested."""
    made = secrets.token_hex(12).encode()

    def find_people(addresses: list[str], *, priority: object) -> dict[str, PersonMatch]:
        return {address: person_of(address, f"Jane {made.decode()} Doe") for address in addresses}

    monkeypatch.setattr(everybody.crms["alice"], "find_people", find_people)
    gc.collect()
    gc.disable()
    yield made
    gc.enable()


@pytest.mark.parametrize("has_sweeper", [True, False])
def test_after_their_time_cards_are_gone_from_the_whole_process(
    everybody: Everybody, canary: bytes, has_sweeper: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The collector is off, as in a process that idles: not even garbage may hold a card. Without a sweeper the
    same check fails."""
    short = CardCache(sweep_every=0.1 if has_sweeper else None)
    monkeypatch.setattr(lookup, "cards", short)
    monkeypatch.setattr(lookup, "card_lifetime", lambda _: 2.0)
    for _ in range(2):
        assert canary in over_wsgi(everybody.token("alice"), "jane@customer.example")
    assert short.counters().hits == 1
    time.sleep(2.5)
    deadline = time.monotonic() + 10
    while has_sweeper and holders_of(canary) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert bool(holders_of(canary)) is not has_sweeper, holders_of(canary)
    short.close()


def test_a_thousand_look_ups_leave_nothing_in_tables_and_logs(
    everybody: Everybody, canary: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """C57: the card's content and the address are in no table and no log line, failures included."""
    everybody.client()
    logged: list[str] = []
    handler = logging.Handler(logging.NOTSET)
    handler.emit = lambda record: logged.append(f"{record.getMessage()} {record.__dict__}")  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    try:
        for number in range(1000):
            everybody.look_up(f"looked-up-{number}@customer.example")
        everybody.crms["alice"].failing = RuntimeError("a bug")
        everybody.look_up("looked-up@customer.example", "not an address looked-up")
    finally:
        logging.getLogger().removeHandler(handler)
    assert not [line for line in logged if "looked-up" in line or canary.decode() in line]
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(
                f'SELECT count(*) FROM "{table}" t WHERE t::text LIKE %s OR t::text LIKE %s',  # noqa: S608
                ["%looked-up%", f"%{canary.decode()}%"],
            )
            assert cursor.fetchone() == (0,), table
    assert cards.counters().entries == 1001
