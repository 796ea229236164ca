"""One piece of work per key and process (docs/vault.md 5, L1): who works, who waits, what they get, what is left."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from django.db import connection

from providers.errors import Transient
from vault.flights import Flights


class Slow:
    """Work that begins at once and ends when it is told to."""

    def __init__(self, flights: "Flights[str, str]", key: str = "key") -> None:
        self.begun, self.end = threading.Event(), threading.Event()
        self.calls = 0
        self._flights, self._key = flights, key

    def work(self) -> str:
        self.calls += 1
        self.begun.set()
        assert self.end.wait(10)
        return "done"

    def run(self) -> str:
        return self._flights.run(self._key, self.work)


def in_threads(count: int, call: Callable[[], str]) -> tuple[ThreadPoolExecutor, list["Future[str]"]]:
    pool = ThreadPoolExecutor(count)
    return pool, [pool.submit(call) for _ in range(count)]


def test_all_share_one_result_and_the_next_works_anew() -> None:
    flights: Flights[str, str] = Flights(10)
    slow = Slow(flights)
    pool, asked = in_threads(5, slow.run)
    assert slow.begun.wait(5)
    slow.end.set()
    assert [each.result(5) for each in asked] == ["done"] * 5
    pool.shutdown()
    assert flights._running == {}
    before = slow.calls
    assert slow.run() == "done"
    assert slow.calls == before + 1


def test_all_share_one_error_of_any_kind() -> None:
    flights: Flights[str, str] = Flights(10)

    def fail() -> str:
        raise KeyboardInterrupt

    pool, (failing,) = in_threads(1, lambda: flights.run("key", fail))
    with pytest.raises(KeyboardInterrupt):
        failing.result(5)
    pool.shutdown()
    assert flights.run("key", lambda: "works again") == "works again"


def test_other_keys_do_not_wait() -> None:
    flights: Flights[str, str] = Flights(10)
    slow = Slow(flights)
    pool, asked = in_threads(1, slow.run)
    assert slow.begun.wait(5)
    assert flights.run("other", lambda: "at once") == "at once"
    slow.end.set()
    assert asked[0].result(5) == "done"
    pool.shutdown()


@pytest.mark.django_db(transaction=True)
def test_who_waits_gives_his_database_connection_back() -> None:
    """FT14: the one who works may need it."""
    flights: Flights[str, str] = Flights(0.1)
    slow = Slow(flights)
    pool, asked = in_threads(1, slow.run)
    assert slow.begun.wait(5)
    connection.ensure_connection()
    with pytest.raises(Transient, match=r"^Another request is still waiting"):
        slow.run()
    assert connection.connection is None
    slow.end.set()
    assert asked[0].result(5) == "done"
    pool.shutdown()


def test_who_waits_too_long_is_told_when_to_come_back() -> None:
    flights: Flights[str, str] = Flights(0.1)
    slow = Slow(flights)
    pool, asked = in_threads(1, slow.run)
    assert slow.begun.wait(5)
    began = time.monotonic()
    with pytest.raises(Transient) as told:
        slow.run()
    assert 0.05 < time.monotonic() - began < 5
    assert told.value.retry_after == 2.0
    slow.end.set()
    assert asked[0].result(5) == "done"
    pool.shutdown()
    assert slow.calls == 1
