"""When draining is due again while it still goes on: one thread of a worker is enough, the others have other work."""

import threading

import pytest
from pytest_django import Settings

from tracking import drain as draining
from tracking import tasks
from tracking.drain import Drained


@pytest.fixture(autouse=True)
def set_up(settings: Settings) -> None:
    settings.TRACKING_KEY, settings.TRACKING_URL = "set", "http://localhost:9"


def test_a_burst_takes_one_thread_of_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, may_end, calls = threading.Event(), threading.Event(), list[str]()

    def slowly(consumer: str) -> Drained | None:
        calls.append(consumer)
        begun.set()
        may_end.wait(10)
        return Drained(stored=1) if len(calls) < 3 else None

    monkeypatch.setattr(draining, "drain_events", slowly)
    first = threading.Thread(target=tasks.drain)
    first.start()
    assert begun.wait(10)
    ticks = [threading.Thread(target=tasks.drain, daemon=True) for _ in range(3)]
    for each in ticks:
        each.start()
    for each in ticks:
        each.join(5)
    assert not any(each.is_alive() for each in ticks)
    assert len(calls) == 1
    may_end.set()
    first.join(10)
    assert len(calls) == 3  # until nothing waits


def test_after_a_fault_it_is_drained_again(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = list[str]()

    def fails(consumer: str) -> Drained | None:
        calls.append(consumer)
        raise RuntimeError

    monkeypatch.setattr(draining, "drain_events", fails)
    for _ in range(2):
        with pytest.raises(RuntimeError):
            tasks.drain()
    assert len(calls) == 2
