"""What the end of a process must wait for: a provider's answer on its way into the database (V24). Holds no data."""

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from vault.errors import OwnTrouble

log = logging.getLogger("sidebar.vault")

#: A provider call takes twelve seconds at most; the rest is for storing what it answered.
DRAIN_SECONDS = 15.0


class Underway:
    """Counts what is under way in this process, and lets nothing begin once it is to end."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """After a fork none of the parent's threads are at it any more."""
        self._changed = threading.Condition()
        self._count = 0
        self._is_closing = False

    @property
    def is_closing(self) -> bool:
        """Whether what is under way had better come to its end."""
        return self._is_closing

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Around work that must not be cut off. Raises OwnTrouble when this process is about to end."""
        with self._changed:
            if self._is_closing:
                raise OwnTrouble("This server is being restarted.", retry_after=2.0)
            self._count += 1
        try:
            yield
        finally:
            with self._changed:
                self._count -= 1
                self._changed.notify_all()

    def drain(self, seconds: float = DRAIN_SECONDS) -> bool:
        """Begin nothing new, and wait for the rest. False when something was still under way at the end."""
        until = time.monotonic() + seconds
        with self._changed:
            self._is_closing = True
            while self._count and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)
            left_over = self._count
        if left_over:
            log.error("%s renewals were cut off by the end of the process", left_over)
        return not left_over


renewals = Underway()
os.register_at_fork(after_in_child=renewals.reset)
