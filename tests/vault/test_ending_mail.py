"""Ending grants at Google and Microsoft, which differ: one ends all of a person's grants, the other none by a call."""

import pytest
from django.db.models.functions import Now

from organizations.models import AuditEntry, Member, Organization
from providers.base import Secret
from tests.organizations import people
from tests.vault.accounts import Provider
from tests.vault.conftest import cold
from tests.vault.test_connecting_mail import _simulators, alice, both, connect, google, microsoft, sim
from vault import dialects, erasing, grants, mailboxes, registrations, revocation
from vault.errors import ConnectRequired
from vault.models import Connection, Credential, DiscardedGrant, State
from vault.tokens import ConnectionTokens

__all__ = ["_simulators", "alice", "both", "cold", "google", "microsoft", "sim"]

OWN_APP = "4321-own.apps.googleusercontent.com"

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
    """Google would end both: the replaced grant is wiped, not revoked, and the audit log says so. "Not offered" is
    what is said of Microsoft, where nobody could do it."""
    row = connect(google, alice)
    connect(google, alice)
    assert ended_as(row) == ["still_used"]
    assert ConnectionTokens(row.pk, "test").access()
    assert google.grants("alice") != []


@pytest.fixture
def charlie(alice: Member) -> Member:
    """Of another organization, and he has Alice's account too."""
    return Member.objects.get(name="Charlie Chen")


def takes_an_app_of_its_own(google: Provider, member: Member) -> None:
    """The member's organization does."""
    secret = str(google.info["client_secret"])
    callback = mailboxes.redirect_uri("google")
    google.sim("apps", {"client_id": OWN_APP, "client_secret": secret, "redirect_uris": [callback]})
    registrations.register(mailboxes.login_url("google"), OWN_APP, Secret(secret), member.organization_id, "google")


def test_the_same_account_with_another_app_is_ended_by_itself(google: Provider, alice: Member, charlie: Member) -> None:
    """Google tells apps apart: hers is revoked, his goes on."""
    takes_an_app_of_its_own(google, charlie)
    hers, his = connect(google, alice), connect(google, charlie)
    assert (hers.client_id, his.client_id) == (google.info["client_id"], OWN_APP)
    revocation.disconnect(hers.pk, alice)
    assert ended_as(hers) == ["ok"]
    assert dialects.works(grants.load(his), "google")
    assert [grant["client_id"] for grant in google.grants("alice")] == [OWN_APP]


def test_a_grant_to_an_app_that_was_exchanged_is_ended(google: Provider, alice: Member) -> None:
    """The organization has taken an app of its own; what was given to the operator's does not stay behind."""
    row = connect(google, alice)
    takes_an_app_of_its_own(google, alice)
    assert connect(google, alice).client_id == OWN_APP
    assert ended_as(row) == ["ok"]
    assert dialects.works(grants.load(Connection.objects.get()), "google")


@pytest.mark.parametrize("app", ["", "1234-new.apps.googleusercontent.com", "1234-old.apps.googleusercontent.com"])
def test_what_may_be_the_same_app_is_taken_for_it(google: Provider, alice: Member, app: str) -> None:
    """Clients of one project share a consent; of an app that is not known nobody can say."""
    row = connect(google, alice)
    Connection.objects.filter(pk=row.pk).update(client_id=app)
    assert not dialects.may_revoke("google", row.subject, "1234-old.apps.googleusercontent.com")
    assert not dialects.may_revoke("google", row.subject, "")
    assert dialects.may_revoke("google", row.subject, "99-old.apps.googleusercontent.com") is bool(app)
    assert not dialects.may_revoke("google", "", "99-old.apps.googleusercontent.com")


def test_a_certificate_says_what_another_organization_keeps_alive(
    google: Provider, alice: Member, charlie: Member
) -> None:
    """C37: the same account, the same app: wiped, not ended, and how its person ends it."""
    connect(google, alice)
    his = connect(google, charlie)
    Organization.objects.filter(pk=alice.organization_id).update(ending_since=Now())
    (told,) = erasing.withdraw(alice.organization_id, 1)
    assert (told.confirmed, told.unconfirmed, told.not_offered) == (0, 0, 1)
    assert told.advice.startswith("Google ends all access of an account to an app together")
    assert "Charlie" not in told.advice
    assert dialects.works(grants.load(his), "google")
