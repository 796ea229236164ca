"""Rows that somebody who can write SQL has pointed elsewhere: nobody gets a token that is not his (docs/vault.md 2)."""

from uuid import uuid4

import pytest
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.backends.db import SessionStore

from organizations.models import Member
from providers.base import Secret
from tests.vault.conftest import Connected
from tests.vault.many import a_grant
from tests.vault.rotating import Rotating
from vault import answers, clients, grants, leases, pending, revocation, sealing
from vault.errors import TokenTampered
from vault.models import Attempt, Connection, Credential, DiscardedGrant, PendingSignIn, State
from vault.pending import Expected
from vault.tokens import ConnectionTokens

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


@pytest.fixture
def bob(alice: Connected) -> Member:
    return Member.objects.filter(organization=alice.member.organization).exclude(pk=alice.member.pk)[0]


@pytest.fixture
def his(alice: Connected, bob: Member) -> Connection:
    """Bob's own connection, of the same generation as Alice's."""
    row = Connection.objects.create(
        organization=bob.organization,
        member=bob,
        provider="salesforce",
        subject="his",
        login_url=alice.connection.login_url,
        state=State.HEALTHY,
        last_success_at=alice.connection.last_success_at,
    )
    grants.store(row, a_grant())
    return row


def move_to(bob: Member, alice: Connected) -> None:
    Connection.objects.filter(pk=alice.connection.pk).update(member=bob)


@pytest.mark.oracle(finds=["I5"])
def test_a_connection_moved_to_another_member_hands_out_nothing(alice: Connected, bob: Member) -> None:
    move_to(bob, alice)
    ref = clients.salesforce_connection_of(bob)
    assert ref.id == alice.connection.pk
    with pytest.raises(TokenTampered, match="another member"):
        ConnectionTokens(ref.id, "test").access()
    with pytest.raises(TokenTampered, match="another member"):
        clients.crm_for(ref, "test")
    with pytest.raises(TokenTampered):
        grants.load(alice.connection)  # read before it was moved
    assert grants.load_if_any(alice.again()) is None


@pytest.mark.oracle(finds=["I5"])
def test_a_lease_in_ram_is_not_handed_to_whom_its_connection_was_moved_to(
    alice: Connected, bob: Member, polled: None
) -> None:
    hers = clients.salesforce_connection_of(alice.member)
    assert clients.crm_for(hers, "test")
    assert leases.held(hers.id, "test", None)
    move_to(bob, alice)
    with pytest.raises(TokenTampered):
        clients.crm_for(clients.salesforce_connection_of(bob), "test")
    assert clients.crm_for(hers, "test")


def test_who_was_found_while_it_was_moved_gets_nothing_once_it_is_back(alice: Connected, bob: Member) -> None:
    move_to(bob, alice)
    ref = clients.salesforce_connection_of(bob)
    move_to(alice.member, alice)
    with pytest.raises(TokenTampered):
        clients.crm_for(ref, "test")
    assert clients.crm_for(clients.salesforce_connection_of(alice.member), "test")


@pytest.mark.oracle(finds=["I5"])
def test_a_renewed_grant_is_not_sealed_to_another_member(alice: Connected, bob: Member) -> None:
    grant = grants.load(alice.again())
    move_to(bob, alice)
    with pytest.raises(TokenTampered, match="another member"):
        grants.store(alice.again(), grant.renewed(access_token=Secret("fresh")))


def test_a_new_sign_in_seals_to_its_own_member(alice: Connected, bob: Member) -> None:
    """An account that somebody else has given back: the row goes to whom connects it next."""
    move_to(bob, alice)
    row = alice.again()
    grants.store(row, alice.grant)
    assert grants.load(row).member == bob.pk


@pytest.mark.oracle(finds=["I5"])
def test_a_credential_moved_to_another_connection_does_not_open(alice: Connected, his: Connection) -> None:
    """V19: the row names another connection, the seal does not."""
    Credential.objects.filter(connection=his).delete()
    Credential.objects.update(connection=his)
    with pytest.raises(TokenTampered):
        ConnectionTokens(his.pk, "test").access()


@pytest.mark.oracle(finds=["I5"])
def test_an_answer_moved_to_another_connection_does_not_open(
    alice: Connected, his: Connection, provider: Rotating
) -> None:
    """V19: it is not taken for that one's."""
    mine = grants.load(his)
    attempt = Attempt.objects.create(connection=alice.connection, grant_id=alice.grant.id, generation=1)
    answers.keep(attempt.id, answers.sealer(alice.connection, attempt)(b'{"access_token": "hers"}'))
    Attempt.objects.update(connection=his, grant_id=mine.id)
    moved = Attempt.objects.select_related("connection").get()
    with pytest.raises(TokenTampered):
        sealing.unseal(bytes(moved.sealed_answer or b""), answers.place_of(moved))


@pytest.mark.oracle(finds=["I5"])
def test_a_grant_to_be_revoked_cannot_be_moved(alice: Connected, his: Connection) -> None:
    revocation.discard(alice.connection, alice.grant)
    DiscardedGrant.objects.update(connection=his)
    row = DiscardedGrant.objects.select_related("connection").get()
    with pytest.raises(TokenTampered):
        sealing.unseal(bytes(row.sealed), revocation.place_of(row))


def begun(session: SessionBase, state: str) -> None:
    expected = Expected("https://login", "https://issuer", "client", "https://here/callback", "/", member=str(uuid4()))
    pending.remember(session, Secret(state), Secret("verifier"), expected)


@pytest.mark.usefixtures("oracle")
@pytest.mark.parametrize("taken", ["session_hash", "state_hash"])
def test_a_sign_in_moved_to_another_browser_or_state_does_not_open(taken: str) -> None:
    """Else a stolen code could be redeemed elsewhere, or somebody signed in as another."""
    hers, his = SessionStore(), SessionStore()
    begun(hers, "her state")
    begun(his, "his state")
    row, other = (PendingSignIn.objects.get(state_hash=pending._hash(f"{who} state")) for who in ("her", "his"))
    other.delete()
    PendingSignIn.objects.filter(pk=row.pk).update(**{taken: getattr(other, taken)})
    session, state = (his, "her state") if taken == "session_hash" else (hers, "his state")
    with pytest.raises(TokenTampered):
        pending.look(session, state)
    with pytest.raises(TokenTampered):
        pending.claim(session, state)
