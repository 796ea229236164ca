"""A bounded RAM cache that epochs empty. Never written to disk, never shared between processes."""

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from cachetools import TTLCache

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

    def get(self, key: K) -> V | None:
        with self._lock:
            return self._entries.get(key)

    def get_or_load(self, key: K, load: Callable[[], V]) -> V:
        with self._lock:
            found, before = self._entries.get(key), self._drops
        if found is not None:
            return found
        value = load()
        with self._lock:
            if self._drops == before:
                self._entries[key] = value
        return value

    def drop(self, matches: Callable[[K, V], bool]) -> None:
        """Forget the entries for which `matches(key, value)`; a scan, so for events that are rare."""
        with self._lock:
            self._drops += 1
            self._entries.expire()
            for key in [key for key, value in self._entries.items() if matches(key, value)]:
                del self._entries[key]

    def clear(self) -> None:
        with self._lock:
            self._drops += 1
            self._entries.clear()
