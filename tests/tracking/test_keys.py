"""While TRACKING_KEY is changed, process after process, and where a day's key is not what it was."""

import secrets
from base64 import b64encode
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings
from redis import Redis

from organizations.models import Member
from tests.tracking.test_drain import a_copy, a_hit, alice, arrive, set_up
from tracking import drain, inflow, partitions
from tracking.classify import Verdict
from tracking.hot.boxes import BatchBox, NotOurs
from tracking.models import Event
from vault import days, keys
from vault.models import DayKey

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
__all__ = ["alice", "set_up"]
OLD, NEW, FOREIGN = (secrets.token_bytes(32) for _ in range(3))


def in_base64(*known: bytes) -> str:
    return ",".join(b64encode(each).decode() for each in known)


def waiting() -> int:
    return inflow.backlog(timezone.now().timestamp()).entries


def test_a_worker_that_is_not_told_the_new_key_yet_loses_nothing(
    alice: Member, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TRACKING_KEY = in_base64(NEW, OLD)
    arrive(settings, a_hit(a_copy(alice)))
    settings.TRACKING_KEY = in_base64(OLD)
    assert drain.drain_events("one") == drain.Drained(broken=1)
    settings.TRACKING_KEY = in_base64(NEW, OLD)
    monkeypatch.setattr(inflow, "ABANDONED", 0)
    assert drain.drain_events("two") == drain.Drained(stored=1)
    assert waiting() == 0


def test_what_never_opens_goes_after_a_while(set_up: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    partitions.make_ahead(timezone.now())
    set_up.xadd("tracking:hits", {"f": b"x" * 60})
    assert drain.drain_events("one") == drain.Drained(broken=1)
    assert drain.drain_events("one") is None
    assert waiting() == 1
    monkeypatch.setattr(inflow, "ABANDONED", 0)
    monkeypatch.setattr(drain, "HELD", timedelta(0))
    assert drain.drain_events("one") == drain.Drained(broken=1)
    assert waiting() == 0


def test_the_days_key_is_believed_under_each_of_our_keys() -> None:
    published = BatchBox([OLD, NEW]).publish_day(b"2027-01-01", bytes(32))
    assert BatchBox([NEW, OLD]).open_day(published) == (b"2027-01-01", bytes(32))
    with pytest.raises(NotOurs):
        BatchBox([FOREIGN]).open_day(published)
    with pytest.raises(NotOurs):
        BatchBox([OLD]).open_day(published[:-1] + b"2")


def test_a_hit_counts_though_the_days_key_is_another_by_now(alice: Member, settings: Settings) -> None:
    """A database was restored to before that day's key was made."""
    arrive(settings, a_hit(a_copy(alice)))
    (day,) = days.living()
    DayKey.objects.all().delete()
    keys.forget_all()
    days.begin(day)
    assert drain.drain_events("one") == drain.Drained(stored=1)
    assert Event.objects.get().verdict == Verdict.UNKNOWN


def test_a_hit_counts_though_somebody_changed_the_days_key(alice: Member, settings: Settings) -> None:
    arrive(settings, a_hit(a_copy(alice)))
    row = DayKey.objects.get()
    row.sealed_private = bytes(row.sealed_private)[:-1] + bytes([bytes(row.sealed_private)[-1] ^ 1])
    row.save()
    assert drain.drain_events("one") == drain.Drained(stored=1)
    assert Event.objects.get().verdict == Verdict.UNKNOWN
