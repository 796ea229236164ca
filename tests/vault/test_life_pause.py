"""A process that is stopped in the middle of a renewal, for real (SIGSTOP), and goes on when its lease is over (V6)."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from providers.errors import NeedsReconnect
from tests.vault.conftest import Connected
from tests.vault.rotating import Rotating
from tests.vault.test_crashes import access, end_lease, start
from vault import grants, incidents
from vault.models import Attempt, Incident, State

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


class Paused:
    """A process of ours that stands still between the provider's answer and its own reading of it."""

    def __init__(self, alice: Connected, provider: Rotating, folder: Path) -> None:
        stopped = threading.Event()

        def stop() -> None:
            provider.meanwhile = lambda: None
            self.process.send_signal(signal.SIGSTOP)
            stopped.set()

        provider.meanwhile = stop
        self.process = start(alice, provider, "never", folder)
        assert stopped.wait(60), "it never asked"
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)

    def go_on(self) -> tuple[str, str]:
        self.process.send_signal(signal.SIGCONT)
        return self.process.communicate(timeout=60)


@pytest.fixture
def paused(alice: Connected, provider: Rotating, tmp_path: Path) -> Iterator[Paused]:
    found = Paused(alice, provider, tmp_path)
    yield found
    if found.process.poll() is None:
        found.process.kill()
        found.process.wait(10)


def refused(presented: str) -> dict[str, str]:
    return {"error": "invalid_grant"}


def assert_settled() -> None:
    """Nothing is left to be understood, and nothing sealed lies about."""
    assert not Attempt.objects.filter(ended_at__isnull=True).exists()
    assert not Attempt.objects.filter(sealed_answer__isnull=False).exists()


def test_a_late_answer_that_is_still_awaited_is_stored(alice: Connected, provider: Rotating, paused: Paused) -> None:
    """V6, I2: the lease is over, but nobody has asked meanwhile, so the generation is the same."""
    end_lease(alice)
    out, err = paused.go_on()
    assert (paused.process.returncode, out.strip()) == (0, "2"), err
    kept = grants.load(alice.again())
    assert kept.refresh_token is not None
    assert kept.refresh_token.reveal() == provider.refresh_token
    assert alice.again().state == State.HEALTHY
    assert (provider.refreshes, provider.reuses) == (1, 0)
    assert_settled()


def test_a_late_answer_after_somebody_elses_is_dropped_for_what_works(
    alice: Connected, provider: Rotating, tmp_path: Path
) -> None:
    """V6: the provider does not rotate: both answers are good ones, and the newer one is kept."""
    provider.rotates = False
    old = provider.access_token
    paused = Paused(alice, provider, tmp_path)
    end_lease(alice)
    newest = access(alice, old)
    assert newest == provider.access_token
    _, err = paused.go_on()
    assert paused.process.returncode == 0, err
    row = alice.again()
    assert (row.state, row.generation) == (State.HEALTHY, alice.connection.generation + 1)
    assert grants.load(row).access_token.reveal() == newest
    assert sorted(Attempt.objects.values_list("outcome", flat=True)) == ["renewed", "replaced"]
    assert provider.reuses == 0
    assert_settled()


@pytest.mark.oracle(reuses=1)
def test_a_late_answer_that_alone_works_is_adopted(alice: Connected, provider: Rotating, tmp_path: Path) -> None:
    """V6, I2: somebody else was refused meanwhile, but the late tokens are good: the person notices nothing."""
    old = provider.access_token
    paused = Paused(alice, provider, tmp_path)
    end_lease(alice)
    refusal, provider._refusal = provider._refusal, refused  # type: ignore[method-assign]
    with pytest.raises(NeedsReconnect):
        access(alice, old)
    provider._refusal = refusal  # type: ignore[method-assign]
    assert alice.again().state == State.NEEDS_RECONNECT
    _, err = paused.go_on()
    assert paused.process.returncode == 0, err
    row = alice.again()
    assert row.state == State.HEALTHY
    assert grants.load(row).access_token.reveal() == provider.access_token
    assert_settled()


@pytest.mark.oracle(reuses=1)
def test_a_late_answer_of_a_family_that_was_ended_is_no_use(
    alice: Connected, provider: Rotating, tmp_path: Path
) -> None:
    """V6, V3, V13: the second try was taken for a thief's. Told, recorded as an incident, and not revived."""
    old = provider.access_token
    paused = Paused(alice, provider, tmp_path)
    end_lease(alice)
    with pytest.raises(NeedsReconnect, match="interrupted"):
        access(alice, old)
    paused.go_on()
    assert alice.again().state == State.NEEDS_RECONNECT
    assert Incident.objects.get().kind == incidents.REUSE
    assert (provider.refreshes, provider.reuses) == (2, 1)
    assert_settled()
