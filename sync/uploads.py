"""Whoever carries files is at it for a minute and more. One thread of a worker stays free of that: for everybody's
other mail, and for what other rooms have to do."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_hands: threading.Semaphore | None = None


def leave_one_free(threads: int) -> None:
    """`threads`: of this worker, told once when it starts. Whoever is told nothing carries as many as it likes; with
    one thread there is no other."""
    global _hands
    _hands = threading.Semaphore(max(1, threads - 1))


@contextmanager
def hand() -> Iterator[bool]:
    """Whether files may be carried meanwhile. Waits for nobody."""
    hands = _hands
    is_free = hands is None or hands.acquire(blocking=False)
    try:
        yield is_free
    finally:
        if hands is not None and is_free:
            hands.release()
