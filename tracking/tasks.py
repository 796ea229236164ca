"""Tracking's background work. Tasks take no arguments: what there is to do stands in the stream and the tables."""

import os
import socket
import threading
import time
from contextlib import suppress

from celery import shared_task
from django.conf import settings
from django.utils import timezone
from redis.exceptions import RedisError

from tracking import drain as draining
from tracking import partitions, publishing, retention

#: Seconds after which the next tick goes on: one burst must not hold a worker's thread for ever.
LONGEST = 20.0


def _is_set_up() -> bool:
    return bool(settings.TRACKING_KEY and settings.TRACKING_URL)


@shared_task(ignore_result=True)
def drain() -> None:
    consumer, until = f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}", time.monotonic() + LONGEST
    with suppress(RedisError):  # the next tick comes; what was given out comes back
        while _is_set_up() and time.monotonic() < until:
            if draining.drain_events(consumer) is None:
                return


@shared_task(ignore_result=True)
def publish() -> None:
    if _is_set_up():
        with suppress(RedisError):
            publishing.publish_standing(timezone.now())


@shared_task(ignore_result=True)
def upkeep() -> None:
    now = timezone.now()
    partitions.make_ahead(now)
    publishing.end_days(now)
    retention.drop_old(now)
