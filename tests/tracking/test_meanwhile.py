"""What happens to a message while hits on it are being drained."""

import threading
import time
from collections.abc import Callable

import pytest
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import Settings
from redis import Redis

from organizations.models import Member
from tests.tracking.test_drain import a_copy, a_hit, alice, arrive, set_up
from tracking import drain, erasing, partitions, sending
from tracking.classify import Verdict
from tracking.models import Copy, Event, TrackedMessage

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
__all__ = ["alice", "set_up"]
_WAITS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def while_draining(change: Callable[[], object]) -> None:
    """`change` has begun and is not committed when the batch is drained."""
    worker = threading.Thread(target=drain_and_leave)
    with transaction.atomic():
        change()
        worker.start()
        await_a_lock()
    worker.join(20)
    assert not worker.is_alive()


def drain_and_leave() -> None:
    try:
        drain.drain_events("one")
    finally:
        connection.close()


def await_a_lock() -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute(_WAITS)
            if cursor.fetchone() != (0,):
                return
        time.sleep(0.02)
    raise AssertionError("nobody waits")


@pytest.fixture
def copy(alice: Member, settings: Settings, set_up: Redis) -> Copy:
    partitions.make_ahead(timezone.now())
    copy = a_copy(alice)
    arrive(settings, a_hit(copy))
    return copy


def test_the_sender_looks_at_it(copy: Copy) -> None:
    """The hit was neither stored, so as to be judged again, nor still to be judged: it was taken for a reader's."""
    while_draining(lambda: sending.viewed_by_sender(copy.message))
    assert Event.objects.get().verdict == Verdict.SELF
    copy.refresh_from_db()
    assert (copy.opens, copy.hits) == (0, 1)


def test_it_is_deleted(copy: Copy) -> None:
    """Nothing comes after what was deleted with it."""
    while_draining(lambda: erasing.forget(TrackedMessage.objects.filter(pk=copy.message_id)))
    assert not Event.objects.exists()
