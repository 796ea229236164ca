"""The oracle reads the ledgers of Google and Microsoft as it reads Salesforce's: what goes past the vault is found."""

import pytest

from organizations.models import Member
from providers.errors import NeedsReconnect
from tests.vault.accounts import Provider
from tests.vault.test_connecting_mail import _simulators, alice, both, connect, google, is_renewed, microsoft
from vault import dialects, grants, states

__all__ = ["_simulators", "alice", "both", "google", "microsoft"]
pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def test_what_goes_through_the_vault_is_in_order(both: dict[str, Provider], alice: Member) -> None:
    for sim in both.values():
        assert is_renewed(connect(sim, alice))


@pytest.mark.oracle(finds={"I8"})
def test_a_renewal_at_google_past_the_vault(google: Provider, alice: Member) -> None:
    """No attempt is on record."""
    grant = grants.load(connect(google, alice))
    assert dialects.refresh(grant, "google", dialects.client_of(grant, "google")).status == 200


@pytest.mark.oracle(finds={"I2", "I8"})
def test_one_at_microsoft_loses_the_newest_token(microsoft: Provider, alice: Member) -> None:
    """It rotates there."""
    grant = grants.load(connect(microsoft, alice))
    assert dialects.refresh(grant, "microsoft", dialects.client_of(grant, "microsoft")).status == 200


@pytest.mark.oracle(finds={"I6"})
def test_a_death_without_microsofts_verdict(microsoft: Provider, alice: Member) -> None:
    row = connect(microsoft, alice)
    with pytest.raises(NeedsReconnect):
        states.refuse(row.pk, row.generation, "because we say so")
