"""Tracking's background work. Tasks take no arguments: what there is to do stands in the stream and the tables."""

import os
import socket
import threading
import time
from contextlib import suppress

from celery import shared_task
from django.conf import settings
from redis.exceptions import RedisError

from tracking import drain as draining
from tracking import inflow, partitions, publishing, retention
from vault import clock

#: Seconds after which the next tick goes on: one burst must not hold a worker's thread for ever.
LONGEST = 20.0
#: Ticks come faster than a burst is drained: only one of a process' threads works at it, the others have other work.
_draining = threading.Lock()


def _is_set_up() -> bool:
    return bool(settings.TRACKING_KEY and settings.TRACKING_URL)


@shared_task(ignore_result=True)
def drain() -> None:
    consumer, until = f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}", time.monotonic() + LONGEST
    if not _is_set_up() or not _draining.acquire(blocking=False):
        return
    try:
        with suppress(RedisError):  # the next tick comes; what was given out comes back
            while time.monotonic() < until and draining.drain_events(consumer):
                pass
    finally:
        _draining.release()


@shared_task(ignore_result=True)
def publish() -> None:
    if _is_set_up():
        with suppress(RedisError):
            publishing.publish_standing(clock.now())


@shared_task(ignore_result=True)
def upkeep() -> None:
    now = clock.now()
    partitions.make_ahead(now)
    retention.drop_old(now)
    if _is_set_up():
        with suppress(RedisError):
            inflow.forget_silent(now.timestamp())


@shared_task(ignore_result=True)
def end_days() -> None:
    """A task of its own: whatever else fails, nobody shall be able to tell who asked two days ago."""
    publishing.end_days(clock.now())
