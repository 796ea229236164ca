"""Values worth keeping for a while in RAM: a bounded number, each loaded once however many threads ask. No secrets."""

import copy
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

from cachetools import TTLCache

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """At most `most` values for at most `seconds`; the least recently used goes first. A failure is never kept."""

    def __init__(self, *, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self.clear()

    def clear(self) -> None:
        """Forget everything; in a forked child also the parent's threads, whose loads never end there."""
        self._lock = threading.Lock()
        self._values: TTLCache[K, V] = TTLCache(self._most, self._seconds)
        self._loading: dict[K, Future[V]] = {}

    def __len__(self) -> int:
        with self._lock:
            return len(self._values)

    def peek(self, key: K) -> V | None:
        """The kept value or None, without waiting for anybody's load."""
        with self._lock:
            return self._values.get(key)

    def get(self, key: K, load: Callable[[], V]) -> V:
        """The kept value, else what `load` returns. Who asks meanwhile waits for it, and shares its failure too:
        one after another they would ask a slow host as often."""
        with self._lock:
            if key in self._values:
                return self._values[key]
            others = self._loading.get(key)
            mine = self._loading.setdefault(key, Future())
        return self._load(key, load, mine) if others is None else _shared(others)

    def _load(self, key: K, load: Callable[[], V], mine: "Future[V]") -> V:
        try:
            value = load()
        except BaseException as error:
            self._land(key)
            mine.set_exception(error)
            raise
        self._land(key, value)
        mine.set_result(value)
        return value

    def _land(self, key: K, *values: V) -> None:
        """Under one lock, so that nobody finds neither the load nor its value."""
        with self._lock:
            self._values.update((key, value) for value in values)
            self._loading.pop(key, None)


def _shared(others: "Future[V]") -> V:
    error = others.exception()
    if error is None:
        return others.result()
    raise copy.copy(error).with_traceback(None)  # one exception in two threads would mix their tracebacks
