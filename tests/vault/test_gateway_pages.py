"""A page that stands before a provider, with whatever status: it proves nothing, ends nothing and confirms no end
(docs/vault.md V9; I2, I3, FT23)."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from tests.providers.faulty import Handler
from tests.vault.conftest import Connected
from tests.vault.rotating import Rotating, page
from vault import answers, probe, revocation, upkeep
from vault.models import Attempt, Connection, DiscardedGrant, State

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)

USERINFO, REVOKE = "/services/oauth2/userinfo", "/services/oauth2/revoke"
Answer = Callable[[Handler], None]


def blocked(handler: Handler) -> None:
    """As a firewall for web applications refuses what it does not like."""
    handler.answer(403, b"<html>Request blocked</html>", {"Content-Type": "text/html"})


def somebody_else(handler: Handler) -> None:
    handler.answer(200, {"user_id": "005000000000009AAA", "organization_id": "00D000000000001EAA"})


def instead_at(provider: Rotating, path: str, answer: Answer) -> Callable[[], None]:
    """What stands before this path of the provider; returns what takes it away again."""
    behave = provider.server.behave

    def gateway(handler: Handler) -> None:
        (answer if handler.path == path else behave)(handler)

    provider.server.behave = gateway

    def away() -> None:
        provider.server.behave = behave

    return away


def in_trouble(alice: Connected) -> None:
    """Degraded, unproven for two days, with a renewal whose answer was lost."""
    mine = Connection.objects.filter(pk=alice.connection.pk)
    mine.update(state=State.DEGRADED, reason="as it was", last_success_at=Now() - timedelta(days=2))
    Attempt.objects.create(
        connection=alice.connection, grant_id=alice.grant.id, generation=0, outcome=answers.UNKNOWN, ended_at=Now()
    )


@pytest.mark.parametrize("answer", [page, blocked, somebody_else])
def test_it_proves_nothing(alice: Connected, provider: Rotating, answer: Answer) -> None:
    """V9: nor does it refuse the token, so no refresh token is used up over it."""
    in_trouble(alice)
    before = alice.again()
    away = instead_at(provider, USERINFO, answer)
    probe.probe(before.pk)
    row = alice.again()
    assert (row.state, row.last_success_at) == (State.DEGRADED, before.last_success_at)
    assert row.probe_at is not None
    assert Attempt.objects.get().outcome == answers.UNKNOWN, "not given up"
    away()
    probe.probe(row.pk)
    assert alice.again().last_success_at != before.last_success_at
    assert provider.refreshes == 0


@pytest.mark.parametrize("answer", [page, blocked])
def test_it_confirms_no_end(alice: Connected, provider: Rotating, answer: Answer) -> None:
    """V9, C17: the sealed grant stays until Salesforce itself has said so."""
    away = instead_at(provider, REVOKE, answer)
    assert revocation.disconnect(alice.connection.pk, alice.member) is revocation.Ending.WAITING
    assert (alice.again().state, provider.alive) == (State.REVOKING, True)
    away()
    DiscardedGrant.objects.update(retry_at=Now())
    upkeep.finish_revocations()
    assert (alice.again().state, provider.alive) == (State.SHREDDED, False)
    assert not DiscardedGrant.objects.exists()
