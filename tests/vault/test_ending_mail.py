"""Ending grants at Google and Microsoft, which differ: one ends all of a person's grants, the other none by a call."""

import pytest
from django.db.models.functions import Now

from organizations.models import AuditEntry, Member, Organization
from tests.organizations import people
from tests.vault.accounts import Provider
from tests.vault.conftest import cold
from tests.vault.test_connecting_mail import _simulators, alice, both, connect, google, microsoft, sim
from vault import dialects, erasing, revocation
from vault.errors import ConnectRequired
from vault.models import Connection, Credential, DiscardedGrant, State
from vault.tokens import ConnectionTokens

__all__ = ["_simulators", "alice", "both", "cold", "google", "microsoft", "sim"]

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def ended_as(row: Connection) -> list[str]:
    entries = AuditEntry.objects.filter(action=revocation.REVOKED, target=str(row.pk))
    return list(entries.values_list("result", flat=True))


def test_disconnecting_leaves_no_use_and_no_token(sim: Provider, alice: Member) -> None:
    """C17, I7."""
    row = connect(sim, alice)
    source = ConnectionTokens(row.pk, "test")
    source.access()
    assert revocation.disconnect(row.pk, alice)
    with pytest.raises(ConnectRequired):
        source.access()
    row.refresh_from_db()
    assert (row.state, row.account, row.reason) == (State.SHREDDED, "", "")
    assert not Credential.objects.exists()
    assert not DiscardedGrant.objects.exists()


def test_google_confirms_the_end(google: Provider, alice: Member) -> None:
    row = connect(google, alice)
    revocation.disconnect(row.pk, alice)
    assert google.grants("alice") == []
    assert ended_as(row) == ["ok"]


def test_at_microsoft_it_is_wiped_at_once_and_the_person_told_where(microsoft: Provider, alice: Member) -> None:
    """There is no revocation of a single grant: nothing is called, nothing is left to be retried."""
    row = connect(microsoft, alice)
    browser = people.sign_in(alice)
    before = len(microsoft.calls())
    page = browser.post("/connect/microsoft/disconnect/")
    assert "https://myapps.microsoft.com" in page.content.decode()
    assert len(microsoft.calls()) == before
    assert ended_as(row) == ["not_offered"]
    assert dialects.of("microsoft").ending_advice.startswith("Microsoft lets nobody end")


def test_a_destruction_tells_the_providers_apart(both: dict[str, Provider], alice: Member) -> None:
    """C37: what was confirmed, what was not offered, and by provider."""
    for each in both.values():
        connect(each, alice)
    Organization.objects.filter(pk=alice.organization_id).update(ending_since=Now())
    told = {each.provider: each for each in erasing.withdraw(alice.organization_id, 1)}
    assert (told["google"].confirmed, told["google"].not_offered, told["google"].advice) == (1, 0, "")
    assert (told["microsoft"].confirmed, told["microsoft"].not_offered) == (0, 1)
    assert "myapps.microsoft.com" in told["microsoft"].advice
    erasing.erase(alice.organization_id)
    assert set(erasing.count(alice.organization_id).values()) == {0}


def test_a_second_sign_in_of_the_same_account_keeps_the_one_in_use(google: Provider, alice: Member) -> None:
    """Google would end both: the replaced grant is wiped, not revoked, and the audit log says so."""
    row = connect(google, alice)
    connect(google, alice)
    assert ended_as(row) == ["not_offered"]
    assert ConnectionTokens(row.pk, "test").access()
    assert google.grants("alice") != []
