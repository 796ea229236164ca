"""Each web and worker process writes every ten seconds which keys it can unwrap with, and looks whether that is enough.

One row per process (LiveProcess), by the database's clock. Opens no data key. Each beat also takes over what an outage
has left on this host's disk, since no other host can (V5)."""

import logging
import os
import socket
import threading
import time
from uuid import uuid4

from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from organizations import epochs
from organizations.registries import readiness
from providers.errors import Transient
from vault import holders, kek, keys, upkeep
from vault.errors import KekUnusable

log = logging.getLogger("sidebar.vault")

EVERY = 10.0
_BEAT = """
INSERT INTO vault_liveprocess (id, name, kek_ids, started_at, seen_at) VALUES (%s, %s, %s, now(), clock_timestamp())
ON CONFLICT (id) DO UPDATE SET kek_ids = excluded.kek_ids, seen_at = excluded.seen_at
"""
_FORGET_THE_DEAD = "DELETE FROM vault_liveprocess WHERE seen_at < now() - interval '1 hour'"
_LEAVE = "DELETE FROM vault_liveprocess WHERE id = %s"


class Heartbeat:
    """This process' row and the thread that keeps it fresh."""

    def __init__(self, role: str, interval: float = EVERY) -> None:
        self.id, self.pid, self.interval = uuid4(), os.getpid(), interval
        self.name = f"{role} {socket.gethostname()[:80]}:{self.pid}"
        self.trouble = ""
        self._kek_ids: tuple[str, ...] = ()
        self._proven: set[str] = set()
        self._last_success = 0.0
        self._stopped = threading.Event()
        self._database: BaseDatabaseWrapper | None = None
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """The first beat comes before the first request: from then on the others know what we hold."""
        self._beat_safely()
        self._close()  # the thread opens its own: a connection belongs to the thread that made it
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(timeout=10)

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def is_ready(self) -> bool:
        """Whether this process can open what is stored, and the others know that it lives."""
        heard = self._last_success and time.monotonic() - self._last_success <= holders.ALIVE.total_seconds()
        return bool(heard) and not self.trouble

    def beat(self) -> None:
        """Look at our keys and write the row. Raises DatabaseError."""
        trouble = self._look_at_keys()
        if trouble and trouble != self.trouble:
            log.error("this process is not ready: %s", trouble)
        self.trouble = trouble
        with self._connection().cursor() as cursor:
            cursor.execute(_BEAT, [self.id, self.name, list(self._kek_ids)])
            cursor.execute(_FORGET_THE_DEAD)
        self._last_success = time.monotonic()

    def _look_at_keys(self) -> str:
        """What is wrong, "" when nothing is. While a key service is away the last answer counts."""
        try:
            provider = kek.current()
            held, self._proven, trouble = keys.prove(provider, self._proven)
            self._kek_ids = held
        except Transient as error:
            log.warning("the keys could not be looked at: %s", error)
            return self.trouble
        except KekUnusable as error:
            return str(error)
        finally:
            connections.close_all()
        return trouble

    def _connection(self) -> BaseDatabaseWrapper:
        if self._database is None:
            self._database = epochs.own_connection()
        self._database.close_if_unusable_or_obsolete()
        return self._database

    def _run(self) -> None:
        try:
            while not self._stopped.wait(self.interval):
                if self._beat_safely():
                    _take_over()
            self._leave()
        finally:
            self._close()

    def _beat_safely(self) -> bool:
        try:
            self.beat()
            return True
        except Exception as error:  # noqa: BLE001  a process whose heart stops would be taken for dead
            level = logging.WARNING if isinstance(error, DatabaseError) else logging.ERROR
            log.log(level, "the heartbeat could not be written: %s", type(error).__name__)
            self._close()
            return False

    def _leave(self) -> None:
        try:
            with self._connection().cursor() as cursor:
                cursor.execute(_LEAVE, [self.id])
        except DatabaseError:
            log.info("the heartbeat's row stays until it is stale")

    def _close(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            try:
                database.close()
            except DatabaseError as error:
                log.warning("a broken connection would not close: %s", type(error).__name__)


def _take_over() -> None:
    """Asks the database nothing where no file waits, and raises nothing."""
    try:
        upkeep.import_spool()
    finally:
        connections.close_all()


_heartbeat: Heartbeat | None = None
_start = threading.Lock()


def start(role: str, interval: float = EVERY) -> None:
    """Start this process' heartbeat; again and again does no harm. A fork has no threads, so it starts its own."""
    global _heartbeat
    with _start:
        if _heartbeat is None or _heartbeat.pid != os.getpid() or not _heartbeat.is_alive:
            _heartbeat = Heartbeat(role, interval)
            _heartbeat.start()


def stop() -> None:
    """Take our row away (a process that ends in good order)."""
    global _heartbeat
    with _start:
        if _heartbeat is not None and _heartbeat.pid == os.getpid():
            _heartbeat.stop()
        _heartbeat = None


@readiness.register("vault_keys")
def is_ready() -> bool:
    return _heartbeat is not None and _heartbeat.is_alive and _heartbeat.is_ready


os.register_at_fork(after_in_child=lambda: globals().update(_start=threading.Lock(), _heartbeat=None))
