"""RamCache under many threads: one load per key, and never a value from before a drop."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from organizations import ramcache
from organizations.ramcache import RamCache


def test_of_many_who_miss_at_once_one_loads() -> None:
    cache: RamCache[str, str] = RamCache(maxsize=10, ttl=60)
    loads, go_on = threading.Semaphore(0), threading.Event()

    def load() -> str:
        loads.release()
        assert go_on.wait(10)
        return "value"

    with ThreadPoolExecutor(20) as pool:
        found = [pool.submit(cache.get_or_load, "key", load) for _ in range(20)]
        assert loads.acquire(timeout=10)
        go_on.set()
        assert [each.result(10) for each in found] == ["value"] * 20
    assert not loads.acquire(blocking=False)


def test_who_waits_for_a_load_that_fails_loads_for_himself() -> None:
    cache: RamCache[str, str] = RamCache(maxsize=10, ttl=60)
    started, go_on = threading.Event(), threading.Event()

    def fails() -> str:
        started.set()
        assert go_on.wait(10)
        raise LookupError

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get_or_load, "key", fails)
        assert started.wait(10)
        second = pool.submit(cache.get_or_load, "key", lambda: "mine")
        go_on.set()
        assert second.result(10) == "mine"
        assert isinstance(first.exception(10), LookupError)
    assert cache._loading == {}


def test_who_comes_after_a_drop_does_not_get_what_was_read_before_it() -> None:
    cache: RamCache[str, str] = RamCache(maxsize=10, ttl=60)
    started, go_on = threading.Event(), threading.Event()

    def old() -> str:
        started.set()
        assert go_on.wait(10)
        return "old"

    with ThreadPoolExecutor(2) as pool:
        before = pool.submit(cache.get_or_load, "key", old)
        assert started.wait(10)
        cache.drop(lambda *_: True)
        after = pool.submit(cache.get_or_load, "key", lambda: "new")
        go_on.set()
        assert (before.result(10), after.result(10)) == ("old", "new")
    assert cache.get("key") == "new"


def test_a_load_that_never_ends_does_not_hold_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ramcache, "PATIENCE", 0.05)
    cache: RamCache[str, str] = RamCache(maxsize=10, ttl=60)
    cache._loading["key"] = threading.Event()  # as after a fork: its thread is gone
    assert cache.get_or_load("key", lambda: "mine") == "mine"
    assert cache._loading == {}
