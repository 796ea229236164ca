"""One process at a time: a mailbox held for polling or for working, by a conditional UPDATE and the database's clock.

A hold only saves double work. What must not happen twice is fenced by itself: cursors by `seq`, jobs by their lease."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID, uuid4

from django.db import DatabaseError, connections
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from sync.models import Pause, SyncedMailbox

#: Whoever is killed keeps others waiting for so long.
HOLD = timedelta(seconds=30)
BEAT = 10.0
#: A stage that has not ended after so many seconds is taken for hung: its hold and its lease run out.
LONGEST = 900.0


def free() -> QuerySet[SyncedMailbox]:
    """Those that may be worked for now: switched on, their person active, neither they nor their organization told to
    wait."""
    rows = SyncedMailbox.objects.filter(is_on=True, member__is_active=True, organization__ending_since=None)
    paused = Pause.objects.filter(until__gt=Now()).values("organization_id")
    return rows.exclude(parked_until__gt=Now()).exclude(organization_id__in=paused)


def take(mailbox_id: UUID, what: str) -> UUID | None:
    """`what`: "polling" or "working". None where somebody has it, or nothing may be done for it now."""
    token = uuid4()
    is_free = Q(**{f"{what}_until": None}) | Q(**{f"{what}_until__lte": Now()})
    changes = {f"{what}_until": Now() + HOLD, f"{what}_by": token}
    ids = free().filter(is_free, pk=mailbox_id).values("pk")
    taken = SyncedMailbox.objects.filter(is_free, pk__in=ids).update(**changes)
    return token if taken else None


def prolong(mailbox_id: UUID, what: str, token: UUID) -> bool:
    """Whether whoever holds it may go on: it is his, and nobody was told to wait meanwhile."""
    mine = SyncedMailbox.objects.filter(pk=mailbox_id, **{f"{what}_by": token})
    return bool(mine.update(**{f"{what}_until": Now() + HOLD})) and is_free(mailbox_id)


def is_free(mailbox_id: UUID) -> bool:
    """For whoever is at it, before each step: another stage may have been told to wait."""
    return free().filter(pk=mailbox_id).exists()


def let_go(mailbox_id: UUID, what: str, token: UUID) -> None:
    mine = SyncedMailbox.objects.filter(pk=mailbox_id, **{f"{what}_by": token})
    mine.update(**{f"{what}_until": None, f"{what}_by": None})


@contextmanager
def beating(*beats: Callable[[], object]) -> Iterator[None]:
    """Calls each of `beats` every BEAT seconds from a thread of its own, LONGEST seconds at most."""
    stopped = threading.Event()
    thread = threading.Thread(target=_beat, args=(stopped, beats), name="sync-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _beat(stopped: threading.Event, beats: tuple[Callable[[], object], ...]) -> None:
    """A database that is away is asked again: the hold may run out meanwhile, which costs double work and no more."""
    for _ in range(int(LONGEST / BEAT)):
        if stopped.wait(BEAT):
            return
        try:
            for beat in beats:
                beat()
        except DatabaseError:
            continue
        finally:
            connections.close_all()
