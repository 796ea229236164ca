"""One call per card at a time, shared failures, no starving neighbours."""

import copy
import gc
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest

from providers.base import Priority
from providers.errors import NeedsReconnect, ProviderError, RateLimited, Transient
from sidebar.bulkhead import Bulkhead, Room
from sidebar.flights import Cards, Flight, Flights, Trip


class Salesforce:
    """Counts the calls; `answer` lets them go on."""

    def __init__(self, error: ProviderError | None = None) -> None:
        self.calls: list[list[bytes]] = []
        self.asked = threading.Semaphore(0)
        self.answer = threading.Event()
        self.error = error
        self.stored: dict[bytes, bytes] = {}

    def load(self, keys: list[bytes]) -> Cards:
        self.calls.append(keys)
        self.asked.release()
        assert self.answer.wait(20)
        if self.error:
            raise copy.copy(self.error)
        fresh = {key: b"card of " + key for key in keys}
        self.stored.update(fresh)
        return fresh

    def trip(self, generation: int = 0, priority: Priority = Priority.INTERACTIVE, organization: str = "acme") -> Trip:
        return Trip(self.load, self.stored.get, organization, generation, priority)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def errors_of(futures: list["Future[dict[bytes, bytes]]"]) -> list[BaseException | None]:
    return [future.exception(20) for future in futures]


def test_fifty_equal_look_ups_make_one_call() -> None:
    """C56: single flight."""
    salesforce, flights = Salesforce(), Flights(Bulkhead(200))
    with ThreadPoolExecutor(50) as pool:
        futures = [pool.submit(flights.fetch, [b"jane", b"joe"], salesforce.trip()) for _ in range(50)]
        salesforce.asked.acquire()
        salesforce.answer.set()
        assert all(future.result() == {b"jane": b"card of jane", b"joe": b"card of joe"} for future in futures)
    assert salesforce.calls == [[b"jane", b"joe"]]
    assert len(flights) == 0


def test_overlapping_look_ups_ask_only_for_what_is_not_on_its_way() -> None:
    salesforce, flights = Salesforce(), Flights(Bulkhead(200))
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(flights.fetch, [b"a", b"b"], salesforce.trip())
        salesforce.asked.acquire()
        second = pool.submit(flights.fetch, [b"b", b"c"], salesforce.trip())
        salesforce.asked.acquire()
        third = pool.submit(flights.fetch, [b"a", b"b", b"c"], salesforce.trip())
        salesforce.answer.set()
        assert set(third.result()) == {b"a", b"b", b"c"}
        assert (set(first.result()), set(second.result())) == ({b"a", b"b"}, {b"b", b"c"})
    assert salesforce.calls == [[b"a", b"b"], [b"c"]]


def test_a_card_stored_between_miss_and_departure_is_not_fetched_again() -> None:
    salesforce, flights = Salesforce(), Flights(Bulkhead(200))
    salesforce.stored[b"jane"] = b"just landed"
    assert flights.fetch([b"jane"], salesforce.trip()) == {b"jane": b"just landed"}
    assert salesforce.calls == []


def test_a_failure_is_shared_by_all_who_wait_and_kept_by_nobody() -> None:
    salesforce, flights = Salesforce(RateLimited("No more calls.", retry_after=7.0, daily=True)), Flights(Bulkhead(200))
    with ThreadPoolExecutor(50) as pool:
        futures = [pool.submit(flights.fetch, [b"jane"], salesforce.trip()) for _ in range(50)]
        salesforce.asked.acquire()
        until(lambda: flights._bulkhead._waiting["acme"] == 50)
        salesforce.answer.set()
        errors = errors_of(futures)
    assert len(salesforce.calls) == 1
    assert {type(error) for error in errors} == {RateLimited}
    assert {(str(error), error.retry_after, error.daily) for error in errors if isinstance(error, RateLimited)} == {
        ("No more calls.", 7.0, True)
    }
    assert len({id(error) for error in errors}) == 50, "each thread raises its own"
    salesforce.error = None
    assert flights.fetch([b"jane"], salesforce.trip()) == {b"jane": b"card of jane"}


def test_a_look_up_after_a_write_does_not_join_a_flight_from_before_it() -> None:
    """C57: create and edit invalidate, also what is on its way."""
    salesforce, flights = Salesforce(), Flights(Bulkhead(200))
    with ThreadPoolExecutor(2) as pool:
        before = pool.submit(flights.fetch, [b"jane"], salesforce.trip(generation=1))
        salesforce.asked.acquire()
        after = pool.submit(flights.fetch, [b"jane"], salesforce.trip(generation=2))
        salesforce.asked.acquire()
        salesforce.answer.set()
        assert before.result() == after.result() == {b"jane": b"card of jane"}
    assert len(salesforce.calls) == 2


def test_who_waits_too_long_is_told_to_come_back() -> None:
    salesforce, flights = Salesforce(), Flights(Bulkhead(200), patience=0.05)
    with ThreadPoolExecutor(1) as pool:
        leader = pool.submit(flights.fetch, [b"jane"], salesforce.trip())
        salesforce.asked.acquire()
        with pytest.raises(Transient):
            flights.fetch([b"jane"], salesforce.trip())
        salesforce.answer.set()
        assert leader.result() == {b"jane": b"card of jane"}


def test_a_click_does_not_fail_with_the_prefetch_it_joined() -> None:
    """C56: a prefetch is shed, a person's click never."""
    shed, salesforce, flights = Salesforce(RateLimited("Shed.")), Salesforce(), Flights(Bulkhead(200))
    salesforce.answer.set()
    with ThreadPoolExecutor(2) as pool:
        prefetch = pool.submit(flights.fetch, [b"jane"], shed.trip(priority=Priority.PREFETCH))
        shed.asked.acquire()
        click = pool.submit(flights.fetch, [b"jane"], salesforce.trip())
        until(lambda: flights._bulkhead._waiting["acme"] == 2)
        shed.answer.set()
        assert click.result(20) == {b"jane": b"card of jane"}
        assert isinstance(prefetch.exception(20), RateLimited)


def test_a_prefetch_does_not_wait_for_others() -> None:
    salesforce, flights = Salesforce(), Flights(Bulkhead(200))
    with ThreadPoolExecutor(1) as pool:
        click = pool.submit(flights.fetch, [b"jane"], salesforce.trip())
        salesforce.asked.acquire()
        assert flights.fetch([b"jane"], salesforce.trip(priority=Priority.PREFETCH)) == {}
        salesforce.answer.set()
        click.result()


def test_an_unforeseen_error_reaches_all_and_leaves_nothing_in_the_air() -> None:
    flights = Flights(Bulkhead(200))

    def breaks(keys: list[bytes]) -> Cards:
        raise KeyError("bug")

    with pytest.raises(KeyError):
        flights.fetch([b"jane"], Trip(breaks, lambda _: None, "acme", 0))
    assert len(flights) == 0


def test_no_card_and_no_frame_lingers_after_landing() -> None:
    """C59: results must not stay in futures, errors or thread-locals."""
    before = [each for each in gc.get_objects() if type(each) is Flight]
    salesforce, flights = Salesforce(), Flights(Bulkhead(200))
    salesforce.answer.set()
    flights.fetch([b"jane"], salesforce.trip())
    salesforce.error = NeedsReconnect("Gone.")
    with suppress(NeedsReconnect):  # pytest.raises would keep the traceback itself
        flights.fetch([b"joe"], salesforce.trip())
    assert flights._aloft == {}
    assert [each for each in gc.get_objects() if type(each) is Flight and each not in before] == []


class TestBulkhead:
    def test_a_hanging_organization_keeps_its_share_and_no_more(self) -> None:
        salesforce, flights = Salesforce(), Flights(Bulkhead(16), grace=0.0)
        with ThreadPoolExecutor(20) as pool:
            hanging = [pool.submit(flights.fetch, [b"%d" % n], salesforce.trip()) for n in range(20)]
            until(lambda: sum(future.done() for future in hanging) == 12)
            started = time.monotonic()
            with pytest.raises(Transient) as refused:
                flights.fetch([b"one more"], salesforce.trip())
            assert time.monotonic() - started < 1
            assert refused.value.retry_after > 0
            assert refused.value.outcome_unknown is False
            neighbour = Salesforce()
            neighbour.answer.set()
            assert flights.fetch([b"jane"], neighbour.trip(organization="globex"))
            salesforce.answer.set()
            assert sum(future.exception() is None for future in hanging) == 8

    def test_however_many_organizations_hang_threads_remain(self) -> None:
        """Two hanging organizations together held more than all threads; a third one's warm cards waited for them."""
        salesforce, flights = Salesforce(), Flights(Bulkhead(16))
        with ThreadPoolExecutor(40) as pool:
            hanging = [
                pool.submit(flights.fetch, [b"%d" % n], salesforce.trip(organization=f"org {n % 5}")) for n in range(40)
            ]
            until(lambda: sum(future.done() for future in hanging) == 28)
            assert flights._bulkhead._waiting.total() == 12
            salesforce.answer.set()
            assert sum(future.exception(20) is None for future in hanging) == 12

    def test_passengers_leave_the_last_threads_sooner(self) -> None:
        salesforce, flights = Salesforce(), Flights(Bulkhead(16), grace=10.0, haste=0.1)
        with ThreadPoolExecutor(16) as pool:
            burst = [pool.submit(flights.fetch, [b"jane"], salesforce.trip()) for _ in range(16)]
            until(lambda: sum(future.done() for future in burst) == 4)
            time.sleep(0.2)
            assert sum(future.done() for future in burst) == 4
            salesforce.answer.set()
            assert sum(future.exception(20) is None for future in burst) == 12

    def test_a_burst_of_equal_look_ups_beyond_the_share_is_served_while_salesforce_is_well(self) -> None:
        salesforce, flights = Salesforce(), Flights(Bulkhead(16), grace=10.0)
        with ThreadPoolExecutor(60) as pool:
            burst = [pool.submit(flights.fetch, [b"jane"], salesforce.trip()) for _ in range(60)]
            until(lambda: flights._bulkhead._waiting["acme"] == 8)
            time.sleep(0.05)
            salesforce.answer.set()
            assert all(future.result(20) for future in burst)
        assert len(salesforce.calls) == 1

    def test_passengers_beyond_the_share_give_up_when_the_flight_is_late(self) -> None:
        salesforce, flights = Salesforce(), Flights(Bulkhead(4), grace=0.2, patience=20)
        with ThreadPoolExecutor(10) as pool:
            burst = [pool.submit(flights.fetch, [b"jane"], salesforce.trip()) for _ in range(10)]
            until(lambda: sum(future.done() for future in burst) == 8)
            salesforce.answer.set()
            assert sum(future.exception(20) is None for future in burst) == 2

    def test_places_come_back_also_after_failures(self) -> None:
        bulkhead = Bulkhead(4)
        for _ in range(20):
            with pytest.raises(RuntimeError), bulkhead.waiting("acme"):
                raise RuntimeError
        assert bulkhead._waiting == {}

    def test_prefetches_leave_room_for_clicks(self) -> None:
        bulkhead = Bulkhead(16)
        with bulkhead.place("acme", prefetch=True), bulkhead.place("acme"), bulkhead.place("acme"):
            with bulkhead.place("acme"), bulkhead.place("acme", prefetch=True) as room:
                assert room is not Room.PLACE
            with bulkhead.place("acme") as room:
                assert room is Room.PLACE

    def test_prefetches_of_many_organizations_leave_room_for_clicks(self) -> None:
        bulkhead = Bulkhead(16)
        with ExitStack() as held:
            rooms = [held.enter_context(bulkhead.place(f"org {n}", prefetch=True)) for n in range(12)]
            assert rooms.count(Room.PLACE) == 8
            assert held.enter_context(bulkhead.place("acme")) is Room.PLACE
