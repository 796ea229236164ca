"""One piece of work per key and process; who asks meanwhile shares its result or its error (docs/vault.md L1)."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

from vault import outbound
from vault.errors import OwnTrouble

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Flights(Generic[K, V]):
    """`run` does the work, or waits at most `patience` seconds for the one who does."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._running: dict[K, Future[V]] = {}

    def run(self, key: K, work: Callable[[], V]) -> V:
        """Raises what `work` raises, for all who wait, and OwnTrouble when it takes too long."""
        with self._lock:
            running = self._running.get(key)
            mine: Future[V] = Future()
            if running is None:
                self._running[key] = mine
        if running is not None:
            return self._wait(running)
        self._fly(key, mine, work)
        return mine.result()

    def _wait(self, running: "Future[V]") -> V:
        outbound.give_back_database()  # the one who works may need it
        try:
            return running.result(self._patience)
        except TimeoutError:
            raise OwnTrouble("Another request is still waiting for the same answer.", retry_after=2.0) from None

    def _fly(self, key: K, mine: "Future[V]", work: Callable[[], V]) -> None:
        try:
            mine.set_result(work())
        except BaseException as error:  # noqa: BLE001  also KeyboardInterrupt must not leave the others waiting
            mine.set_exception(error)
        finally:
            with self._lock:
                del self._running[key]
