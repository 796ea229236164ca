"""A worker's own clock decides about nothing: by a wrong one it would lose hits, keys or a year of messages."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings
from redis import Redis

from organizations.models import Member
from tests.tracking.test_drain import a_copy, a_hit, alice, arrive, set_up
from tracking import drain, tasks
from tracking.models import TrackedMessage
from vault import days

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
__all__ = ["alice", "set_up"]
SetClock = Callable[[datetime], None]


@pytest.fixture
def worker_says(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    def say(now: datetime) -> None:
        monkeypatch.setattr(timezone, "now", lambda: now)

    return say


def test_one_that_is_behind_loses_no_hits(alice: Member, settings: Settings, worker_says: SetClock) -> None:
    """It started without its battery."""
    arrive(settings, a_hit(a_copy(alice)))
    worker_says(datetime(1970, 1, 1, tzinfo=UTC))
    assert drain.drain_events("one") == drain.Drained(stored=1)


def test_one_that_is_ahead_deletes_nothing(
    alice: Member, settings: Settings, set_up: Redis, worker_says: SetClock
) -> None:
    arrive(settings, a_hit(a_copy(alice)))
    told, living = set_up.get("tracking:day"), days.living()
    worker_says(timezone.now() + timedelta(days=2_000))
    for task in (tasks.publish, tasks.upkeep, tasks.end_days):
        task()
    assert TrackedMessage.objects.count() == 1
    assert (set_up.get("tracking:day"), days.living()) == (told, living)
