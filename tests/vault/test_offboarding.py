"""Whoever an administrator sends away keeps no grant here: ended at once, or after a crash in a minute (V23, I7)."""

from typing import Any

import pytest
from django.db import transaction
from django.db.models.functions import Now
from kombu.exceptions import OperationalError

from organizations import membership
from organizations.models import AuditEntry, Organization
from providers.errors import Transient
from tests.vault.conftest import Connected
from tests.vault.rotating import Rotating
from vault import grants, offboarding, tasks, upkeep
from vault.errors import ConnectRequired
from vault.models import Credential, DiscardedGrant, State
from vault.tokens import ConnectionTokens

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The arguments of each task that was put into the queue; nobody takes it out."""
    found: list[tuple[str, ...]] = []
    monkeypatch.setattr(tasks.end_grants_of, "apply_async", lambda args, **_: found.append(args))
    return found


def send_away(alice: Connected) -> None:
    membership.change_active("operator", alice.member, False)


def test_a_task_ends_what_he_has_connected(alice: Connected, provider: Rotating, sent: list[tuple[str, ...]]) -> None:
    """V23: woken up with an id, once the end of his access is committed."""
    with transaction.atomic():
        send_away(alice)
        assert sent == []
    assert sent == [(str(alice.member.pk),)]
    tasks.end_grants_of(*sent[0])
    assert provider.revoked == [provider.refresh_token]
    assert alice.again().state == State.SHREDDED
    assert not Credential.objects.exists()
    assert not DiscardedGrant.objects.exists()
    ended = AuditEntry.objects.get(action="connection.disconnected")
    assert (ended.actor, ended.target, ended.result) == (offboarding.ACTOR, str(alice.connection.pk), "ok")


def test_until_then_no_token_is_handed_out(alice: Connected, provider: Rotating, sent: list[tuple[str, ...]]) -> None:
    """V23, I7: from the commit on, also to who holds a lease."""
    source = ConnectionTokens(alice.connection.pk, "test")
    source.access()
    send_away(alice)
    with pytest.raises(ConnectRequired):
        source.access()
    assert alice.again().state == State.HEALTHY
    assert provider.server.seen == []


def test_a_queue_that_is_away_costs_a_minute(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V23: the minutely task finds what is to be ended."""

    def away(*_: Any, **__: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(tasks.end_grants_of, "apply_async", away)
    send_away(alice)
    assert provider.revoked == []
    tasks.finish_revocations()
    assert provider.revoked == [provider.refresh_token]
    assert alice.again().state == State.SHREDDED


def test_keys_that_cannot_be_had_keep_nobody_in(
    alice: Connected, provider: Rotating, sent: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """V23, I7: the key service is away. Nothing of his is used any more, and a later run ends it at the provider."""
    send_away(alice)

    def away(*_: Any) -> None:
        raise Transient("Away.", provider="vault")

    with monkeypatch.context() as patched:
        patched.setattr(grants, "open_keys", away)
        tasks.end_grants_of(*sent[0])
        upkeep.finish_revocations()
    assert (alice.again().state, provider.revoked) == (State.REVOKING, [])
    upkeep.finish_revocations()
    assert (alice.again().state, len(provider.revoked)) == (State.SHREDDED, 1)


def test_who_was_let_in_again_keeps_what_he_has(
    alice: Connected, provider: Rotating, sent: list[tuple[str, ...]]
) -> None:
    send_away(alice)
    membership.change_active("operator", alice.member, True)
    tasks.end_grants_of(*sent[0])
    offboarding.end(alice.connection.pk)
    upkeep.finish_revocations()
    assert (alice.again().state, provider.revoked) == (State.HEALTHY, [])
    assert ConnectionTokens(alice.connection.pk, "test").access()


def test_a_destruction_sees_to_its_own(alice: Connected, sent: list[tuple[str, ...]]) -> None:
    """C37: it has switched everybody off, and counts what it ends."""
    send_away(alice)
    assert offboarding.left().exists()
    Organization.objects.update(ending_since=Now())
    assert not offboarding.left().exists()


def test_a_grant_that_does_not_open_any_more_is_deleted(
    alice: Connected, provider: Rotating, sent: list[tuple[str, ...]]
) -> None:
    send_away(alice)
    Credential.objects.update(sealed=b"nonsense")
    upkeep.finish_revocations()
    assert alice.again().state == State.SHREDDED
    assert AuditEntry.objects.get(action="connection.disconnected").result == "unreadable"
