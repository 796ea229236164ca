"""Counters that tell every process what to drop from its RAM. Works with the queue down; never carries data.

Kinds: "connection" (a grant changed; key: connection id), "cards" (what a grant's person sees changed; connection id),
"member" (member id), "organization" (organization id), "keys" (its data keys are gone; organization id), "token" (a
member's OAuth tokens; member id)."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger(__name__)

KINDS = ("connection", "cards", "member", "organization", "keys", "token")
#: A transaction that bumps may commit this many seconds after its statement ran and is still seen.
OVERLAP = 30.0
#: After this many seconds without a poll nobody knows what was missed, so everything is dropped.
BLIND_AFTER = 10.0
#: Leases are used only within so many seconds of the last poll: what ended right after it is used no later than five
#: seconds after its end, the start of the use included (G8).
PROMPT_FOR = 4.0
#: Seconds after a loss of the database in which the pool is looked through; its connections do not all die at once.
WEED_FOR = 5.0

Listener = Callable[[str], None]
_listeners: dict[str, list[Listener]] = {kind: [] for kind in KINDS}

_BUMP = """
INSERT INTO organizations_epoch (kind, key, version, changed_at) VALUES (%s, %s, 1, clock_timestamp())
ON CONFLICT (kind, key) DO UPDATE SET version = organizations_epoch.version + 1, changed_at = clock_timestamp()
RETURNING version
"""
# statement_timestamp(), since with the volatile clock_timestamp() the index on changed_at cannot be used.
_POLL = """
SELECT kind, key, version FROM organizations_epoch WHERE changed_at > statement_timestamp() - make_interval(secs => %s)
"""


def bump(kind: str, key: object) -> None:
    """Tell every process that what it keeps for `key` is stale, once the current transaction commits.

    This process hears of it twice: now, so that the rest of the transaction reads its own writes, and on commit,
    since another thread may have read the old value in between."""
    if kind not in KINDS:
        raise ValueError(f"unknown kind of epoch: {kind}")
    text = str(key)
    with connection.cursor() as cursor:
        cursor.execute(_BUMP, [kind, text])
        (version,) = cursor.fetchone()
    notify(kind, text)
    transaction.on_commit(lambda: _committed(kind, text, version))


def _committed(kind: str, key: str, version: int) -> None:
    """Hear it, and not a third time from the poll: what was loaded since is fresh."""
    notify(kind, key)
    if _poller is not None:
        _poller.heard(kind, key, version)


def forget(keys: Iterable[str]) -> int:
    """Delete counters nobody will bump again; returns how many. Of their last change only those are sure to hear who
    have polled since, so let BLIND_AFTER pass after one that matters: who has not heard by then is blind, and drops
    everything anyway."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM organizations_epoch WHERE key = ANY(%s)", [list(keys)])
        return int(cursor.rowcount)


def on_change(kind: str, listener: Listener) -> None:
    """Call `listener(key)` when an epoch of `kind` changes; key "*" means: drop everything."""
    _listeners[kind].append(listener)


def notify(kind: str, key: str) -> None:
    """Call this process' listeners. One that fails is logged and does not keep the others from hearing."""
    for listener in list(_listeners[kind]):
        try:
            listener(key)
        except Exception as error:  # noqa: BLE001  a listener belongs to another room; all must hear
            logger.error("an epoch listener failed: %s", type(error).__name__)


class Poller:
    """Reads the epochs that changed lately and tells the listeners. One per process; see `start_polling`."""

    def __init__(self, interval: float = 1.0) -> None:
        self.interval = interval
        self.pid = os.getpid()
        self._seen: dict[tuple[str, str], int] = {}
        self._last_success = time.monotonic()
        self._weed_until = 0.0
        self._stopped = threading.Event()
        self._database: BaseDatabaseWrapper = connections[DEFAULT_DB_ALIAS]
        self._thread = threading.Thread(target=self._run, name="epochs", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(timeout=10)

    def heard(self, kind: str, key: str, version: int) -> None:
        """This process made that change itself and has told its listeners."""
        self._seen[kind, key] = max(version, self._seen.get((kind, key), 0))

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def is_fresh(self) -> bool:
        return self.is_alive and time.monotonic() - self._last_success <= BLIND_AFTER

    @property
    def is_prompt(self) -> bool:
        return self.is_alive and time.monotonic() - self._last_success <= PROMPT_FOR

    def poll(self) -> None:
        """One indexed query. Raises DatabaseError when the database does not answer."""
        asked = time.monotonic()  # what ends while the answer is on its way may not be in it
        with self._database.cursor() as cursor:
            cursor.execute(_POLL, [OVERLAP])
            rows = {(kind, key): version for kind, key, version in cursor.fetchall()}
        was_blind = time.monotonic() - self._last_success > BLIND_AFTER
        self._last_success = asked
        seen, self._seen = self._seen, rows
        changed = [name for name, version in rows.items() if version > seen.get(name, 0)]
        for kind, key in [(kind, "*") for kind in KINDS] if was_blind else changed:
            notify(kind, key)

    def _run(self) -> None:
        try:
            self._database = own_connection()
            while not self._stopped.wait(self.interval):
                self._poll_safely()
        finally:
            self._database.close()

    def _poll_safely(self) -> None:
        try:
            self._database.close_if_unusable_or_obsolete()
            self.poll()
            if time.monotonic() < self._weed_until:
                _weed_out_the_pool()
        except Exception as error:  # noqa: BLE001  a dead poller would leave revoked cards in RAM
            level = logging.WARNING if isinstance(error, DatabaseError) else logging.ERROR
            logger.log(level, "epochs could not be polled: %s", type(error).__name__)
            self._weed_until = time.monotonic() + WEED_FOR
            self._drop_connection()

    def _drop_connection(self) -> None:
        try:
            self._database.close()
        except Exception as error:  # noqa: BLE001  closing a broken connection may fail in any way
            logger.warning("a broken connection would not close: %s", type(error).__name__)


def own_connection() -> BaseDatabaseWrapper:
    """Outside the pool, and kept: while requests use up all of its connections, revocations are heard all the same."""
    shared = connections[DEFAULT_DB_ALIAS]
    options = {name: value for name, value in shared.settings_dict["OPTIONS"].items() if name != "pool"}
    return type(shared)(
        {**shared.settings_dict, "OPTIONS": options, "CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": False}, shared.alias
    )


def _weed_out_the_pool() -> None:
    """The database was away, so the pool's idle connections are dead too. It would find that out at a second for each,
    while requests wait for it in vain."""
    if pool := getattr(connections[DEFAULT_DB_ALIAS], "pool", None):
        pool.check()


_poller: Poller | None = None
_start = threading.Lock()


def start_polling(interval: float = 1.0) -> None:
    """Start this process' poller; again and again does no harm. A fork has no threads, so it starts its own."""
    global _poller
    with _start:
        if _poller is None or _poller.pid != os.getpid() or not _poller.is_alive:
            _poller = Poller(interval)
            _poller.start()


def is_fresh() -> bool:
    """Whether this process would hear of a change now."""
    return _poller is not None and _poller.is_fresh


def is_prompt() -> bool:
    """Whether the last look was so lately that what this process holds ended PROMPT_FOR seconds ago at the most."""
    return _poller is not None and _poller.is_prompt


def stop_polling() -> None:
    """End the poller and close its connection (tests, and a process that ends in good order)."""
    global _poller
    with _start:
        if _poller is not None and _poller.pid == os.getpid():
            _poller.stop()
        _poller = None


os.register_at_fork(after_in_child=lambda: globals().update(_start=threading.Lock(), _poller=None))
