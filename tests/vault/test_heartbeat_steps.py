"""One process' heartbeat by itself: what it writes and forgets, what it survives, and what it holds while it does."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import OperationalError, connections
from django.db.models.functions import Now

from providers.errors import Transient
from vault import heartbeat, holders, keys, upkeep
from vault.errors import KekUnusable
from vault.heartbeat import Heartbeat
from vault.models import LiveProcess

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)

Made = Callable[..., Heartbeat]


@pytest.fixture
def make() -> Iterator[Made]:
    """Heartbeats that are stopped at the end."""
    made: list[Heartbeat] = []

    def new(role: str = "web", interval: float = 60.0) -> Heartbeat:
        made.append(Heartbeat(role, interval))
        return made[-1]

    yield new
    for each in made:
        each._stopped.set()
        if each.is_alive:
            each._thread.join(10)
        each._close()


@pytest.fixture(autouse=True)
def none_yet() -> Iterator[None]:
    heartbeat.stop()
    yield
    heartbeat.stop()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def proving(monkeypatch: pytest.MonkeyPatch, answer: Callable[[], tuple[tuple[str, ...], set[str], str]]) -> None:
    monkeypatch.setattr(keys, "prove", lambda *_: answer())


def fine() -> tuple[tuple[str, ...], set[str], str]:
    return ("a", "b"), {"a"}, ""


def test_the_row_says_who_it_is_what_it_holds_and_since_when(make: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """For an operator's eyes; a long host name does not break it. By the database's clock."""
    monkeypatch.setattr(socket, "gethostname", lambda: "h" * 200)
    proving(monkeypatch, fine)
    first, second = make("worker"), make("web")
    for each in (first, second):
        each.beat()
    row = LiveProcess.objects.annotate(now=Now()).get(pk=first.id)
    assert row.name == f"worker {'h' * 80}:{os.getpid()}"
    assert row.kek_ids == ["a", "b"]
    assert row.started_at <= row.seen_at <= row.now
    proving(monkeypatch, lambda: (("c",), set(), ""))
    second.beat()
    again = LiveProcess.objects.get(pk=second.id)
    assert (again.kek_ids, LiveProcess.objects.count()) == (["c"], 2)
    assert again.started_at < again.seen_at
    assert LiveProcess.objects.get(pk=first.id).seen_at == row.seen_at


def test_who_died_is_forgotten_after_an_hour(make: Made) -> None:
    """A row that nobody takes away, since its process was killed."""
    old, young = uuid4(), uuid4()
    for pk, ago in ((old, 3_601), (young, 3_500)):
        LiveProcess.objects.create(pk=pk, name="x", started_at=Now(), seen_at=Now())
        LiveProcess.objects.filter(pk=pk).update(seen_at=Now() - timedelta(seconds=ago))
    mine = make()
    mine.beat()
    assert set(LiveProcess.objects.values_list("pk", flat=True)) == {young, mine.id}


def test_it_is_ready_after_a_beat_and_for_as_long_as_others_take_it_for_alive(
    make: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V16. Not before the first, also where the machine has only just started."""
    mine = make()
    assert (mine.trouble, mine.is_ready) == ("", False)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: 30.0)  # seconds since the machine started
    assert mine.is_ready is False
    monkeypatch.undo()
    mine.beat()
    assert mine.is_ready is True
    assert now <= mine._last_success <= time.monotonic()
    mine._last_success -= holders.ALIVE.total_seconds() - 1
    assert mine.is_ready
    mine._last_success -= 2
    assert not mine.is_ready


def test_trouble_is_said_once_and_ends(
    make: Made, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Every ten seconds the same line would bury what else is logged."""
    mine, trouble = make(), "Key 'b' is not held."
    proving(monkeypatch, lambda: (("a",), set(), trouble))
    for _ in range(3):
        mine.beat()
    assert (mine.trouble, mine.is_ready) == (trouble, False)
    assert caplog.messages == [f"this process is not ready: {trouble}"]
    assert LiveProcess.objects.get().kek_ids == ["a"], "what it does hold counts"
    proving(monkeypatch, fine)
    mine.beat()
    assert (mine.trouble, mine.is_ready, len(caplog.messages)) == ("", True, 1)


def test_a_key_service_that_is_away_changes_no_verdict(make: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """V9's rule: what was ready stays so, what was not does not become it."""

    def away() -> tuple[tuple[str, ...], set[str], str]:
        raise Transient("The key service could not be reached.")

    mine = make()
    proving(monkeypatch, fine)
    mine.beat()
    proving(monkeypatch, away)
    mine.beat()
    assert (mine.trouble, mine.is_ready) == ("", True)
    assert LiveProcess.objects.get().kek_ids == ["a", "b"]
    proving(monkeypatch, lambda: ((), set(), "Lost."))
    mine.beat()
    proving(monkeypatch, away)
    mine.beat()
    assert (mine.trouble, mine.is_ready) == ("Lost.", False)


def test_a_key_that_cannot_be_used_is_trouble_in_words(make: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    def unusable() -> tuple[tuple[str, ...], set[str], str]:
        raise KekUnusable("VAULT_KEK is not set.")

    mine = make()
    proving(monkeypatch, unusable)
    mine.beat()
    assert (mine.trouble, mine.is_ready) == ("VAULT_KEK is not set.", False)


def test_no_pooled_connection_is_held_between_beats(make: Made) -> None:
    """It looks at the key store through the pool that requests live from."""
    mine = make()
    mine.beat()
    assert [connections[alias].connection for alias in ("default", "keys")] == [None, None]
    LiveProcess.objects.count()
    heartbeat._take_over()
    assert [connections[alias].connection for alias in ("default", "keys")] == [None, None]


def test_a_database_that_is_away_stops_no_heart(
    make: Made, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The connection is thrown away, and the next beat opens another. Other trouble is worse than a database away."""
    mine = make(interval=0.05)
    mine.start()
    own, levels = mine._connection, list[int]()
    failing: list[type[Exception]] = [OperationalError, RuntimeError]

    def breaking():  # type: ignore[no-untyped-def]
        if failing:
            raise failing.pop(0)
        return own()

    monkeypatch.setattr(mine, "_connection", breaking)
    until(lambda: not failing)
    before = LiveProcess.objects.get().seen_at
    until(lambda: LiveProcess.objects.get().seen_at > before)
    levels = [each.levelno for each in caplog.records if "heartbeat could not be written" in each.getMessage()]
    assert levels == [logging.WARNING, logging.ERROR]
    assert mine.is_alive


def test_what_waits_on_the_disk_is_left_while_the_database_is_away(
    make: Made, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """V5: taken over at each beat that was written; otherwise the log has one line for the outage, not two."""
    mine, told = make(interval=0.05), list[str]()

    def away() -> None:
        told.append("beat")
        raise OperationalError

    monkeypatch.setattr(mine, "beat", away)
    monkeypatch.setattr(upkeep, "import_spool", lambda: told.append("disk"))
    mine.start()
    until(lambda: len(told) > 2)
    assert set(told) == {"beat"}
    monkeypatch.setattr(mine, "beat", lambda: told.append("written"))
    until(lambda: told.count("disk") > 1)
    assert told[told.index("written") :][:4] == ["written", "disk"] * 2


def test_a_broken_connection_is_replaced(make: Made) -> None:
    mine = make()
    mine.beat()
    first = mine._database
    assert first is not None
    assert first is mine._connection()
    first.close()
    mine._close()
    assert mine._database is None
    mine.beat()
    assert mine._database is not None
    assert mine._database is not first


def test_a_connection_that_the_server_ended_is_noticed(make: Made) -> None:
    """PostgreSQL was restarted between two beats: one of them is lost at most."""
    mine = make()
    mine.beat()
    assert mine._database is not None
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [mine._database.connection.info.backend_pid])
    mine._beat_safely()
    seen = LiveProcess.objects.get().seen_at
    mine._beat_safely()
    assert LiveProcess.objects.get().seen_at > seen


def test_a_beat_that_fails_starts_anew_with_another_connection(make: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was wrong with the one it had."""
    mine = make()
    mine.beat()
    had = mine._database
    monkeypatch.setattr(heartbeat, "_BEAT", "SELECT 1 / 0 -- %s %s %s")
    mine._beat_safely()
    assert had is not None
    assert (mine._database, had.connection) == (None, None)


def test_the_thread_has_a_connection_of_its_own_and_gives_it_back(make: Made) -> None:
    """The first beat is over before the first request; its connection belongs to the thread that made it."""
    mine = make(interval=0.05)
    mine.start()
    seen = LiveProcess.objects.get().seen_at
    until(lambda: LiveProcess.objects.get().seen_at > seen)
    thread = next(each for each in threading.enumerate() if each.name == "heartbeat")
    assert (thread.daemon, mine.is_alive) == (True, True)
    used = mine._database
    assert used is not None
    mine.stop()
    assert not mine.is_alive
    assert not LiveProcess.objects.exists()
    assert mine._database is None
    assert used.connection is None, "closed, not left to the garbage collector"


def test_a_thread_that_does_not_end_holds_up_no_end(make: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, waits = make(), list[float | None]()
    mine.start()
    assert mine._database is None, "the thread makes its own"
    monkeypatch.setattr(mine._thread, "join", lambda timeout=None: waits.append(timeout))
    mine.stop()
    monkeypatch.undo()
    assert waits == [10]


def test_a_row_that_cannot_be_taken_away_holds_up_no_end(make: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = make()
    mine.start()

    def away() -> None:
        raise OperationalError

    monkeypatch.setattr(mine, "_connection", away)
    mine.stop()
    assert not mine.is_alive
    assert LiveProcess.objects.exists()


def test_started_again_and_again_there_is_one() -> None:
    heartbeat.start("web", 60)
    first = heartbeat._heartbeat
    heartbeat.start("web", 60)
    assert heartbeat._heartbeat is first
    assert first is not None
    assert heartbeat.is_ready() is True
    first._stopped.set()
    first._thread.join(10)
    assert heartbeat.is_ready() is False
    heartbeat.start("worker", 60)
    assert heartbeat._heartbeat is not first
    assert heartbeat.is_ready() is True


def test_a_fork_starts_its_own_and_leaves_its_parents_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    heartbeat.start("web", 60)
    parents = heartbeat._heartbeat
    assert parents is not None
    monkeypatch.setattr(parents, "pid", parents.pid + 1)
    heartbeat.stop()
    assert parents.is_alive
    monkeypatch.setattr(heartbeat, "_heartbeat", parents)
    heartbeat.start("web", 60)
    assert heartbeat._heartbeat is not parents
    parents.stop()


def test_every_ten_seconds() -> None:
    """A sixth of what a process is taken for dead after."""
    assert Heartbeat("web").interval == 10.0
    assert holders.ALIVE.total_seconds() == 60
