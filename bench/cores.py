"""Which core a process runs on: what is measured has one of its own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

SERVER, OTHERS = 0, 1
_ALL = os.sched_getaffinity(0)


def pin(core: int) -> None:
    """To that core, also a child of a process that is pinned to another; not at all where there is but one."""
    if core in _ALL:
        os.sched_setaffinity(0, {core})


@contextmanager
def kept_on(core: int) -> Iterator[None]:
    """This thread, and what it starts meanwhile."""
    before = os.sched_getaffinity(0)
    pin(core)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
