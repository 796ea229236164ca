"""An answer is kept in time: in the database, or on this host's disk until that has it (docs/vault.md 6, V5)."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from django.db import InterfaceError, OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone
from pytest_django import Settings

from providers.errors import Transient
from tests.vault.conftest import Connected
from tests.vault.kept import again, an_attempt
from tests.vault.rotating import Rotating
from vault import answers, patience, spool, underway
from vault.models import Attempt

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


@pytest.fixture(autouse=True)
def by_the_oracle() -> None:
    """Not here: not every blob in these rows opens."""


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The database takes no answer; when it was asked to. Each time anew, and no connection is kept."""
    found, used = list[float](), list[BaseDatabaseWrapper]()

    def away(*_: object) -> None:
        connections["default"].ensure_connection()
        used.append(connections["default"])
        found.append(time.monotonic())
        raise OperationalError

    monkeypatch.setattr(answers, "_commit", away)
    yield found
    assert [each.connection for each in used] == [None] * len(found)


def test_a_database_that_is_away_is_tried_for_as_long_as_we_are_patient(
    alice: Connected, provider: Rotating, tries: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """V5: then it waits on disk, sealed, until somebody imports it."""
    assert answers.PATIENCE == 30.0
    monkeypatch.setattr(answers, "PATIENCE", 1.1)
    attempt_id, began = uuid4(), time.monotonic()
    with pytest.raises(Transient) as caught:
        answers.keep(attempt_id, b"sealed")
    assert 1.1 <= time.monotonic() - began < 8.0
    assert 2 <= len(tries) <= 5
    assert all(later - earlier >= 0.25 for earlier, later in pairwise(tries))
    assert caught.value.retry_after == 10.0
    assert list(spool.waiting()) == [(attempt_id, b"sealed")]


def test_a_database_that_comes_back_in_time_has_the_answer(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt, commit, tries = an_attempt(alice), answers._commit, iter([OperationalError(), InterfaceError()])

    def at_last(attempt_id: UUID, blob: bytes) -> None:
        for error in tries:
            raise error
        commit(attempt_id, blob)

    monkeypatch.setattr(answers, "_commit", at_last)
    answers.keep(attempt.id, b"sealed")
    assert bytes(again(attempt).sealed_answer or b"") == b"sealed"
    assert list(spool.waiting()) == []


@contextmanager
def stuck(attempt: Attempt) -> Iterator[None]:
    """Whoever writes this row hears nothing, for as long as the block lasts."""
    with transaction.atomic():
        Attempt.objects.select_for_update().get(pk=attempt.pk)
        yield


@pytest.mark.parametrize(("is_closing", "seconds"), [(False, 1.0), (True, 0.3)])
def test_a_commit_that_hangs_is_not_waited_for(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch, is_closing: bool, seconds: float
) -> None:
    """V5, V24: neither the lease nor a deployment waits for it. What it brings about later is done once."""
    attempt, began = an_attempt(alice), time.monotonic()
    monkeypatch.setattr(answers, "PATIENCE", 1.0)
    monkeypatch.setattr(patience, "GRACE", 0.3)
    monkeypatch.setattr(underway.renewals, "_is_closing", is_closing)
    with stuck(attempt), pytest.raises(Transient):
        answers.keep(attempt.id, b"sealed")
    assert seconds <= time.monotonic() - began < seconds + 5
    assert list(spool.waiting()) == [(attempt.id, b"sealed")]
    while again(attempt).sealed_answer is None and time.monotonic() < began + 10:
        time.sleep(0.05)
    answers.close(attempt, answers.RENEWED)
    assert answers.import_spool() == 1
    assert (again(attempt).outcome, again(attempt).sealed_answer) == (answers.RENEWED, None)


def test_a_commit_under_way_is_let_end_before_the_process_does(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V24: a disk that goes with its host is the worse place."""
    attempt, commit = an_attempt(alice), answers._commit
    monkeypatch.setattr(underway.renewals, "_is_closing", True)

    def slow(attempt_id: UUID, blob: bytes) -> None:
        time.sleep(0.6)
        commit(attempt_id, blob)

    monkeypatch.setattr(answers, "_commit", slow)
    answers.keep(attempt.id, b"sealed")
    assert again(attempt).sealed_answer is not None
    assert list(spool.waiting()) == []


def test_an_answer_is_kept_on_disk_where_no_thread_is_to_be_had(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    attempt = an_attempt(alice)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(Transient):
        answers.keep(attempt.id, b"sealed")
    assert list(spool.waiting()) == [(attempt.id, b"sealed")]


def test_a_mistake_of_ours_is_no_trouble_of_the_database(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*_: object) -> None:
        raise TypeError("ours")

    monkeypatch.setattr(answers, "_commit", wrong)
    with pytest.raises(TypeError, match="ours"):
        answers.keep(uuid4(), b"sealed")


def test_an_answer_that_can_be_kept_nowhere_is_told(
    alice: Connected,
    provider: Rotating,
    tries: list[float],
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Who asked is told to come back, and the log says why; not what the disk said, nor where."""
    (tmp_path / "a file").touch()
    settings.VAULT_SPOOL_DIR = tmp_path / "a file" / "spool"
    monkeypatch.setattr(answers, "PATIENCE", 0.1)
    attempt_id = uuid4()
    with pytest.raises(Transient):
        answers.keep(attempt_id, b"sealed")
    told = f"the answer of attempt {attempt_id} could not be kept on disk either: NotADirectoryError"
    assert [each.message for each in caplog.records] == [told]


def test_what_waits_on_disk_is_taken_over(alice: Connected, provider: Rotating) -> None:
    found = [an_attempt(alice, ended_at=timezone.now(), outcome=answers.UNKNOWN) for _ in range(3)]
    assert answers.import_spool() == 0
    for attempt in found[:2]:
        spool.write(attempt.id, b"sealed")
    assert answers.import_spool() == 2
    assert [bytes(again(each).sealed_answer or b"") for each in found] == [b"sealed", b"sealed", b""]
    assert list(spool.waiting()) == []


def test_what_this_database_does_not_know_stays_on_disk(
    alice: Connected, provider: Rotating, caplog: pytest.LogCaptureFixture
) -> None:
    """V5, V20: it is another database, or an older one, and that will be mended. Said once, and asked about seldom."""
    attempt, unknown, old = an_attempt(alice), uuid4(), uuid4()
    for each in (attempt.id, unknown, old):
        spool.write(each, b"sealed")
    week_ago = time.time() - answers.SPOOLED.total_seconds()
    os.utime(spool.folder() / f"{old}.sealed", (week_ago, week_ago))
    assert (answers.import_spool(), answers.import_spool()) == (1, 0)
    assert list(spool.waiting()) == [(unknown, b"sealed")]
    assert {each.message for each in caplog.records} == {
        f"the answer of attempt {unknown} waits on a disk, and this database knows no such attempt",
        f"the answer of attempt {old} has waited on a disk for too long: deleted",
    }
    assert len(caplog.records) == 2
    late = Attempt.objects.create(pk=unknown, connection=alice.again(), grant_id=alice.grant.id, generation=1)
    assert answers.import_spool() == 0
    answers._unknown.clear()  # a minute later
    assert answers.import_spool() == 1
    assert again(late).sealed_answer is not None
    assert list(spool.waiting()) == []
