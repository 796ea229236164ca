"""Who disconnects reads what became of it, and nothing that did not happen (C17)."""

import pytest
from django.db.models.functions import Now
from django.test import Client

from organizations import membership
from organizations.models import Member, Role
from tests.organizations import people
from tests.vault.accounts import Provider
from tests.vault.conftest import Connected
from tests.vault.rotating import Rotating
from tests.vault.test_connecting_mail import _simulators, both, charlie, connect, google, microsoft
from tests.vault.test_connecting_mail import alice as ally
from tests.vault.test_doors import HOST
from vault import dialects, farewell, revocation
from vault.models import Connection, Credential, DiscardedGrant
from vault.revocation import Ending

__all__ = ["_simulators", "ally", "both", "charlie", "google", "microsoft"]

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def end(browser: Client, provider: str) -> str:
    answer = browser.post(f"/connect/{provider}/disconnect/", headers=HOST)
    assert answer.status_code == 200
    return answer.content.decode().replace("&#x27;", "'")


def test_salesforce_has_confirmed_it(alice: Connected, provider: Rotating) -> None:
    text = end(people.sign_in(alice.member), "salesforce")
    assert "has been ended, here and at Salesforce. You are signed out." in text
    assert provider.revoked == [provider.refresh_token]


def test_salesforce_has_not_answered_yet(alice: Connected, provider: Rotating) -> None:
    provider.server.behave = lambda handler: handler.answer(503, {})
    text = end(people.sign_in(alice.member), "salesforce")
    assert "here and at" not in text
    assert "Salesforce has not confirmed the end yet; we go on asking" in text
    assert DiscardedGrant.objects.count() == 1
    assert "has not confirmed the end yet" in end(people.sign_in(alice.member), "salesforce"), "nor by now"


def test_nothing_was_connected(alice: Connected) -> None:
    revocation.disconnect(alice.connection.pk, "operator")
    assert revocation.disconnect(alice.connection.pk, "operator") is Ending.NOTHING
    text = end(people.sign_in(alice.member), "salesforce")
    assert '<h1 id="disconnected">Nothing was connected</h1>' in text
    assert "has been ended" not in text


def test_what_does_not_open_cannot_be_ended_there(alice: Connected, provider: Rotating) -> None:
    Credential.objects.update(sealed=b"SV" + bytes(100))
    text = end(people.sign_in(alice.member), "salesforce")
    assert "Salesforce could not be told" in text
    assert "You can remove this app in the Salesforce account's list of connected apps." in text
    assert provider.revoked == []


def test_a_connection_without_a_grant_is_only_forgotten(alice: Connected, provider: Rotating) -> None:
    Credential.objects.all().delete()
    assert "was over already" in end(people.sign_in(alice.member), "salesforce")
    assert provider.server.seen == []


def test_google_keeps_the_consent_that_another_connection_uses(google: Provider, ally: Member, charlie: Member) -> None:
    connect(google, ally)
    his = connect(google, charlie)
    text = end(people.sign_in(ally), "google")
    assert "here and at Google" not in text
    assert "At Google the consent stays: another connection of the same account uses it" in text
    assert google.grants("alice") != []
    assert "here and at Google. You are still signed in." in end(people.sign_in(charlie), "google")
    assert google.grants("alice") == []
    assert revocation.disconnect(his.pk, charlie) is Ending.NOTHING


def test_google_has_not_answered_yet(google: Provider, ally: Member) -> None:
    connect(google, ally)
    google.sim("faults", {"path": "/revoke", "status": 503, "times": 1})
    assert "Google has not confirmed the end yet" in end(people.sign_in(ally), "google")
    DiscardedGrant.objects.update(retry_at=Now())
    assert revocation.finish(DiscardedGrant.objects.get().pk)


def test_microsoft_offers_none(microsoft: Provider, ally: Member) -> None:
    connect(microsoft, ally)
    text = end(people.sign_in(ally), "microsoft")
    assert "has been ended here, and its tokens have been deleted." in text
    assert dialects.of("microsoft").ending_advice.split(",")[0] in text


def test_the_page_before_promises_no_more(both: dict[str, Provider], ally: Member) -> None:
    for each in both.values():
        connect(each, ally)
    browser = people.sign_in(ally)
    pages = {
        row.provider: browser.get(f"/dashboard/connections/{row.pk}/disconnect/", headers=HOST).content.decode()
        for row in Connection.objects.filter(member=ally)
    }
    assert "We ask Google to end our access, until it confirms" in pages["google"]
    assert "the consent there stays for that one" in pages["google"]
    assert "We ask" not in pages["microsoft"]
    assert "The stored tokens are deleted." in pages["microsoft"]
    assert not [text for text in pages.values() if "revoked at" in text]


def test_an_administrator_reads_what_became_of_a_members_grant(both: dict[str, Provider], ally: Member) -> None:
    """In the third person, with whose task the rest is; at a provider that was away, that it is still asked."""
    rows = {name: connect(each, ally) for name, each in both.items()}
    both["google"].sim("faults", {"path": "/revoke", "status": 503, "times": 1})
    admin, texts = people.sign_in(administrator_of(ally)), {}
    for name, row in rows.items():
        answer = admin.post(f"/dashboard/connections/{row.pk}/end/", headers=HOST, follow=True)
        texts[name] = answer.content.decode().replace("&#x27;", "'")
    assert "Google has not confirmed the end yet; we go on asking" in texts["google"]
    assert "The person may also remove this app in the Google account" in texts["google"]
    assert "its tokens have been deleted. For the person to do: Microsoft lets nobody" in texts["microsoft"]
    assert "https://myapps.microsoft.com" in texts["microsoft"]


def administrator_of(member: Member) -> Member:
    """A second person of his organization, who may end his connections."""
    bob = Member.objects.get(name="Bob Brown", organization=member.organization)
    membership.change_role(member, bob, Role.ADMIN)
    return Member.objects.get(pk=bob.pk)


def test_who_ends_access_reads_what_becomes_of_the_connections() -> None:
    text = farewell.of_who_is_sent_away()
    assert "Salesforce and Google are asked to end it there too" in text
    assert "Microsoft cannot be asked" in text


@pytest.mark.parametrize("is_own", [True, False])
@pytest.mark.parametrize("ending", Ending)
@pytest.mark.parametrize("name", ["salesforce", "google", "microsoft"])
def test_the_providers_part_is_claimed_only_where_it_confirmed(ending: Ending, name: str, is_own: bool) -> None:
    told = farewell.told(ending, name, is_own=is_own)
    label = dialects.label(name)
    assert (f"ended, here and at {label}" in told.sentence) == (ending is Ending.CONFIRMED)
    assert "{" not in told.sentence + told.advice
    assert is_own or "you" not in (told.sentence + told.advice).lower().split()
