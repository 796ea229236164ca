"""Keeps one organization's hanging Salesforce from taking all threads of a process (hardening.md BI-A, performance.md).

Counts threads that wait for Salesforce, by organization. Over its share an organization is told to come back."""

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from providers.errors import Transient

#: Threads of the web server in one process (granian's --blocking-threads).
DEFAULT_THREADS = 64
#: The share of them that may wait for one organization's Salesforce.
SHARE = 0.75
#: The share that prefetches may use: a person's click finds room where a prefetch no longer does.
PREFETCH_SHARE = 0.25


def crowded() -> Transient:
    return Transient("Salesforce is slow for your organization; too many requests wait for it.", retry_after=2.0)


class Bulkhead:
    """At most `limit` waiting threads per organization in this process."""

    def __init__(self, threads: int = DEFAULT_THREADS) -> None:
        self.limit = max(1, int(threads * SHARE))
        self.prefetch_limit = max(1, int(threads * PREFETCH_SHARE))
        self._waiting: Counter[str] = Counter()
        self._lock = threading.Lock()

    def reset(self) -> None:
        """After a fork none of the parent's threads wait any more."""
        self._lock = threading.Lock()
        self._waiting.clear()

    @contextmanager
    def place(self, organization_id: str, *, prefetch: bool = False) -> Iterator[bool]:
        """Take a place while waiting; yields False, and takes none, when the organization's places are taken."""
        limit = self.prefetch_limit if prefetch else self.limit
        taken = self._enter(organization_id, limit)
        try:
            yield taken
        finally:
            if taken:
                self._leave(organization_id)

    @contextmanager
    def waiting(self, organization_id: str) -> Iterator[None]:
        """Wait for Salesforce inside this block. Raises Transient when the organization's places are taken."""
        with self.place(organization_id) as taken:
            if not taken:
                raise crowded()
            yield

    def _enter(self, organization_id: str, limit: int) -> bool:
        with self._lock:
            if self._waiting[organization_id] >= limit:
                return False
            self._waiting[organization_id] += 1
            return True

    def _leave(self, organization_id: str) -> None:
        with self._lock:
            self._waiting[organization_id] -= 1
            if not self._waiting[organization_id]:
                del self._waiting[organization_id]


bulkhead = Bulkhead(getattr(settings, "BLOCKING_THREADS", DEFAULT_THREADS))
os.register_at_fork(after_in_child=bulkhead.reset)
