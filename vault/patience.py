"""Writes what must not be lost, again and again for a while: also where the database has stopped rather than gone.

Such a one answers nothing, not even with an error, and a thread that has asked it waits for as long as it likes. So
the writing is done in a thread of its own. Decides nothing about what is written."""

import threading
import time
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future
from contextlib import suppress

from django.db import Error, connections

from vault import underway

_EVERY = 0.25
#: Seconds for a write under way once this process is to end: with a provider call, less than it is given (underway.py).
GRACE = 2.0


def is_written(write: Callable[[], object], seconds: float) -> bool:
    """Whether `write` came to its end within `seconds`, or GRACE where this process is to end. What the database
    refuses is tried again, but not where it is to end. What is still under way then may be written all the same.

    Raises what `write` raises, but for what the database says."""
    ended, is_over = Future[bool](), threading.Event()
    thread = threading.Thread(target=_go_on, args=(write, ended, is_over), name="patience", daemon=True)
    try:
        thread.start()
        return _end_of(ended, seconds)
    except RuntimeError:  # no further thread is to be had
        return False
    finally:
        is_over.set()


def _end_of(ended: Future[bool], seconds: float) -> bool:
    until, is_closing = time.monotonic() + seconds, False
    while not ended.done() and (left := until - time.monotonic()) > 0:
        if underway.renewals.is_closing and not is_closing:
            is_closing, until = True, min(until, time.monotonic() + GRACE)
        futures.wait([ended], min(left, _EVERY))
    return ended.done() and ended.result()


def _go_on(write: Callable[[], object], ended: Future[bool], is_over: threading.Event) -> None:
    try:
        while not (written := _try(write)):
            if underway.renewals.is_closing or is_over.wait(_EVERY):
                break
        ended.set_result(written)
    except BaseException as error:  # noqa: BLE001  told to the one who waits for us
        ended.set_exception(error)


def _try(write: Callable[[], object]) -> bool:
    """False where the database is away, full, or read-only. Keeps no connection."""
    try:
        write()
    except Error:
        return False
    finally:
        with suppress(Error):
            connections.close_all()
    return True
