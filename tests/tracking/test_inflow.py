"""The stream as the worker sees it, on Valkey's bad days."""

import socket
import time
from collections.abc import Iterator

import pytest
from pytest_django import Settings
from redis import Redis
from redis.exceptions import OutOfMemoryError, RedisError

from tracking import inflow, valkey
from tracking.hot.stream import STREAM


@pytest.fixture(autouse=True)
def server() -> Iterator[Redis]:
    valkey.valkey.cache_clear()
    client = valkey.valkey()
    client.delete(STREAM)
    yield client
    client.delete(STREAM)


def test_a_full_valkey_is_drained_all_the_same(server: Redis) -> None:
    """Otherwise it would stay full for ever."""
    server.xadd(STREAM, {"f": b"x"})
    assert len(inflow.take("one", 10)) == 1
    server.xadd(STREAM, {"f": b"y"})
    before = server.config_get("maxmemory")["maxmemory"] or 0
    server.config_set("maxmemory", 1)
    try:
        with pytest.raises(OutOfMemoryError):
            server.xadd(STREAM, {"f": b"z"})
        given = inflow.take("one", 10)
        assert [each.entry for each in given] == [{b"f": b"y"}]
        inflow.done(given)
    finally:
        server.config_set("maxmemory", before)
    assert server.xlen(STREAM) == 1


def test_an_emptied_valkey_is_read_from_the_beginning(server: Redis) -> None:
    assert inflow.take("one", 10) == []
    server.flushdb()
    server.xadd(STREAM, {"f": b"x"})
    assert [each.entry for each in inflow.take("one", 10)] == [{b"f": b"x"}]


def test_a_dead_workers_entries_are_found_behind_many_of_living_ones(server: Redis) -> None:
    """Such as do not open yet (drain.HELD)."""
    for number in range(150):
        server.xadd(STREAM, {"f": b"%d" % number})
    *_, last = inflow.take("living", 150)
    server.xclaim(STREAM, inflow.GROUP, "dead", 0, [last.id], idle=inflow.ABANDONED * 2, justid=True)
    assert inflow.take("one", 10) == [last]
    assert inflow.take("one", 10) == []


def test_nobody_waits_long_for_a_figure(settings: Settings) -> None:
    """Of a Valkey that takes connections and never answers: a page and /metrics hold a thread meanwhile."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.REDIS_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        valkey.valkey.cache_clear()
        began = time.monotonic()
        with pytest.raises(RedisError):
            inflow.backlog(time.time())
        assert time.monotonic() - began < 4
    valkey.valkey.cache_clear()
