"""A holder that is stopped while it renews, and hosts whose clocks jump (V6, V7): real processes, SIGSTOP, SIGCONT."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from providers.base import Secret
from providers.errors import NeedsReconnect
from tests.faults.oracle import Oracle
from tests.vault.conftest import Connected
from tests.vault.rotating import Rotating
from tests.vault.test_crashes import access, end_lease, start
from vault import answers, grants, upkeep
from vault.models import Attempt, DiscardedGrant, State
from vault.tokens import ConnectionTokens

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


@pytest.fixture
def paused(judged: Oracle, alice: Connected, provider: Rotating, tmp_path: Path) -> "subprocess.Popen[str]":
    """Stopped by the system after the provider has rotated, before the answer arrives; its lease has run out."""
    stopped = threading.Event()

    def stop() -> None:
        provider.meanwhile = lambda: None
        os.kill(process.pid, signal.SIGSTOP)
        stopped.set()

    provider.meanwhile = stop
    process = start(alice, provider, "never", tmp_path)
    assert stopped.wait(60)
    end_lease(alice)
    return process


def go_on(process: "subprocess.Popen[str]") -> tuple[int, str]:
    os.kill(process.pid, signal.SIGCONT)
    _, err = process.communicate(timeout=60)
    return process.returncode, err


def outcomes() -> set[str]:
    return set(Attempt.objects.values_list("outcome", flat=True))


def test_nobody_asked_meanwhile(paused: "subprocess.Popen[str]", alice: Connected, provider: Rotating) -> None:
    """V6, I2: the generation is unchanged, so the late answer is stored like any other."""
    assert go_on(paused)[0] == 0
    assert grants.load(alice.again()).access_token.reveal() == provider.access_token
    assert (alice.again().state, outcomes()) == (State.HEALTHY, {answers.RENEWED})
    assert (provider.refreshes, provider.reuses) == (1, 0)


@pytest.mark.oracle(reuses=1)
def test_the_next_one_ends_the_family(
    paused: "subprocess.Popen[str]", alice: Connected, provider: Rotating, judged: Oracle
) -> None:
    """V6, V3: unavoidable at a provider that punishes re-use; the late tokens are weighed, found dead, not adopted."""
    with pytest.raises(NeedsReconnect, match="interrupted"):
        ConnectionTokens(alice.connection.pk, "test").access(rejected=Secret(alice.grant.access_token.reveal()))
    code, err = go_on(paused)
    assert (code, "NeedsReconnect" in err) == (1, True)
    judged.read("standard error", err)
    assert alice.again().state == State.NEEDS_RECONNECT
    assert outcomes() == {answers.REFUSED, answers.REPLACED}
    assert (provider.refreshes, provider.reuses) == (2, 1)


@pytest.mark.oracle(reuses=1)
def test_the_late_answer_is_the_one_that_works(
    paused: "subprocess.Popen[str]", alice: Connected, provider: Rotating
) -> None:
    """V6, I2: someone else was refused meanwhile, wrongly or not; what the holder brings works, so it is adopted."""
    kept = (provider.alive, provider.refresh_token, provider.access_token)
    provider.instead, rotate = None, provider._rotate
    provider._refusal = lambda _: {"error": "invalid_grant"}  # type: ignore[method-assign,assignment]
    with pytest.raises(NeedsReconnect):
        ConnectionTokens(alice.connection.pk, "test").access(rejected=Secret(alice.grant.access_token.reveal()))
    assert alice.again().state == State.NEEDS_RECONNECT
    assert (provider.alive, provider.refresh_token, provider.access_token) == kept
    assert rotate == provider._rotate
    go_on(paused)
    assert alice.again().state == State.HEALTHY
    assert grants.load(alice.again()).access_token.reveal() == provider.access_token


@pytest.mark.oracle(reuses=1)
def test_late_tokens_that_nobody_can_use_any_more_are_ended(
    paused: "subprocess.Popen[str]", alice: Connected, provider: Rotating
) -> None:
    """V6, I2: given up meanwhile, and the late access token has run out: only its refresh token, which we alone have
    seen, keeps the grant alive at the provider."""
    provider._refusal = lambda _: {"error": "invalid_grant"}  # type: ignore[method-assign,assignment]
    with pytest.raises(NeedsReconnect):
        ConnectionTokens(alice.connection.pk, "test").access(rejected=Secret(alice.grant.access_token.reveal()))
    provider.access_token = "run out"
    go_on(paused)
    assert (alice.again().state, outcomes()) == (State.NEEDS_RECONNECT, {answers.REFUSED, answers.REPLACED})
    upkeep.finish_revocations()
    assert provider.revoked == [provider.refresh_token]
    assert not provider.alive
    assert not DiscardedGrant.objects.exists()
    assert alice.again().state == State.NEEDS_RECONNECT


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_clock_that_jumps_makes_no_second_holder(
    judged: Oracle, alice: Connected, provider: Rotating, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    """V7, V22, I1: another host holds the lease; ours believes that it is ten minutes later, or earlier, and waits."""
    provider.delay = 2.0
    process = start(alice, provider, "never", tmp_path)
    until = time.monotonic() + 60
    while alice.again().state != State.REFRESHING:
        assert time.monotonic() < until
        time.sleep(0.02)
    _jump(monkeypatch, minutes)
    assert access(alice, alice.grant.access_token.reveal()) == provider.access_token
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert (provider.refreshes, provider.reuses) == (1, 0)
    assert alice.again().state == State.HEALTHY


def _jump(monkeypatch: pytest.MonkeyPatch, minutes: int) -> None:
    """This process' wall clock, as Python and Django read it; the database's stays."""
    now: Callable[[], float] = time.time
    django_now = timezone.now
    monkeypatch.setattr(time, "time", lambda: now() + minutes * 60)
    monkeypatch.setattr(timezone, "now", lambda: django_now() + timedelta(minutes=minutes))
