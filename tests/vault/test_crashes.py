"""Killed at the worst moments of a renewal, for real: kill -9, another process goes on (C13, V2 to V5, I2, I4)."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from django.conf import settings as live
from django.utils import timezone

from organizations.privacy.shapes import shapes_of
from providers.errors import NeedsReconnect, Transient
from tests.faults import evidence
from tests.servers import GIVEN
from tests.vault.conftest import Connected
from tests.vault.frozen import freezer
from tests.vault.rotating import Rotating
from vault import answers, grants
from vault.models import Attempt, Connection, State
from vault.tokens import ConnectionTokens

pytestmark = [
    pytest.mark.django_db(databases=["default", "keys"], transaction=True),
    pytest.mark.usefixtures("judged"),
]


def _url(alias: str) -> str:
    found = live.DATABASES[alias]
    user = quote(str(found["USER"])) + (f":{quote(str(found['PASSWORD']))}" if found["PASSWORD"] else "")
    host, port = quote(str(found["HOST"]), safe=""), found["PORT"]
    return f"postgres://{user}@{'localhost' if '%2F' in host else host}:{port}/{found['NAME']}" + (
        f"?host={host}" if "%2F" in host else ""
    )


def start(alice: Connected, provider: Rotating, moment: str, folder: Path) -> "subprocess.Popen[str]":
    """Our product in a process of its own, on the databases of this test."""
    environment = {
        **os.environ,
        "DATABASE_URL": _url("default"),
        "KEY_STORE_URL": _url("keys"),
        "SALESFORCE_ORIGINS": provider.server.url,
        "OUTBOUND_CA_BUNDLE": str(provider.server.ca),
        "SALESFORCE_CLIENT_ID": "client",
        "SALESFORCE_CLIENT_SECRET": "client-secret",
        "SPOOL": str(folder / "spool"),
        "REJECTED": provider.access_token,
    }
    command = [sys.executable, "-m", "tests.vault.dying", str(alice.connection.pk), moment]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=live.BASE_DIR
    )


def end_lease(alice: Connected) -> None:
    """As if its time had passed."""
    Connection.objects.filter(pk=alice.connection.pk).update(lease_until=timezone.now(), retry_at=None)


def access(alice: Connected, old: str) -> str:
    source = ConnectionTokens(alice.connection.pk, "test")
    token = source.access().token
    return (source.access(rejected=token) if token.reveal() == old else source.access()).token.reveal()


def test_another_process_renews_and_ours_finds_it(alice: Connected, provider: Rotating, tmp_path: Path) -> None:
    """The undisturbed case, so that the others prove something."""
    old = provider.access_token
    process = start(alice, provider, "never", tmp_path)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out.strip()) == (0, "2"), err
    assert access(alice, old) == provider.access_token
    assert (provider.refreshes, provider.reuses) == (1, 0)


def test_four_processes_make_one_call(alice: Connected, provider: Rotating, tmp_path: Path) -> None:
    """V1, I1, I3: all with the same refused token, while the provider takes its time."""
    provider.delay = 2.0
    processes = [start(alice, provider, "never", tmp_path) for _ in range(4)]
    ends = [process.communicate(timeout=60) for process in processes]
    assert [(process.returncode, out) for process, (out, _) in zip(processes, ends, strict=True)] == [(0, "2")] * 4
    assert (provider.refreshes, provider.reuses) == (1, 0)


def test_killed_after_the_raw_answer_was_kept(alice: Connected, provider: Rotating, tmp_path: Path) -> None:
    """I2: what Salesforce has returned is never lost; the next access understands it. No second call."""
    old = provider.access_token
    process = start(alice, provider, "kept", tmp_path)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert Attempt.objects.get().sealed_answer is not None
    assert provider.refresh_token.encode() not in bytes(Attempt.objects.get().sealed_answer or b"")
    assert access(alice, old) == provider.access_token
    assert (provider.refreshes, provider.reuses) == (1, 0)
    assert Attempt.objects.get().sealed_answer is None
    assert alice.again().state == State.HEALTHY


@pytest.mark.oracle(reuses=1)
def test_killed_between_rotation_and_answer(alice: Connected, provider: Rotating, tmp_path: Path) -> None:
    """V3, the case: rotated there, unknown here. One more try once the lease is over, then the truth is told."""
    old = provider.access_token
    process = start(alice, provider, "never", tmp_path)
    provider.meanwhile = process.kill
    process.communicate(timeout=60)
    provider.meanwhile = lambda: None
    assert process.returncode == -signal.SIGKILL
    assert alice.again().state == State.REFRESHING
    assert ConnectionTokens(alice.connection.pk, "test").access().token.reveal() == old, "used to its end"
    end_lease(alice)
    with pytest.raises(NeedsReconnect, match="interrupted"):
        access(alice, old)
    assert provider.refreshes == 2
    assert alice.again().state == State.NEEDS_RECONNECT


def test_a_dead_holder_keeps_nobody_out_for_longer_than_its_lease(
    alice: Connected, provider: Rotating, tmp_path: Path
) -> None:
    """V2: killed before Salesforce heard anything (its refresh token stays good)."""
    old, kept = provider.access_token, provider.refresh_token
    process = start(alice, provider, "never", tmp_path)
    provider.meanwhile = process.kill
    process.communicate(timeout=60)
    provider.meanwhile, provider.refresh_token = (lambda: None), kept
    end_lease(alice)
    assert access(alice, old) == provider.access_token
    assert alice.again().state == State.HEALTHY


def test_the_database_away_at_the_answer(alice: Connected, provider: Rotating, tmp_path: Path) -> None:
    """V5, I4: the sealed answer waits on disk, as ciphertext, and the next access takes it over."""
    old = provider.access_token
    process = start(alice, provider, "database", tmp_path)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert Transient.__name__ in err
    waiting = list((tmp_path / "spool").iterdir())
    assert [path.suffix for path in waiting] == [".sealed"]
    assert waiting[0].stat().st_mode & 0o077 == 0
    for secret in (provider.access_token, provider.refresh_token):
        assert secret.encode() not in waiting[0].read_bytes()
        assert secret not in err
    end_lease(alice)
    assert access(alice, old) == provider.access_token
    assert list((tmp_path / "spool").iterdir()) == []
    assert (provider.refreshes, provider.reuses) == (1, 0)


@pytest.mark.skipif("DATABASE_URL" in GIVEN, reason="a server that was given is not ours to stop")
def test_the_database_stops_at_the_answer(alice: Connected, provider: Rotating, tmp_path: Path) -> None:
    """V5, I2, I3: it is there and answers nothing, not even with an error; nobody waits for it beyond his patience,
    and nobody presents the used-up token afterwards."""
    old = provider.access_token
    with freezer() as postgres:
        process = start(alice, provider, "frozen", tmp_path)
        provider.meanwhile = postgres.stop
        _, err = process.communicate(timeout=60)
        waiting = [path.suffix for path in (tmp_path / "spool").iterdir()]
    provider.meanwhile = lambda: None
    assert (process.returncode, waiting) == (1, [".sealed"])
    assert Transient.__name__ in err
    end_lease(alice)
    assert access(alice, old) == provider.access_token
    assert list((tmp_path / "spool").iterdir()) == []
    assert (provider.refreshes, provider.reuses) == (1, 0)


def test_no_table_holds_a_token(alice: Connected, provider: Rotating) -> None:
    """C22, I4: every column of every table, raw, base64, hex; after leases, renewals and a refusal."""
    for _ in range(3):
        access(alice, provider.access_token)
    keep = grants.load(alice.again())
    answers.keep(
        Attempt.objects.create(connection=alice.connection, grant_id=keep.id, generation=99).pk, b"not a token"
    )
    provider.alive = False
    with pytest.raises(NeedsReconnect):
        access(alice, provider.access_token)
    dump = evidence.dump("default")
    assert len(dump) > 3_000
    for token in provider.issued:
        for shape in shapes_of(token.partition(".")[2]):
            assert shape not in dump
