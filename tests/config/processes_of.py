"""Which processes a process has started, and whether they are gone."""

import time
from pathlib import Path


def descendants(root: int) -> set[int]:
    parents = {pid: parent(pid) for pid in _pids()}
    found, fresh = set[int](), {root}
    while fresh:
        fresh = {pid for pid, its_parent in parents.items() if its_parent in fresh} - found
        found |= fresh
    return found


def wait_until_gone(pids: set[int], seconds: float) -> dict[int, bytes]:
    """Those that are still there after so many seconds, with their command lines (a zombie is gone)."""
    deadline = time.monotonic() + seconds
    while (left := {pid for pid in pids if _lives(pid)}) and time.monotonic() < deadline:
        time.sleep(0.05)
    return {pid: read(pid, "stat") + read(pid, "cmdline") for pid in left}


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def read(pid: int, name: str) -> bytes:
    """A file of /proc/<pid>; nothing where the process is gone."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def parent(pid: int) -> int:
    fields = read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if fields else 0


def _lives(pid: int) -> bool:
    fields = read(pid, "stat").rpartition(b")")[2].split()
    return bool(fields) and fields[0] not in (b"Z", b"X")
