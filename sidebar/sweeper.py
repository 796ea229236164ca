"""A daemon thread that calls a function every few seconds, also in a process that nobody asks anything."""

import logging
import os
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Sweeper:
    """Starts with the first `ensure_running` in each process (a fork has no threads); never dies of an error."""

    def __init__(self, sweep: Callable[[], None], every: float) -> None:
        self._sweep = sweep
        self._every = every
        self._pid = 0
        self._stopped = threading.Event()
        self._starting = threading.Lock()

    def ensure_running(self) -> None:
        """Cheap when it runs already."""
        if self._pid != os.getpid():
            self._start()

    def stop(self) -> None:
        self._stopped.set()
        self._pid = 0

    def _start(self) -> None:
        with self._starting:
            if self._pid == os.getpid():
                return
            self._stopped = threading.Event()
            self._pid = os.getpid()
            threading.Thread(target=self._run, args=(self._stopped,), name="card-sweeper", daemon=True).start()

    def _run(self, stopped: threading.Event) -> None:
        while not stopped.wait(self._every):
            try:
                self._sweep()
            except Exception as error:  # noqa: BLE001  without a sweeper expired cards would stay in memory
                logger.error("the card sweeper failed: %s", type(error).__name__)
