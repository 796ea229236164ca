"""A bounded RAM cache that epochs empty. Never written to disk, never shared between processes."""

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from cachetools import TTLCache

from organizations import epochs

#: Seconds to wait for another thread's load.
PATIENCE = 5.0

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class RamCache(Generic[K, V]):
    """`get_or_load` keeps what `load` returns for at most `ttl` seconds; `drop` and `clear` forget at once.

    A value read before a drop and arriving after it is handed to its caller but not kept: otherwise a slow
    query could bring back what a revocation has just thrown out."""

    def __init__(self, *, maxsize: int, ttl: float) -> None:
        self._entries: TTLCache[K, V] = TTLCache(maxsize=maxsize, ttl=ttl)
        self._lock = threading.Lock()
        self._drops = 0
        self._loading: dict[K, threading.Event] = {}

    def get(self, key: K) -> V | None:
        with self._lock:
            return self._entries.get(key)

    def get_or_load(self, key: K, load: Callable[[], V]) -> V:
        """The value in RAM, else what `load` returns. Of those who miss at once one loads and the others wait for it:
        two hundred first requests would otherwise open a database connection each."""
        with self._lock:
            found, before = self._entries.get(key), self._drops
            others = self._loading.get(key)
            if found is None and others is None:
                mine = self._loading[key] = threading.Event()
        if found is not None:
            return found
        if others is not None:
            return self._after(others, key, load)
        try:
            return self._keep(key, load, before)
        finally:
            self._end(key, mine)

    def _after(self, others: threading.Event, key: K, load: Callable[[], V]) -> V:
        """Where the other thread's load failed, was overtaken by a drop or takes too long, load ourselves."""
        if not others.wait(PATIENCE):
            self._end(key, others)
        with self._lock:
            found, before = self._entries.get(key), self._drops
        return found if found is not None else self._keep(key, load, before)

    def load(self, key: K, load: Callable[[], V]) -> V:
        """What `load` returns, kept. For callers who see to it themselves that one loads while others wait."""
        with self._lock:
            before = self._drops
        return self._keep(key, load, before)

    def _keep(self, key: K, load: Callable[[], V], before: int) -> V:
        value = load()
        with self._lock:
            if self._drops == before:
                self._entries[key] = value
        return value

    def _end(self, key: K, event: threading.Event) -> None:
        with self._lock:
            if self._loading.get(key) is event:
                del self._loading[key]
        event.set()

    def drop(self, matches: Callable[[K, V], bool]) -> None:
        """Forget the entries for which `matches(key, value)`; a scan, so for events that are rare."""
        with self._lock:
            self._drops += 1
            self._entries.expire()
            for key in [key for key, value in self._entries.items() if matches(key, value)]:
                del self._entries[key]

    def forget_on(self, kind: str, key_of: Callable[[K, V], object]) -> None:
        """When an epoch of `kind` changes, forget the entries whose `key_of(key, value)` it names; "*" names all."""

        def forget(changed: str) -> None:
            if changed == "*":
                self.clear()
            else:
                self.drop(lambda key, value: str(key_of(key, value)) == changed)

        epochs.on_change(kind, forget)

    def clear(self) -> None:
        with self._lock:
            self._drops += 1
            self._entries.clear()
