"""Hints that something has changed: taken at once, looked up by a thread beside.

Whoever tells us is never kept waiting for our database or our queue: a provider that waits takes us for slow, and tells
us less. What is lost here, with the process or beyond MOST, the next safety poll finds."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Hashable
from typing import Generic, TypeVar

from django.db import connections

log = logging.getLogger("sidebar.sync")

#: That wait at a time.
MOST = 10_000
#: Seconds; with a last try after all of them.
AGAIN = (2.0, 10.0, 30.0)
H = TypeVar("H", bound=Hashable)


class Hints(Generic[H]):
    """`look` is given all that wait, each once, in a thread that lives as long as any do."""

    def __init__(self, look: Callable[[Collection[H]], None]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._waiting: dict[H, None] = {}
        self._is_at_work = False

    def leave(self, hints: Collection[H]) -> int:
        """Returns how many there was no room for."""
        with self._lock:
            fresh = [each for each in dict.fromkeys(hints) if each not in self._waiting]
            taken = fresh[: MOST - len(self._waiting)]
            self._waiting.update(dict.fromkeys(taken))
            begins = bool(self._waiting) and not self._is_at_work
            self._is_at_work = self._is_at_work or begins
        if begins:
            self._begin()
        return len(fresh) - len(taken)

    def _begin(self) -> None:
        """Where no thread can be had, the next hint tries again."""
        try:
            threading.Thread(target=self._work, name="hints", daemon=True).start()
        except RuntimeError:
            log.error("no thread can be started that looks at hints")
            with self._lock:
                self._is_at_work = False

    def _work(self) -> None:
        try:
            while hints := self._taken():
                self._look_at(hints)
        finally:
            connections.close_all()

    def _taken(self) -> Collection[H]:
        with self._lock:
            hints, self._waiting = list(self._waiting), {}
            self._is_at_work = bool(hints)
        return hints

    def _look_at(self, hints: Collection[H]) -> None:
        """Again after a while where that fails; it may be the database's start. What a hint says is in no log."""
        for seconds in (*AGAIN, None):
            try:
                return self._look(hints)
            except Exception as error:  # noqa: BLE001  the thread goes on
                log.error("%s hints could not be looked at: %s", len(hints), type(error).__name__)
                connections.close_all()
                if seconds is not None:
                    time.sleep(seconds)
        return None
