"""V19: what is stored of a grant was changed. Everybody concerned hears of it at once, once, and in words."""

import json
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from config.errors import problem_for
from organizations.models import AuditEntry
from providers.errors import Transient
from tests.vault.conftest import Connected
from tests.vault.rotating import Rotating, cut
from vault import incidents, keys, leases, probe, proof, renewal, standing, turns
from vault.errors import KeyGone, TokenTampered
from vault.models import Connection, Credential, DataKey, Incident, State
from vault.tokens import ConnectionTokens

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def flip_a_byte() -> None:
    sealed = bytearray(Credential.objects.get().sealed)
    sealed[-1] ^= 1
    Credential.objects.update(sealed=bytes(sealed))


def use(alice: Connected) -> None:
    ConnectionTokens(alice.connection.pk, "test").access()


@pytest.mark.oracle(finds=["I5"])
def test_a_tampered_grant_in_use_is_announced_once(alice: Connected, provider: Rotating) -> None:
    """V19."""
    flip_a_byte()
    for _ in range(3):
        with pytest.raises(TokenTampered):
            use(alice)
    assert Incident.objects.get().kind == incidents.TAMPERED
    assert AuditEntry.objects.get(action="incident.recorded").result == "tampered"
    row = alice.again()
    assert (row.state, row.cause) == (State.DEGRADED, "seal_broken")
    (shown,) = standing.of(alice.member)
    assert (shown.status.words, shown.status.tone) == ("Cannot be opened", "bad")
    assert (
        shown.status.reason == "What is stored of this connection was changed or has lost its key, so it is not used."
    )
    assert shown.status.advice == "Connect again. Your settings stay as they are."
    assert list(turns.to_prove()) == [row.pk]
    assert provider.server.seen == []


@pytest.mark.oracle(finds=["I5"])
def test_whose_grant_does_not_open_is_told_of_the_right_provider(alice: Connected) -> None:
    Connection.objects.update(provider="google")
    with pytest.raises(TokenTampered) as told:
        use(alice)
    answer = problem_for(told.value)
    assert answer is not None
    body = json.loads(answer.content)
    assert (answer.status_code, body["provider"]) == (409, "google")
    assert body["reconnect_url"].endswith("/connect/google/")


def test_what_was_put_right_again_is_proven_and_shown(alice: Connected) -> None:
    sealed = Credential.objects.get().sealed
    flip_a_byte()
    with pytest.raises(TokenTampered):
        use(alice)
    Credential.objects.update(sealed=sealed)
    probe.probe(alice.connection.pk)
    assert proof.shown(alice.again()).state is State.HEALTHY


@pytest.mark.oracle(finds=["I5"])
def test_a_call_that_began_before_hides_nothing(alice: Connected, polled: None) -> None:
    """V19: the token that it used was opened before the row was changed. Nor does it hide that a renewal goes on."""
    flip_a_byte()
    with pytest.raises(TokenTampered):
        use(alice)
    for state in (State.DEGRADED, State.REFRESHING):
        Connection.objects.update(state=state, lease_until=Now() + timedelta(seconds=30))
        leases.note_success(alice.connection.pk)
        (shown,) = standing.of(alice.member)
        assert (shown.status.words, shown.status.tone) == ("Cannot be opened", "bad")
        assert alice.again().last_success_at is not None
        leases._noted.clear()


@pytest.mark.oracle(finds=["I5"])
def test_a_token_that_was_opened_before_is_no_proof_of_what_is_stored(alice: Connected, polled: None) -> None:
    """A probe reads anew, also where another process has told it and this one still holds a lease."""
    ConnectionTokens(alice.connection.pk, probe.PURPOSE).access()
    flip_a_byte()
    Connection.objects.update(state=State.DEGRADED, cause="seal_broken", reason="It does not open.")
    probe.probe(alice.connection.pk)
    assert (alice.again().state, alice.again().cause) == (State.DEGRADED, "seal_broken")
    assert Incident.objects.get().kind == incidents.TAMPERED


def test_what_was_put_right_again_does_not_hide_a_renewal_that_failed(alice: Connected, provider: Rotating) -> None:
    """V3: the words of the broken seal go, the state stays as the renewal has left it."""
    provider.instead = cut
    with pytest.raises(Transient):
        renewal.renew(alice.connection.pk, beyond=alice.connection.generation)
    sealed = Credential.objects.get().sealed
    flip_a_byte()
    with pytest.raises(TokenTampered):
        use(alice)
    Credential.objects.update(sealed=sealed)
    provider.access_token = alice.grant.access_token.reveal()  # Salesforce: the old one lives on after a rotation
    Connection.objects.update(retry_at=None)
    probe.probe(alice.connection.pk)
    row = alice.again()
    assert (row.state, row.cause, row.reason) == (State.DEGRADED, "", "The last renewal of this connection failed.")


@pytest.mark.oracle(finds=["I5", "I9"])
def test_a_lost_key_is_announced_as_well(alice: Connected) -> None:
    DataKey.objects.using("keys").all().delete()
    keys.forget_all()
    for _ in range(2):
        with pytest.raises(KeyGone):
            use(alice)
    assert Incident.objects.get().kind == incidents.TAMPERED
