"""Ends the process groups of an owner that died without doing so itself. A script of its own: standard library only.

Its standard input is a pipe from the owner: each line is the whole list of `group:signal`, and the end of the pipe is
the owner's end. The kernel's parent-death signal reaches children only; this reaches what the children started."""

import os
import signal
import sys
import time
from collections.abc import Callable

GRACE = 3.0


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: list[tuple[int, int]] = []
    for line in sys.stdin:
        groups = [(int(group), int(number)) for group, _, number in (word.partition(":") for word in line.split())]
    end(groups)


def end(groups: list[tuple[int, int]]) -> None:
    for group, number in groups:
        _signal(os.kill, group, number)
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline and any(_signal(os.killpg, group, 0) for group, _ in groups):
        time.sleep(0.02)
    for group, _ in groups:
        _signal(os.killpg, group, signal.SIGKILL)


def _signal(how: Callable[[int, int], None], target: int, number: int) -> bool:
    try:
        how(target, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    main()
