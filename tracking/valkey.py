"""This room's connection to Valkey, on the side of Django: where hits wait, and what the hot process must know."""

from functools import cache

from django.conf import settings
from redis import Redis

#: Seconds: of a worker's task, and where a person or a machine that watches us waits for a figure.
PATIENCE, BRIEFLY = 5.0, 1.0


@cache
def valkey(patience: float = PATIENCE) -> Redis:
    return Redis.from_url(settings.REDIS_URL, socket_connect_timeout=patience, socket_timeout=patience)
