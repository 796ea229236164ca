"""All that needs a key is opened before a lease is taken: what cannot be opened stops nobody else, and costs nothing
(docs/vault.md 3 and 6; V3)."""

from uuid import UUID

import pytest
from pytest_django import Settings

from organizations.models import AuditEntry
from providers.base import Secret
from providers.errors import Transient
from tests.vault.conftest import Connected
from tests.vault.rotating import Rotating
from vault import keys, registrations, renewal
from vault.cipher import SealingKey
from vault.errors import AppUnusable
from vault.models import Attempt, ClientRegistration, DataKey, State
from vault.tokens import ConnectionTokens

pytestmark = [
    pytest.mark.django_db(databases=["default", "keys"], transaction=True),
    pytest.mark.usefixtures("judged"),
]


@pytest.fixture
def registered(alice: Connected, provider: Rotating, settings: Settings) -> None:
    """The client is one that was registered for this login host, and its secret is sealed for the installation."""
    settings.SALESFORCE_CLIENT_ID = "another"
    registrations.register(provider.server.url, "client", Secret("client-secret-of-the-host"), None)
    keys.forget_all()


def nothing_has_happened(alice: Connected, provider: Rotating) -> bool:
    row = alice.again()
    assert (row.state, row.lease_by, row.lease_until, row.retry_at) == (State.HEALTHY, "", None, None)
    assert not Attempt.objects.exists()
    assert not AuditEntry.objects.filter(action=renewal.PRESENTED).exists()
    return provider.refreshes == 0


def refuse(alice: Connected) -> None:
    source = ConnectionTokens(alice.connection.pk, "test")
    source.access(rejected=source.access().token)


@pytest.mark.oracle(finds=["I5"])
@pytest.mark.usefixtures("registered")
def test_a_clients_secret_that_does_not_open(alice: Connected, provider: Rotating) -> None:
    blob = bytearray(ClientRegistration.objects.get().sealed_secret or b"")
    blob[-1] ^= 1
    ClientRegistration.objects.update(sealed_secret=bytes(blob))
    with pytest.raises(AppUnusable):
        refuse(alice)
    assert nothing_has_happened(alice, provider), "it is the operator's task (test_apps.py)"


@pytest.mark.parametrize("whose", ["installation", "organization"])
@pytest.mark.usefixtures("registered")
def test_a_key_service_that_is_away_changes_no_state(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    """503, and the next one tries as if nothing had been."""
    owner, opened = keys.INSTANCE if whose == "installation" else alice.member.organization_id, keys.opened

    def away(row: DataKey) -> SealingKey:
        if row.organization_id == owner:
            raise Transient("The key service could not be reached.")
        return opened(row)

    beyond: int = alice.again().generation
    with monkeypatch.context() as patched:
        patched.setattr(keys, "opened", away)
        with pytest.raises(Transient, match="key service"):
            renewal.renew(alice.connection.pk, beyond)
    assert nothing_has_happened(alice, provider)
    renewal.renew(alice.connection.pk, beyond)
    assert provider.refreshes == 1


@pytest.mark.usefixtures("registered")
def test_nothing_is_opened_after_the_lease(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the lease and the call there is nothing that could fail for want of a key: a holder keeps them."""
    begun = renewal._begin(alice.connection.pk, alice.again().generation)
    assert isinstance(begun, renewal.Begun)
    asked = list[UUID]()

    def gone(organization_id: UUID) -> SealingKey:
        asked.append(organization_id)
        raise Transient("The key service could not be reached.")

    keys.forget_all()
    with monkeypatch.context() as patched:
        patched.setattr(keys, "primary_key", gone)
        with pytest.raises(Transient, match="key service"):
            renewal._carry_out(begun)
    assert len(asked) == 1, "where the answer is settled, and not before"
    assert provider.refreshes == 1
    assert Attempt.objects.get().sealed_answer is not None
    renewal.renew(alice.connection.pk, begun.attempt.generation)
    assert (provider.refreshes, alice.again().state) == (1, State.HEALTHY)
