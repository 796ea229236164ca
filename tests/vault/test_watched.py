"""What a watched client tells of its calls: one that was answered is a proof, a link that was put together is none."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.db import transaction

from organizations import epochs
from organizations.models import AuditEntry
from providers.base import Secret
from providers.errors import NeedsReconnect, Transient
from tests.sidebar.crm import RememberingCrm
from tests.vault.conftest import Connected
from vault import grants
from vault.models import State
from vault.tokens import ConnectionTokens
from vault.watched import Watched, note_refusal


def test_only_answered_calls_prove_that_a_connection_works() -> None:
    proofs, refusals = list[str](), list[NeedsReconnect]()
    crm = RememberingCrm("alice")
    watched = Watched(crm, on_success=lambda: proofs.append("works"), on_refusal=refusals.append)
    assert watched.record_url("003000000000001AAA").endswith("/003000000000001AAA")
    assert proofs == []
    watched.search("jane")
    assert proofs == ["works"]
    for failure in (Transient("Slow."), NeedsReconnect("Gone.")):
        crm.failing = failure
        with pytest.raises(type(failure)):
            watched.search("jane")
    assert (proofs, refusals) == (["works"], [failure])


def refused_by(crm: RememberingCrm, alice: Connected, meanwhile: Callable[[], object] = lambda: None) -> None:
    """A call with alice's token that her provider refuses for good, after something else has happened."""
    tokens = ConnectionTokens(alice.connection.pk, "test")
    tokens.access()
    meanwhile()
    crm.failing = NeedsReconnect("Gone.", provider="salesforce")
    watched = Watched(crm, lambda: None, lambda error: note_refusal(alice.connection.pk, tokens, error))
    with pytest.raises(NeedsReconnect):
        watched.search("jane")


@pytest.mark.oracle(finds=["I6"])  # the token endpoint would renew it on and on
@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
def test_a_refused_token_ends_its_grant(alice: Connected) -> None:
    """C17."""
    refused_by(RememberingCrm("alice"), alice)
    assert alice.again().state == State.NEEDS_RECONNECT


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
def test_a_refused_token_ends_no_grant_that_has_come_since(alice: Connected) -> None:
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
    note_refusal(alice.connection.pk, ConnectionTokens(alice.connection.pk, "test"), NeedsReconnect("Gone."))
    assert alice.again().state == State.HEALTHY
