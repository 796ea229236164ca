"""The most that a process, with all that it has started, comes to hold in memory beyond what it held. Linux only."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from bench.footprint import held

_EVERY = 0.02


class Growth:
    """Of the process `pid`. `kibibytes`: so far."""

    def __init__(self, pid: int) -> None:
        self._pid, self._before = pid, held(pid)
        self._most = self._before

    @property
    def kibibytes(self) -> int:
        return self._most - self._before

    def look(self) -> None:
        with suppress(OSError):  # a child ends while it is looked at
            self._most = max(self._most, held(self._pid))


@contextmanager
def growth(pid: int) -> Iterator[Growth]:
    """While the block runs; looked at fifty times a second."""
    seen, done = Growth(pid), threading.Event()

    def watch() -> None:
        while not done.wait(_EVERY):
            seen.look()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()
