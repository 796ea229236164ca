"""This run's own PostgreSQL, stopped and let go on, each process by its pid. Connections stay, and answer nothing."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests import servers


class Freezer:
    """`stop` it at the chosen moment; whoever made this lets it go on."""

    def __init__(self) -> None:
        lines = (servers.folder() / "postgres" / "data" / "postmaster.pid").read_text().splitlines()
        self._postmaster = int(lines[0])
        self._stopped: list[int] = []

    def stop(self) -> None:
        """The postmaster first, so that it starts no other."""
        for pid in (self._postmaster, *_children_of(self._postmaster)):
            os.kill(pid, signal.SIGSTOP)
            self._stopped.append(pid)

    def go_on(self) -> None:
        for pid in self._stopped:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self._stopped.clear()


def _children_of(parent: int) -> Iterator[int]:
    for pid in (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()):
        with suppress(FileNotFoundError, ProcessLookupError):
            after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            if int(after_name[1]) == parent:
                yield pid


@contextmanager
def freezer() -> Iterator[Freezer]:
    found = Freezer()
    try:
        yield found
    finally:
        found.go_on()
