"""Hints are taken at once, looked up beside, each once; a flood of them costs neither memory nor anybody's time."""

import threading
import time
from collections.abc import Collection, Iterator

import pytest
from django.test import Client

from sync import hints, subscriptions, tasks, webhooks
from sync.hints import Hints
from tests.journeys.test_tracking import within

GRAPH = "/hooks/microsoft/graph/"


class Looking:
    """Remembers what it was given, after `gate` has opened."""

    def __init__(self) -> None:
        self.seen: list[list[int]] = []
        self.gate = threading.Event()
        self.begun = threading.Event()

    def __call__(self, given: Collection[int]) -> None:
        self.begun.set()
        assert self.gate.wait(10)
        self.seen.append(sorted(given))
        if 13 in given:
            raise ValueError("bad luck")


@pytest.fixture
def looking() -> Iterator[Looking]:
    made = Looking()
    yield made
    made.gate.set()


def test_what_comes_while_somebody_looks_is_looked_at_together_and_once(looking: Looking) -> None:
    waiting = Hints(looking)
    waiting.leave([1])
    assert looking.begun.wait(10)
    for _ in range(100):
        assert waiting.leave([2, 3]) == 0
    looking.gate.set()
    within(10, lambda: looking.seen == [[1], [2, 3]])
    waiting.leave([4])  # with a new thread, where the first has ended
    within(10, lambda: looking.seen[-1] == [4])


def test_no_more_wait_than_there_is_room_for(looking: Looking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hints, "MOST", 10)
    waiting = Hints(looking)
    waiting.leave([0])
    assert looking.begun.wait(10)
    assert waiting.leave(range(1, 31)) == 20
    assert waiting.leave([1, 40]) == 1
    looking.gate.set()
    within(10, lambda: looking.seen == [[0], list(range(1, 11))])


def test_one_that_fails_is_said_without_a_word_of_it_and_others_follow(
    looking: Looking, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking.gate.set()
    monkeypatch.setattr(hints, "AGAIN", (0.0, 0.0))
    waiting = Hints(looking)
    waiting.leave([13])
    within(10, lambda: caplog.text.count("1 hints could not be looked at: ValueError") == 3)
    waiting.leave([14])
    within(10, lambda: [14] in looking.seen)
    assert "bad luck" not in caplog.text


def test_without_a_thread_the_next_hint_tries_again(looking: Looking, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    looking.gate.set()
    waiting = Hints(looking)
    with monkeypatch.context() as nothing_left:
        nothing_left.setattr(threading.Thread, "start", fail)
        assert waiting.leave([1]) == 0
    assert waiting.leave([2]) == 0
    within(10, lambda: looking.seen == [[1, 2]])


def test_a_database_that_hangs_keeps_no_provider_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 28 of the threats, G15: acknowledged within 300 ms, all of them before the database answers."""
    is_back, looked = threading.Event(), threading.Event()

    def told_by(_: object) -> dict[tuple[str, str], object]:
        is_back.wait(60)
        looked.set()
        return {}

    monkeypatch.setattr(subscriptions, "told_by", told_by)
    monkeypatch.setattr(tasks, "wake", lambda *_: None)
    notice = {"value": [{"subscriptionId": "s", "clientState": "c"}]}
    took = []
    for _ in range(100):
        began = time.monotonic()
        assert Client().post(GRAPH, notice, content_type="application/json").status_code == 202
        took.append(time.monotonic() - began)
    assert sorted(took)[50] < 0.3, "on a busy machine one or the other takes longer"
    assert not looked.is_set()
    is_back.set()
    assert looked.wait(10)
    within(10, lambda: not webhooks._hints._is_at_work)
