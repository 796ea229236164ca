"""Before the vault waits for a provider: what a waiting thread gives back, and how many may wait to sign somebody in.

Strangers may start sign-ins, so these threads are few: a login host that hangs must not take them from members."""

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connections

from vault.errors import NotAllowedHere

#: The share of the web server's threads that may wait for sign-ins, and of those the share for one login host.
SHARE, SHARE_OF_HOST = 0.125, 0.75
_RETRY_AFTER = 5
_CROWDED = "Many people are signing in just now, or Salesforce is slow. Please try again in a few seconds."


def give_back_database() -> None:
    """A thread that now waits for a provider must not keep a database connection from the others (FT14)."""
    for database in connections.all(initialized_only=True):
        if not database.in_atomic_block:
            database.close()


class Doorway:
    """At most `limit` threads of this process inside, and `of_host` for one key.

    Who is inside needs no second place: a callback that asks for the host's metadata on its way would otherwise be
    sent off halfway, its code used up."""

    def __init__(self, threads: int) -> None:
        self.limit = max(1, int(threads * SHARE))
        self.of_host = max(1, int(self.limit * SHARE_OF_HOST))
        self.reset()

    def reset(self) -> None:
        """After a fork none of the parent's threads are inside any more."""
        self._lock = threading.Lock()
        self._inside: Counter[str] = Counter()
        self._mine = threading.local()

    @contextmanager
    def place(self, key: str) -> Iterator[bool]:
        """Yields False, and takes no place, when there is none."""
        if getattr(self._mine, "is_inside", False):
            yield True
            return
        taken = self._mine.is_inside = self._enter(key)
        try:
            yield taken
        finally:
            self._mine.is_inside = False
            if taken:
                self._leave(key)

    @contextmanager
    def waiting(self, key: str) -> Iterator[None]:
        """Raises NotAllowedHere (503) when there is no place."""
        with self.place(key) as taken:
            if not taken:
                raise NotAllowedHere(_CROWDED, status=503, retry_after=_RETRY_AFTER)
            yield

    def _enter(self, key: str) -> bool:
        with self._lock:
            if self._inside.total() >= self.limit or self._inside[key] >= self.of_host:
                return False
            self._inside[key] += 1
            return True

    def _leave(self, key: str) -> None:
        with self._lock:
            self._inside[key] -= 1
            if not self._inside[key]:
                del self._inside[key]


sign_ins = Doorway(settings.BLOCKING_THREADS)
os.register_at_fork(after_in_child=sign_ins.reset)
