"""Whoever carries files is at it for a minute and more. One thread of a worker stays free of that: for everybody's
other mail, and for what other rooms have to do. Files that find no hand free stand in line (jobs.waiting_for_hand)."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_guard = threading.Lock()
#: How many threads may carry files; None for as many as like to.
_most: int | None = None
_busy = 0


def leave_one_free(threads: int) -> None:
    """`threads`: of this worker, told once when it starts. With one thread there is no other."""
    global _most
    _most = max(1, threads - 1)


def is_free() -> bool:
    return _most is None or _busy < _most


@contextmanager
def hand(*, is_next: bool = True) -> Iterator[bool]:
    """Whether files may be carried meanwhile. Waits for nobody. `is_next`: nobody else is before them in the line."""
    is_mine = is_next and _taken()
    try:
        yield is_mine
    finally:
        if is_mine:
            _given_back()


def _taken() -> bool:
    global _busy
    with _guard:
        if not is_free():
            return False
        _busy += 1
        return True


def _given_back() -> None:
    global _busy
    with _guard:
        _busy -= 1
