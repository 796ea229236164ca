"""The connections page, its confirmation, the add-ins on it, and what an administrator sees of everybody's."""

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from organizations import policy
from organizations.models import Application, AuditEntry, Device, Member
from tests.dashboard.test_pages import HOST, page, signed_in
from tests.organizations import people
from vault import mailboxes, registrations
from vault.models import Connection, State

pytestmark = pytest.mark.django_db(databases=["default", "keys"])
GOOGLE = ("openid", "email", "profile")
SALESFORCE = ("id", "api", "refresh_token", "web")


@pytest.fixture
def everybody() -> tuple[Member, Member, Member]:
    people.add_in()
    return people.everybody()


@pytest.fixture
def alice(everybody: tuple[Member, Member, Member]) -> Member:
    return everybody[0]


def connected(member: Member, provider: str = "salesforce", **more: Any) -> Connection:
    given: dict[str, Any] = {
        "state": State.HEALTHY,
        "last_success_at": timezone.now(),
        "scopes": list(SALESFORCE if provider == "salesforce" else GOOGLE),
        "subject": f"subject-of-{member.name}-{provider}",
        "login_url": "https://login.example",
    }
    row: Connection = Connection.objects.create(
        organization=member.organization, member=member, provider=provider, **(given | more)
    )
    return row


def device(member: Member, system: str = "Windows, Edge") -> Device:
    application = Application.objects.get(client_id=people.CLIENT_ID)
    row: Device = Device.objects.create(family=uuid.uuid4(), member=member, application=application, system=system)
    return row


def test_a_healthy_connection_with_its_account_scopes_and_last_use(alice: Member) -> None:
    """C10, C17: each scope with its purpose; the provider's id of the person is on no page."""
    connected(alice, last_used_at=timezone.now(), last_used_for="sidebar.lookup")
    text = page(signed_in(alice), "connections/")
    assert '<span class="tag good">Connected</span>' in text
    assert alice.username in text
    assert "Looking up the people of a message" in text
    assert "subject-of" not in text
    for scope in SALESFORCE:
        assert f"<code>{scope}</code>" in text
    assert re.search(r"Last proven to work</dt><dd>[^<]+ \d\d:\d\d (CET|CEST)", text)


@pytest.mark.parametrize(
    ("given", "words", "advice"),
    [
        ({"last_success_at": None}, "Not proven lately", "could not be asked within the last day"),
        ({"state": State.DEGRADED, "reason": "Salesforce is down."}, "Connected, with trouble", "we keep trying"),
        ({"state": State.NEEDS_RECONNECT, "reason": "It was revoked."}, "Reconnect needed", "Connect again."),
        (
            {"state": State.NEEDS_RECONNECT, "reason": "You may not use it.", "cause": "api_disabled"},
            "Reconnect needed",
            "Your administrator can mend this at Salesforce: Setup, Permission Sets",
        ),
        ({"state": State.SUSPECT}, "Being checked", "We ask Salesforce whether this connection still works."),
        ({"state": State.REVOKING}, "Being ended", "has not confirmed the end yet"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_every_state_says_why_and_what_to_do(given: dict[str, Any], words: str, advice: str, alice: Member) -> None:
    """Healthy is shown only where it was proven within the last day."""
    connected(alice, **given)
    text = page(signed_in(alice), "connections/")
    assert f">{words}</span>" in text
    assert advice in text
    assert given.get("reason", "") in text


def test_what_is_ended_is_gone_and_can_be_connected(alice: Member) -> None:
    connected(alice, state=State.SHREDDED)
    text = page(signed_in(alice), "connections/")
    assert "Connect Salesforce" in text
    assert "/disconnect/" not in text


def test_only_providers_that_are_set_up_are_offered(alice: Member, settings: Settings) -> None:
    settings.GOOGLE_CLIENT_ID = settings.MICROSOFT_CLIENT_ID = ""
    text = page(signed_in(alice), "connections/")
    assert "Connect Google" not in text
    settings.GOOGLE_CLIENT_ID = "google-client"
    text = page(signed_in(alice), "connections/")
    assert 'href="http://localhost:8000/connect/google/?next=%2Fdashboard%2Fconnections%2F"' in text
    assert "Connect Microsoft" not in text


def test_a_feature_that_lacks_a_scope_is_named(alice: Member) -> None:
    """C10: email sync is on, and the mailbox was connected before it was."""
    connected(alice, "google", account="alice.private@gmail.example")
    assert "does not work yet" not in page(signed_in(alice), "connections/")
    policy.change(alice, policy.Level.ORGANIZATION, values={"email.sync.enabled": True})
    text = page(signed_in(alice), "connections/")
    assert "Email sync does not work yet. You have not allowed this:" in text
    assert "alice.private@gmail.example" in page(signed_in(alice), ""), "it is held, so it stands there"
    assert "alice.private@gmail.example" in text
    (shape,) = people.api(alice).call("get", "connections/").json()["connections"]
    assert (shape["provider"], shape["account"]) == ("google", "alice.private@gmail.example")
    assert {missing["feature"] for missing in shape["missing_scopes"]} == {"email sync"}
    assert all(missing["purpose"] for missing in shape["missing_scopes"])


def test_disconnecting_asks_first(alice: Member) -> None:
    row = connected(alice, "google")
    browser = signed_in(alice)
    text = page(browser, f"connections/{row.pk}/disconnect/")
    assert "<h1>Disconnect Google?</h1>" in text
    assert 'action="/connect/google/disconnect/"' in text
    assert Connection.objects.get().state == State.HEALTHY
    assert browser.post(f"/dashboard/connections/{row.pk}/disconnect/").status_code == 405


def test_nobody_else_ends_a_connection(everybody: Any) -> None:
    """Bob, a user of the same organization, and Charlie, the administrator of another: there is no such one."""
    alice, bob, charlie = everybody
    row = connected(alice, "google")
    for member, refusal in ((bob, 403), (charlie, 404)):
        page(signed_in(member), f"connections/{row.pk}/disconnect/", status=404)
        assert signed_in(member).post(f"/dashboard/connections/{row.pk}/end/").status_code == refusal
    assert Connection.objects.get().state == State.HEALTHY


def test_an_administrator_ends_a_members_connection(everybody: Any) -> None:
    alice, bob, _ = everybody
    row = connected(bob, "google")
    browser = signed_in(alice)
    assert "Bob Brown" in page(browser, f"connections/{row.pk}/disconnect/")
    answer = browser.post(f"/dashboard/connections/{row.pk}/end/")
    assert answer["Location"] == "/dashboard/connections/everybody/?ended=over&provider=google"
    assert "The connection to Google was over already" in page(browser, answer["Location"].removeprefix("/dashboard/"))
    for nonsense in ("ended=over&provider=acme", "ended=x&provider=google", "ended=&provider=google", "ended=over"):
        assert 'role="status"' not in page(browser, f"connections/everybody/?{nonsense}")
    assert Connection.objects.get().state == State.SHREDDED
    entry = AuditEntry.objects.get(action="connection.disconnected")
    assert (entry.actor, entry.target) == (f"member:{alice.pk}", str(row.pk))
    assert browser.post(f"/dashboard/connections/{row.pk}/end/").status_code == 404


def test_an_administrator_sees_states_and_no_mailbox_address(everybody: Any) -> None:
    """R4: counts, names as on the members page, states; nothing of another organization."""
    alice, bob, charlie = everybody
    connected(alice)
    connected(bob, "google", account="bob.private@gmail.example")
    connected(bob, state=State.NEEDS_RECONNECT, reason="It was revoked at Salesforce.")
    connected(charlie)
    text = page(signed_in(alice), "connections/everybody/")
    assert re.search(r"<dt>Salesforce</dt><dd>1 <span class=\"tag bad\">Reconnect needed</span>", text)
    assert text.index("It was revoked at Salesforce.") < text.index("Alice Adams <span")
    for hidden in ("bob.private", "subject-of", "Charlie"):
        assert hidden not in text
    page(signed_in(bob), "connections/everybody/", status=403)
    assert "Everybody's connections" not in page(signed_in(bob), "connections/")


def test_the_overview_asks_as_little_for_many_as_for_few(everybody: Any, django_assert_max_num_queries: Any) -> None:
    for number in range(120):
        connected(everybody[1], "google", subject=str(number))
    client = signed_in(everybody[0])
    with django_assert_max_num_queries(8):
        assert "Page 1 of 2" in page(client, "connections/everybody/")
    for nonsense in ("0", "-1", "x", "9" * 30):
        page(client, f"connections/everybody/?page={nonsense}")


def test_add_ins_are_listed_and_signed_out_one_by_one(everybody: Any) -> None:
    """C3: revoking one leaves the others; another member's does not exist."""
    alice, bob, _ = everybody
    one, other = device(alice), device(alice, "macOS")
    browser = signed_in(alice)
    text = page(browser, "connections/")
    assert "Outlook task pane on Windows, Edge" in text
    assert "Outlook task pane on macOS" in text
    for nobodys in (str(device(bob).pk), str(uuid.uuid4()), "x", ""):
        assert browser.post("/dashboard/connections/sign-out-device/", {"device": nobodys}).status_code == 404
    assert browser.post("/dashboard/connections/sign-out-device/", {"device": str(one.pk)}).status_code == 302
    text = page(browser, "connections/?saved=device")
    assert "Outlook task pane on Windows, Edge" not in text
    assert list(Device.objects.filter(member=alice)) == [other]


def test_signing_out_everywhere_ends_this_browser_too(alice: Member) -> None:
    device(alice)
    browsers = signed_in(alice), signed_in(alice)
    assert browsers[0].post("/dashboard/connections/sign-out-everywhere/")["Location"] == "/dashboard/"
    assert not Device.objects.filter(member=alice).exists()
    for browser in browsers:
        assert browser.get("/dashboard/connections/").status_code == 302


def test_forms_need_our_own_page(alice: Member) -> None:
    """BI-G1."""
    row = connected(alice)
    browser = signed_in(alice, enforce_csrf_checks=True)
    for path in ("sign-out-device/", "sign-out-everywhere/", f"{row.pk}/end/"):
        assert browser.post(f"/dashboard/connections/{path}", {"device": str(device(alice).pk)}).status_code == 403
    assert Device.objects.count() == 3


def test_a_stranger_is_sent_to_sign_in() -> None:
    for path in ("", "everybody/", f"{uuid.uuid4()}/disconnect/"):
        answer = Client(headers=HOST).get(f"/dashboard/connections/{path}")
        assert answer["Location"].startswith("/connect/salesforce/?next=/dashboard/connections/")


def test_old_proof_counts_for_a_day(alice: Member) -> None:
    row = connected(alice)
    for age, words in ((timedelta(hours=23), "Connected"), (timedelta(hours=25), "Not proven lately")):
        Connection.objects.filter(pk=row.pk).update(last_success_at=timezone.now() - age)
        assert f">{words}</span>" in page(signed_in(alice), "connections/")


def test_an_organizations_own_app_is_enough_to_connect(everybody: Any, settings: Settings) -> None:
    """Its own members are offered it; another organization's are not."""
    alice, bob, charlie = everybody
    settings.GOOGLE_CLIENT_ID = settings.MICROSOFT_CLIENT_ID = ""
    registrations.register(mailboxes.login_url("google"), "own", None, alice.organization_id, "google")
    for member, is_offered in ((alice, True), (bob, True), (charlie, False)):
        text = page(signed_in(member), "connections/")
        assert ("Connect Google" in text) is is_offered
        assert "Connect Microsoft" not in text
