"""This room's connection to Valkey, on the side of Django: where hits wait, and what the hot process must know."""

from functools import cache

from django.conf import settings
from redis import Redis

#: Seconds; nobody's request waits for it but a worker's task.
PATIENCE = 5.0


@cache
def valkey() -> Redis:
    return Redis.from_url(settings.REDIS_URL, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE)
