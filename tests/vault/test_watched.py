"""What a watched client tells of its calls: one that was answered is a proof, a link that was put together is none."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.db import transaction

from organizations import epochs
from organizations.models import AuditEntry
from providers.base import Secret
from providers.errors import FreshTokenRefused, NeedsReconnect, ProviderError, Transient
from tests.sidebar.crm import RememberingCrm
from tests.vault.conftest import Connected
from vault import grants
from vault.models import State
from vault.tokens import ConnectionTokens
from vault.watched import Watched, note_refusal

REFUSED = FreshTokenRefused("salesforce", "Salesforce")


def test_only_answered_calls_prove_that_a_connection_works() -> None:
    proofs, refusals = list[str](), list[FreshTokenRefused]()
    crm = RememberingCrm("alice")
    watched = Watched(crm, on_success=lambda: proofs.append("works"), on_refusal=refusals.append)
    assert watched.record_url("003000000000001AAA").endswith("/003000000000001AAA")
    assert proofs == []
    watched.search("jane")
    assert proofs == ["works"]
    failures: tuple[ProviderError, ...] = (Transient("Slow."), NeedsReconnect("Gone."), REFUSED)
    for failure in failures:
        crm.failing = failure
        with pytest.raises(type(failure)):
            watched.search("jane")
    assert (proofs, refusals) == (["works"], [REFUSED])


def refused_by(crm: RememberingCrm, alice: Connected, meanwhile: Callable[[], object] = lambda: None) -> None:
    """A call with alice's token that her provider refuses for good, after something else has happened."""
    tokens = ConnectionTokens(alice.connection.pk, "test")
    tokens.access()
    meanwhile()
    crm.failing = REFUSED
    watched = Watched(crm, lambda: None, lambda error: note_refusal(alice.connection.pk, tokens, error))
    with pytest.raises(FreshTokenRefused):
        watched.search("jane")


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
def test_a_refused_token_puts_its_grant_in_doubt(alice: Connected) -> None:
    """I6: dead it is by its token endpoint's verdict only."""
    refused_by(RememberingCrm("alice"), alice)
    row = alice.again()
    assert (row.state, row.reason, row.failures) == (State.DEGRADED, str(REFUSED), 1)
    assert row.member.is_confirmed


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
def test_a_refused_token_tells_nothing_of_a_grant_that_has_come_since(alice: Connected) -> None:
    """I6, V8: the person connects again while the call with the old token is under way. No new lease is taken."""

    def connect_again() -> None:
        with transaction.atomic():
            row = alice.again()
            grants.store(
                row, alice.grant.renewed(id=uuid4(), access_token=Secret("new"), refresh_token=Secret("newer"))
            )
            epochs.bump("connection", row.pk)

    refused_by(RememberingCrm("alice"), alice, connect_again)
    assert alice.again().state == State.HEALTHY
    assert AuditEntry.objects.filter(action="token.leased").count() == 1


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
def test_a_refusal_before_any_token_says_nothing_of_the_grant(alice: Connected) -> None:
    note_refusal(alice.connection.pk, ConnectionTokens(alice.connection.pk, "test"), REFUSED)
    assert alice.again().state == State.HEALTHY
