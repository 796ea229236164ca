"""Epochs: what changes in one process is dropped in every other one, within a second or two."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, suppress
from functools import partial

import psycopg
import pytest
from django.db import DatabaseError, connection, connections, transaction
from psycopg_pool import ConnectionPool, PoolTimeout

from organizations import epochs
from organizations.models import Epoch

Heard = list[tuple[str, str]]


def _note(told: Heard, kind: str, key: str) -> None:
    told.append((kind, key))


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    """What the listeners of this process were told."""
    told: Heard = []
    listeners: dict[str, list[epochs.Listener]] = {kind: [] for kind in epochs.KINDS}
    monkeypatch.setattr(epochs, "_listeners", listeners)
    for kind in epochs.KINDS:
        epochs.on_change(kind, partial(_note, told, kind))
    return told


@pytest.fixture
def polling() -> Generator[None]:
    epochs.start_polling(interval=0.05)
    yield
    epochs.stop_polling()


def wait_until(condition: Callable[[], bool]) -> float:
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < 30
        time.sleep(0.01)
    return time.monotonic() - started


def bump_elsewhere(kind: str, key: str) -> None:
    """As another process does: the row changes, and this process' listeners are not called."""
    with connection.cursor() as cursor:
        cursor.execute(epochs._BUMP, [kind, key])


@pytest.mark.django_db
def test_a_bump_is_heard_here_at_once_and_counted(heard: Heard) -> None:
    epochs.bump("member", "m1")
    epochs.bump("member", "m1")
    assert heard == [("member", "m1")] * 2
    assert Epoch.objects.get(kind="member", key="m1").version == 2
    with pytest.raises(ValueError, match="unknown kind"):
        epochs.bump("colour", "red")


@pytest.mark.django_db(transaction=True)
def test_a_bump_is_heard_again_on_commit(heard: Heard) -> None:
    """Between the two another thread may have read what was not yet committed away."""
    with transaction.atomic():
        epochs.bump("token", "m1")
        assert len(heard) == 1
    assert len(heard) == 2


@pytest.mark.django_db
def test_a_listener_that_fails_does_not_deafen_the_others(heard: Heard) -> None:
    def broken(key: str) -> None:
        raise RuntimeError(key)

    epochs._listeners["member"].insert(0, broken)
    epochs.notify("member", "m1")
    assert heard == [("member", "m1")]


@pytest.mark.django_db(transaction=True)
def test_another_process_is_heard_within_a_second(heard: Heard, polling: None) -> None:
    bump_elsewhere("connection", "c1")
    committed = time.monotonic()
    wait_until(lambda: ("connection", "c1") in heard)
    assert time.monotonic() - committed < 1
    bump_elsewhere("connection", "c1")
    wait_until(lambda: heard.count(("connection", "c1")) == 2)


@pytest.mark.django_db(transaction=True)
def test_an_unchanged_epoch_is_told_once(heard: Heard, polling: None) -> None:
    bump_elsewhere("member", "m1")
    wait_until(lambda: bool(heard))
    time.sleep(0.3)
    assert heard == [("member", "m1")]


@pytest.mark.django_db(transaction=True)
def test_a_late_commit_is_not_missed(heard: Heard, polling: None) -> None:
    """The row carries the time of its statement; polls in between have already gone past it."""
    with transaction.atomic():
        bump_elsewhere("member", "late")
        time.sleep(0.3)
        assert heard == []
    wait_until(lambda: heard == [("member", "late")])


@pytest.mark.django_db
def test_after_blindness_everything_is_dropped(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    poller = epochs.Poller()
    poller.poll()
    now = time.monotonic()
    monkeypatch.setattr("organizations.epochs.time.monotonic", lambda: now + epochs.BLIND_AFTER + 1)
    poller.poll()
    assert heard == [(kind, "*") for kind in epochs.KINDS]
    poller.poll()
    assert len(heard) == len(epochs.KINDS)


@pytest.mark.django_db
def test_a_poll_is_one_indexed_query(heard: Heard) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO organizations_epoch (kind, key, version, changed_at) "
            "SELECT 'member', n::text, 1, now() - interval '1 day' FROM generate_series(1, 20000) n"
        )
        cursor.execute("ANALYZE organizations_epoch")
        cursor.execute(f"EXPLAIN {epochs._POLL}", [epochs.OVERLAP])
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Index" in plan
    assert "Seq Scan" not in plan


@pytest.mark.django_db(transaction=True)
def test_the_poller_survives_a_lost_connection(heard: Heard, polling: None) -> None:
    bump_elsewhere("member", "before")
    wait_until(lambda: ("member", "before") in heard)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND datname = current_database() AND backend_type = 'client backend'"
        )
    bump_elsewhere("member", "after")
    wait_until(lambda: ("member", "after") in heard)
    assert epochs._poller is not None
    assert epochs._poller.is_alive


@pytest.mark.django_db(transaction=True)
def test_after_a_restart_of_the_database_requests_find_living_connections(polling: None) -> None:
    """FT12: the pool is full of dead connections; the poll notices and has them replaced within ten seconds."""
    pool = connection.pool  # type: ignore[attr-defined]  # Django's PostgreSQL backend has one
    hold_at_once(pool, 10, patience=10)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND datname = current_database() AND backend_type = 'client backend'"
        )
    connection.close()
    hold_at_once(pool, 10, patience=10)


def hold_at_once(pool: ConnectionPool, count: int, patience: float) -> None:
    """Take `count` living connections together, within `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        try:
            with ExitStack() as held:
                for _ in range(count):
                    held.enter_context(pool.connection(timeout=1)).execute("SELECT 1")
            return
        except (PoolTimeout, psycopg.OperationalError):
            assert time.monotonic() < deadline


@pytest.mark.django_db(transaction=True)
def test_the_poller_survives_any_error(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    poller = epochs.Poller(interval=0.01)
    failures: list[type[Exception]] = [DatabaseError, RuntimeError, OSError, KeyError]

    def failing() -> None:
        if failures:
            raise failures.pop()
        heard.append(("polled", ""))

    monkeypatch.setattr(poller, "poll", failing)
    poller.start()
    wait_until(lambda: bool(heard))
    poller.stop()
    assert not poller.is_alive


@pytest.mark.django_db(transaction=True)
def test_the_poll_hears_while_requests_hold_every_connection_of_the_pool(heard: Heard) -> None:
    """Strangers' requests may use the pool up; a revocation must be heard all the same."""
    connection.ensure_connection()
    pool = connection.pool  # type: ignore[attr-defined]  # Django's PostgreSQL backend has one
    with ExitStack() as held:
        with suppress(PoolTimeout):
            while True:
                held.enter_context(pool.connection(timeout=0.5))
        epochs.start_polling(interval=0.05)
        try:
            bump_elsewhere("member", "m1")
            wait_until(lambda: ("member", "m1") in heard)
        finally:
            epochs.stop_polling()


@pytest.mark.django_db(transaction=True)
def test_stopping_ends_the_polls_own_connection(polling: None) -> None:
    def others() -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE %s"
                " AND pid <> pg_backend_pid()",
                ["%FROM organizations_epoch WHERE changed_at%"],
            )
            return int(cursor.fetchone()[0])

    wait_until(lambda: others() == 1)
    epochs.stop_polling()
    wait_until(lambda: others() == 0)


@pytest.mark.django_db(transaction=True)
def test_starting_twice_is_starting_once_and_a_fork_starts_its_own(polling: None) -> None:
    first = epochs._poller
    epochs.start_polling(interval=0.05)
    assert epochs._poller is first
    connections.close_all()
    child = os.fork()
    if child == 0:
        fresh = epochs._poller is None
        epochs.start_polling(interval=0.05)
        alive = epochs._poller is not None and epochs._poller.is_alive and epochs._poller is not first
        os._exit(0 if fresh and alive else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.django_db(transaction=True)
def test_a_second_process_revokes_and_this_one_hears(heard: Heard, polling: None) -> None:
    """The real thing: another Python process commits a bump through its own connection."""
    name = connection.settings_dict["NAME"]
    program = (
        "import django; django.setup()\n"
        "from django.db import connections\n"
        f"connections['default'].settings_dict['NAME'] = {name!r}\n"
        "from organizations import epochs; epochs.bump('member', 'from afar')\n"
    )
    subprocess.run(
        [sys.executable, "-c", program], check=True, env=os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings"}
    )
    wait_until(lambda: ("member", "from afar") in heard)
