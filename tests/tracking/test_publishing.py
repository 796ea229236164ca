"""What the hot process is told, also on bad days."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from redis import Redis

from organizations import policy
from organizations.models import Member
from tests.tracking.test_drain import alice, set_up
from tracking import publishing, tasks
from tracking.hot.tokens import Kind
from tracking.schedule import BEAT
from vault import days
from vault.errors import KekUnusable, OwnTrouble

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
__all__ = ["alice", "set_up"]
A_DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
TODAY = datetime(2027, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("fault", [KekUnusable("sealed"), OwnTrouble("away")], ids=["unusable", "away"])
def test_who_is_switched_off_is_told_though_no_key_can_be_made(
    alice: Member, set_up: Redis, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """The key service is away at midnight: yesterday's key serves on, and what was switched off is off."""
    now = timezone.now()
    publishing.publish_standing(now)
    yesterdays = set_up.get("tracking:day")
    policy.set_organization_value(alice, alice.organization_id, "track.opens", False)

    def away(_: object) -> bytes:
        raise fault

    with monkeypatch.context() as patched:
        patched.setattr(days, "begin", away)
        assert publishing.publish_standing(now + timedelta(days=1))
    assert alice.organization_id.bytes + bytes([Kind.OPEN]) in set_up.smembers("tracking:off")
    assert set_up.get("tracking:day") == yesterdays
    assert publishing.publish_standing(now + timedelta(days=1))
    assert set_up.get("tracking:day") != yesterdays


def test_a_days_key_is_dropped_a_day_after_its_day(alice: Member) -> None:
    for day in (TODAY, TODAY + A_DAY, TODAY + 2 * A_DAY):
        days.begin(day.date())
    assert publishing.end_days(TODAY + 2 * A_DAY - SECOND) == []
    assert publishing.end_days(TODAY + 2 * A_DAY) == [TODAY.date()]
    assert days.private(TODAY.date()) is None
    assert days.living() == [(TODAY + A_DAY).date(), (TODAY + 2 * A_DAY).date()]


@pytest.mark.parametrize("fault", ["tracking.partitions.make_ahead", "tracking.retention.drop_old"])
def test_a_day_ends_whatever_else_fails(alice: Member, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    """Each task as it is due."""

    def fails(_: object) -> None:
        raise OSError

    over = (timezone.now() - 3 * A_DAY).date()
    days.begin(over)
    monkeypatch.setattr(fault, fails)
    for each in BEAT.values():
        with suppress(OSError):
            getattr(tasks, each["task"].rpartition(".")[2])()
    assert over not in days.living()
