"""Mails that were in hand when a worker died: of those one at a time is tried in a process. Several at once would die
together again and again, the innocent ones with the one that kills, until all are given up."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sync import holds

_guard = threading.Lock()
_taken: "Turn | None" = None


class Turn:
    """Of one thread, which may come to a suspect or not."""

    until = 0.0

    def take(self) -> bool:
        """Whether a suspect may be tried. Who is taken for hung keeps nobody waiting."""
        global _taken
        with _guard:
            if _taken is not None and time.monotonic() < _taken.until:
                return _taken is self
            self.until = time.monotonic() + holds.LONGEST
            _taken = self
            return True

    def end(self) -> None:
        global _taken
        with _guard:
            if _taken is self:
                _taken = None


@contextmanager
def turn() -> Iterator[Turn]:
    mine = Turn()
    try:
        yield mine
    finally:
        mine.end()
