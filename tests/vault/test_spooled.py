"""Answers that wait on a host's disk while the grant moves on, the keys change, and processes start (docs/vault.md 4
and 6; I2, V5, V14)."""

import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from django.db.models import F
from django.utils import timezone

from providers.base import Secret
from tests.servers import ROOT
from tests.vault import started
from tests.vault.conftest import Connected
from tests.vault.processes import environment
from tests.vault.rotating import Rotating
from vault import answers, grants, heartbeat, keys, renewal, rotation, spool, upkeep
from vault.models import Attempt, DataKey, Incident

pytestmark = [
    pytest.mark.django_db(databases=["default", "keys"], transaction=True),
    pytest.mark.usefixtures("judged"),
]
HOURS = timedelta(hours=2)


@pytest.fixture
def spooled(alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch) -> renewal.Begun:
    """Rotated at the provider; its answer is on this host's disk, and the host is down."""
    begun = renewal._begin(alice.connection.pk, alice.connection.generation)
    assert isinstance(begun, renewal.Begun)
    with monkeypatch.context() as patched:
        patched.setattr(answers, "keep", spool.write)
        renewal._carry_out(begun)
    return begun


def test_a_late_answer_is_ended_although_the_keys_were_changed_meanwhile(
    alice: Connected, provider: Rotating, spooled: renewal.Begun
) -> None:
    """V14: and nobody is told of an attack that was none."""
    late, row = provider.refresh_token, alice.again()
    tokens = {"access_token": Secret("fresh-access-token-1"), "refresh_token": Secret("fresh-refresh-token")}
    grants.store(row, grants.load(row).renewed(id=UUID(int=3), **tokens))
    rotation.new_data_keys()
    rotation.reseal()
    DataKey.objects.using("keys").update(created_at=F("created_at") - HOURS)
    Attempt.objects.update(started_at=F("started_at") - HOURS)
    assert rotation.retire() == 0
    keys.forget_all()
    upkeep.sweep()
    upkeep.finish_revocations()
    assert Attempt.objects.get().outcome == answers.REPLACED
    assert provider.revoked == [late]
    assert not Incident.objects.exists()
    assert rotation.retire() == 1


@pytest.mark.oracle(reuses=0)
def test_one_that_is_too_old_is_deleted_unread(alice: Connected, provider: Rotating, spooled: renewal.Begun) -> None:
    """Its key may be gone by then, so that it could only be taken for one that somebody has changed."""
    Attempt.objects.update(started_at=timezone.now() - answers.SPOOLED)
    assert answers.import_spool() == 0
    assert list(spool.waiting()) == []
    assert Attempt.objects.get().sealed_answer is None


def test_a_process_that_starts_takes_over_what_waits(
    alice: Connected, provider: Rotating, spooled: renewal.Begun
) -> None:
    """V5 (docs/vault.md 6): before anybody asks, and before the first sweep."""
    folder = str(spool.folder())
    command = [sys.executable, "-m", "tests.vault.living"]
    with subprocess.Popen(command, cwd=ROOT, env=environment(VAULT_SPOOL_DIR=folder)) as started:
        try:
            until = time.monotonic() + 60
            while Attempt.objects.get().sealed_answer is None and time.monotonic() < until:
                time.sleep(0.1)
            assert started.poll() is None
        finally:
            started.kill()
    assert Attempt.objects.get().sealed_answer is not None
    assert list(spool.waiting()) == []
    upkeep.sweep()
    assert Attempt.objects.get().outcome == answers.RENEWED


def test_a_web_process_that_nobody_asks_takes_over_what_waits(
    alice: Connected, provider: Rotating, tmp_path: Path
) -> None:
    """V5: a host that runs web processes alone, or whose worker is not the one that sweeps. Its database came back
    after it had started; no other host can see that file."""
    with started.web(provider, tmp_path):
        begun = renewal._begin(alice.connection.pk, alice.connection.generation)
        assert isinstance(begun, renewal.Begun)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(spool, "folder", lambda: tmp_path / "spool")
            patched.setattr(answers, "keep", spool.write)
            renewal._carry_out(begun)
            assert len(list(spool.waiting())) == 1
        until = time.monotonic() + 2 * heartbeat.EVERY
        while Attempt.objects.get().sealed_answer is None and time.monotonic() < until:
            time.sleep(0.1)
    assert Attempt.objects.get().sealed_answer is not None
    assert not list((tmp_path / "spool").glob("*.sealed"))
    upkeep.sweep()
    assert Attempt.objects.get().outcome == answers.RENEWED


def test_what_cannot_be_taken_over_stops_neither_start_nor_sweep(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By its type's name only: what it says may quote what it met."""

    def refuse() -> int:
        raise PermissionError(13, os.strerror(13), str(Path("/a/secret/place")))

    monkeypatch.setattr(answers, "import_spool", refuse)
    upkeep.import_spool()
    assert [each.message for each in caplog.records] == ["some upkeep failed: PermissionError"]
