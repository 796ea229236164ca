"""What a process, with all that it has started, has used and holds: from /proc, without asking it."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def processor(pid: int) -> float:
    """Seconds that it and its children have used, those that have ended among them."""
    return sum(sum(map(int, _fields(place)[11:15])) for place in _tree(pid)) / _TICK


def held(pid: int) -> int:
    """KiB in memory now; what is shared counts for each."""
    pages = sum(int((place / "statm").read_text().split()[1]) for place in _tree(pid))
    return pages * resource.getpagesize() // 1024


def _fields(place: Path) -> list[str]:
    """From the third on: the name before may hold anything."""
    return (place / "stat").read_text().rpartition(")")[2].split()


def _tree(pid: int) -> Iterator[Path]:
    place = Path("/proc") / str(pid)
    yield place
    for task in (place / "task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _tree(int(child))
