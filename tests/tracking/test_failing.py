"""A drain that fails, wherever it does, leaves nobody's address or agent in its frames, which a tool that shows locals
would print (Django's page, an error reporter): in RAM for as long as a batch means no longer when it fails, too."""

import html
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter
from pytest_django import Settings
from redis import Redis

from organizations.models import Member
from tests.tracking.canaries import an_asker
from tests.tracking.test_drain import a_copy, a_hit, alice, arrive, set_up
from tracking import drain
from tracking.hot.tokens import Kind
from vault import days

__all__ = ["alice", "set_up"]
pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
ASKER = an_asker()


class Boom(Exception):
    pass


def away(*_: Any, **__: Any) -> Any:
    raise Boom(ASKER.agent)


#: In order, from the moment when who asked is readable.
PLACES = (
    "tracking.hot.boxes.BatchBox.nonce_of",
    "tracking.drain.known",
    "tracking.surroundings.Surroundings.of",
    "tracking.classify._by_itself",
    "tracking.drain.device_of",
    "tracking.partitions.make",
    "tracking.storing.insert",
    "tracking.burst.rejudge",
    "tracking.inflow.done",
)


@pytest.fixture
def waiting(alice: Member, settings: Settings, set_up: Redis) -> Redis:
    hit = a_hit(a_copy(alice), Kind.OPEN)
    arrive(settings, hit._replace(who=[ASKER.peer, ASKER.agent, ", ".join(ASKER.forwarded)]))
    return set_up


def failure_of(work: Callable[[], object]) -> Boom:
    with pytest.raises(Boom) as caught:
        work()
    trace = caught.value.__traceback__
    while trace is not None and trace.tb_frame.f_globals["__name__"].startswith("tests."):
        trace = trace.tb_next
    assert trace is not None, "it did not fail in our code"
    return caught.value.with_traceback(trace)


def shown_by_django(error: BaseException) -> str:
    """Frames with their locals, as Django's own filter lets them through."""
    report = ExceptionReporter(None, type(error), error, error.__traceback__)
    report.filter = SafeExceptionReporterFilter()
    return html.unescape(repr([frame["vars"] for frame in report.get_traceback_frames()]))


def held(error: BaseException) -> str:
    """What is in the frames themselves, behind what their locals are printed as."""
    return repr([[_inside(value) for value in f.f_locals.values()] for f, _ in traceback.walk_tb(error.__traceback__)])


def _inside(value: object) -> object:
    return [getattr(each, "who", each) for each in value] if isinstance(value, list) else getattr(value, "who", value)


def secrets_in(text: str) -> list[str]:
    return [each for each in (ASKER.peer, *ASKER.forwarded, ASKER.agent.rpartition(" ")[2]) if each in text]


@pytest.mark.parametrize("place", PLACES)
def test_nobody_is_in_the_frames_of_a_failure(place: str, waiting: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, away)
    error = failure_of(lambda: drain.drain_events("one"))
    monkeypatch.undo()
    frames = [frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)]
    assert "drain_events" in frames, "where it happened is to be seen"
    assert secrets_in(shown_by_django(error) + held(error)) == []


def test_neither_is_the_private_half_of_the_day(waiting: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    private = days.private(days.living()[0])
    monkeypatch.setattr("tracking.hot.boxes.Opening.__init__", away)
    error = failure_of(lambda: drain.drain_events("one"))
    monkeypatch.undo()
    assert repr(private)[2:-1] not in shown_by_django(error) + held(error)


def test_what_is_looked_for_would_be_found(waiting: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the mending."""
    monkeypatch.setattr("tracking.storing.insert", away)
    careless: Callable[[str], object] = drain.drain_events.__wrapped__  # type: ignore[attr-defined]
    error = failure_of(lambda: careless("one"))
    monkeypatch.undo()
    assert ASKER.peer in secrets_in(shown_by_django(error))
