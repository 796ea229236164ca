"""How long a renewal goes on: it waits for who is at it, and repeats at most once, only where that is harmless."""

import os
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from uuid import UUID

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from providers.errors import Transient
from tests.vault.conftest import Connected
from tests.vault.kept import kept
from tests.vault.rotating import Rotating
from vault import grants, keys, renewal, suspicion
from vault.cipher import SealingKey
from vault.models import Connection, DataKey, State

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was slept, each time for one second of a clock that stands still meanwhile; the dice show their most."""
    found, clock = list[float](), SimpleNamespace(now=1_000.0)

    def sleep(seconds: float) -> None:
        found.append(seconds)
        clock.now += 1.0
        assert len(found) < 100

    monkeypatch.setattr(renewal, "time", SimpleNamespace(monotonic=lambda: clock.now, sleep=sleep))
    monkeypatch.setattr(renewal, "secrets", SimpleNamespace(randbelow=lambda limit: limit - 1))
    return found


def trying(monkeypatch: pytest.MonkeyPatch, outcomes: list[bool | Transient]) -> list[tuple[UUID, int]]:
    """Each try ends in the next of `outcomes`, the last one for ever; returns what was tried."""
    tried: list[tuple[UUID, int]] = []

    def once(connection_id: UUID, beyond: int, purpose: str, *, only_if_safe: bool) -> bool:
        assert (purpose, only_if_safe) == (renewal.AHEAD, False)
        tried.append((connection_id, beyond))
        outcome = outcomes.pop(0) if len(outcomes) > 1 else outcomes[0]
        if isinstance(outcome, Transient):
            raise outcome
        return outcome

    monkeypatch.setattr(renewal, "_try", once)
    return tried


def lost() -> Transient:
    return Transient("No answer.", outcome_unknown=True)


def test_who_waits_asks_every_forty_milliseconds_for_eight_seconds(
    alice: Connected, monkeypatch: pytest.MonkeyPatch, sleeps: list[float]
) -> None:
    """docs/vault.md 5: then a request answers 503."""
    tried = trying(monkeypatch, [False])
    with pytest.raises(Transient, match="is being renewed"):
        renewal._renew(alice.connection.pk, 1)
    assert tried == [(alice.connection.pk, 1)] * 8
    assert sleeps == [pytest.approx(0.04)] * 8
    sleeps.clear()
    monkeypatch.setattr(renewal, "secrets", SimpleNamespace(randbelow=lambda _: 0))
    trying(monkeypatch, [False, True])
    renewal._renew(alice.connection.pk, 1)
    assert sleeps == [0.02]


def test_who_waits_looks_and_opens_nothing(alice: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of processes may wait for one renewal, each looking thirty times a second."""
    rows = Connection.objects.filter(pk=alice.connection.pk)
    monkeypatch.setattr(grants, "open_keys", lambda _: pytest.fail("a key was opened for nothing"))
    beyond = rows.get().generation
    rows.update(state=State.REFRESHING, lease_by="another", lease_until=Now() + timedelta(seconds=30))
    with CaptureQueriesContext(connection) as queries:
        assert renewal._try(alice.connection.pk, beyond) is False
    assert len(queries) <= 3


@pytest.mark.parametrize(
    ("provider_name", "outcomes", "calls", "raises"),
    [
        ("google", lambda: [lost(), True], 2, False),
        ("google", lambda: [lost(), lost(), True], 2, True),
        ("google", lambda: [Transient("Away."), True], 1, True),
        ("microsoft", lambda: [lost(), False, True], 3, False),
        ("microsoft", lambda: [lost(), False, lost(), True], 3, True),
        ("salesforce", lambda: [lost(), True], 1, True),
    ],
)
def test_a_call_that_nobody_answered_is_made_once_more_where_it_is_harmless(
    alice: Connected,
    monkeypatch: pytest.MonkeyPatch,
    sleeps: list[float],
    provider_name: str,
    outcomes: Callable[[], list[bool | Transient]],
    calls: int,
    raises: bool,
) -> None:
    """V3, V4: never a third time, and never what the provider has said no to."""
    Connection.objects.filter(pk=alice.connection.pk).update(provider=provider_name)
    tried = trying(monkeypatch, outcomes())
    if raises:
        with pytest.raises(Transient):
            renewal._renew(alice.connection.pk, 1)
    else:
        renewal._renew(alice.connection.pk, 1)
    assert len(tried) == calls
    Connection.objects.filter(pk=alice.connection.pk).update(provider="salesforce")


def test_whether_it_may_be_repeated_is_asked_of_this_connection(alice: Connected) -> None:
    Connection.objects.create(
        organization=alice.member.organization, member=alice.member, provider="google", subject="other"
    )
    assert not renewal._may_repeat(alice.connection.pk, lost())


@pytest.mark.parametrize("is_behind", [True, False])
def test_a_restored_database_is_looked_at_before_a_token_is_presented(
    alice: Connected, monkeypatch: pytest.MonkeyPatch, is_behind: bool
) -> None:
    """V20: and it is not looked at again where there is nothing to suspect."""
    order: list[str] = []
    monkeypatch.setattr(suspicion, "is_behind", lambda: is_behind)
    monkeypatch.setattr(suspicion, "look", lambda: order.append("looked"))

    def once(*_: object, **__: object) -> bool:
        order.append("tried")
        return True

    monkeypatch.setattr(renewal, "_try", once)
    renewal._renew(alice.connection.pk, 1)
    assert order == ["looked", "tried"][not is_behind :]


def test_nothing_is_slept_where_we_renew_ourselves(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(renewal, "time", SimpleNamespace(monotonic=time.monotonic, sleep=slept.append))
    renewal.renew(alice.connection.pk, beyond=alice.connection.generation)
    assert slept == []
    assert provider.refreshes == 1


def test_what_was_answered_already_is_not_asked_for_again(alice: Connected, provider: Rotating) -> None:
    """I2, V5: another process had died between keeping the answer and adopting it."""
    kept(alice, provider)
    before = alice.again().generation
    renewal.renew(alice.connection.pk, beyond=before)
    assert (alice.again().generation, provider.refreshes) == (before + 1, 0)


def test_keys_are_opened_before_the_lease_is_taken(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key service is asked over HTTP: never while a row is locked, nor between the attempt and the call."""
    seen, opened = list[tuple[bool, bool]](), keys.opened

    def noted(row: DataKey) -> SealingKey:
        seen.append((connection.in_atomic_block, alice.again().lease_until is None))
        return opened(row)

    monkeypatch.setattr(keys, "opened", noted)
    keys.forget_all()
    renewal.renew(alice.connection.pk, beyond=alice.connection.generation)
    assert set(seen) == {(False, True)}
    assert provider.refreshes == 1


def test_a_long_host_name_fits_the_lease(alice: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut to forty characters; Linux allows 64 (gethostname(2)), and the column holds 80 with process and dice."""
    monkeypatch.setattr(socket, "gethostname", lambda: "h" * 64)
    assert renewal._holder().startswith(f"{'h' * 40}:{os.getpid()}:")
    assert isinstance(renewal._begin(alice.connection.pk, alice.connection.generation), renewal.Begun)
    assert alice.again().lease_by.startswith("h" * 40)


def test_who_returns_from_a_renewal_finds_the_newer_grant(alice: Connected, provider: Rotating) -> None:
    """Not only kept: understood too, so that nobody who reads the row meets the old one."""
    before = alice.again().generation
    renewal.renew(alice.connection.pk, beyond=before)
    row = alice.again()
    assert (row.state, row.generation) == (State.HEALTHY, before + 1)
    assert grants.load(row).access_token.reveal() == provider.access_token
