"""Keeps hanging Salesforce orgs from taking all threads of a process (docs/hardening.md, docs/figures.md).

Counts threads that wait for Salesforce, by organization and together. Who finds no place is told to come back."""

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from django.conf import settings

from providers.errors import Transient

#: Threads of the web server in one process (granian's --blocking-threads).
DEFAULT_THREADS = 64
#: The share of them that may wait for one organization's Salesforce.
SHARE = 0.5
#: The share that may wait for Salesforce at all: however many organizations hang, the others' warm cards find threads.
TOGETHER = 0.75
#: The shares that prefetches may use: a person's click finds room where a prefetch no longer does.
PREFETCH_SHARE, PREFETCH_TOGETHER = 0.25, 0.5
#: Up to this share of the threads is taken, those count as spare that wait for another look-up's call without a place.
SPARE = 0.8


class Room(Enum):
    """What a thread may do inside."""

    PLACE = "ask Salesforce, and wait"
    SPARE = "wait for a call that is under way"
    LAST = "the same, but on one of the last threads"


def crowded() -> Transient:
    return Transient("Salesforce is slow; too many requests wait for it already.", retry_after=2.0)


class Bulkhead:
    """At most `limit` threads per organization ask Salesforce, and `together` of all organizations, in this process."""

    def __init__(self, threads: int = DEFAULT_THREADS) -> None:
        self.limit, self.together = _share(threads, SHARE), _share(threads, TOGETHER)
        self.prefetch_limit = _share(threads, PREFETCH_SHARE)
        self.prefetch_together = _share(threads, PREFETCH_TOGETHER)
        self.spare = _share(threads, SPARE)
        self.reset()

    def reset(self) -> None:
        """After a fork none of the parent's threads wait any more."""
        self._lock = threading.Lock()
        self._waiting: Counter[str] = Counter()
        self._inside = 0

    @contextmanager
    def place(self, organization_id: str, *, prefetch: bool = False) -> Iterator[Room]:
        """Be counted while inside; what the thread may do there depends on how many others are."""
        room = self._enter(organization_id, prefetch=prefetch)
        try:
            yield room
        finally:
            self._leave(organization_id, room)

    @contextmanager
    def waiting(self, organization_id: str) -> Iterator[None]:
        """Wait for Salesforce inside this block. Raises Transient when all places are taken."""
        with self.place(organization_id) as room:
            if room is not Room.PLACE:
                raise crowded()
            yield

    def _enter(self, organization_id: str, *, prefetch: bool) -> Room:
        limit = self.prefetch_limit if prefetch else self.limit
        together = self.prefetch_together if prefetch else self.together
        with self._lock:
            self._inside += 1
            if self._waiting[organization_id] < limit and self._waiting.total() < together:
                self._waiting[organization_id] += 1
                return Room.PLACE
            return Room.SPARE if self._inside <= self.spare else Room.LAST

    def _leave(self, organization_id: str, room: Room) -> None:
        with self._lock:
            self._inside -= 1
            if room is Room.PLACE:
                self._waiting[organization_id] -= 1
            if not self._waiting[organization_id]:
                del self._waiting[organization_id]


def _share(threads: int, share: float) -> int:
    return max(1, int(threads * share))


bulkhead = Bulkhead(getattr(settings, "BLOCKING_THREADS", DEFAULT_THREADS))
os.register_at_fork(after_in_child=bulkhead.reset)
