"""RamCache under many threads: one load per key, and never a value from before a drop."""

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from organizations import epochs, ramcache
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


def test_an_epoch_forgets_what_it_names_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epochs, "_listeners", {kind: [] for kind in epochs.KINDS})
    cache: RamCache[tuple[str, int], UUID] = RamCache(maxsize=10, ttl=60)
    cache.forget_on("member", lambda key, _: key[1])
    cache.forget_on("organization", lambda _, value: value)
    acme, globex = UUID(int=1), UUID(int=2)
    for key, value in {("a", 1): acme, ("b", 1): globex, ("c", 2): acme, ("d", 3): globex}.items():
        cache.get_or_load(key, lambda value=value: value)  # type: ignore[misc]
    epochs.notify("token", "*")
    epochs.notify("member", "1")
    assert [cache.get(("a", 1)), cache.get(("b", 1))] == [None, None]
    assert (cache.get(("c", 2)), cache.get(("d", 3))) == (acme, globex)
    epochs.notify("organization", str(acme))
    assert (cache.get(("c", 2)), cache.get(("d", 3))) == (None, globex)
    epochs.notify("organization", "*")
    assert cache.get(("d", 3)) is None


def test_a_load_that_never_ends_does_not_hold_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ramcache, "PATIENCE", 0.05)
    cache: RamCache[str, str] = RamCache(maxsize=10, ttl=60)
    cache._loading["key"] = threading.Event()  # as after a fork: its thread is gone
    assert cache.get_or_load("key", lambda: "mine") == "mine"
    assert cache._loading == {}
