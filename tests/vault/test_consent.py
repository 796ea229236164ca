"""What is asked for follows what is switched on: wanted, missing, unused, and no call without a scope (C10, C14)."""

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from organizations import policy
from organizations.models import Member
from providers.errors import NeedsReconnect, PermissionMissing
from tests.organizations import people
from vault import clients, consent, dialects, policies
from vault.errors import ConnectRequired
from vault.models import Connection, State

pytestmark = pytest.mark.django_db

_AUTH = "https://www.googleapis.com/auth/"
GMAIL, EVENTS = f"{_AUTH}gmail.readonly", f"{_AUTH}calendar.events"
WHO = ("openid", f"{_AUTH}userinfo.email", f"{_AUTH}userinfo.profile")
MAIL = {"google": GMAIL, "microsoft": "Mail.Read"}
CALENDAR = {"google": EVENTS, "microsoft": "Calendars.ReadWrite"}
BOTH = ("google", "microsoft")


@pytest.fixture
def alice() -> Member:
    return people.everybody()[0]


def switch(member: Member, key: str, on: bool) -> None:
    policy.set_member_value(member, key, on)


def connected(member: Member, provider: str, *granted: str, **changes: object) -> Connection:
    values: dict[str, object] = {"subject": f"{provider}-1", "login_url": "https://x.example", "state": State.HEALTHY}
    row = Connection(organization=member.organization, member=member, provider=provider, scopes=list(granted))
    for name, value in (values | changes).items():
        setattr(row, name, value)
    row.save()
    return row


@pytest.mark.parametrize("name", BOTH)
def test_with_nothing_switched_on_only_who_it_is_is_asked(alice: Member, name: str) -> None:
    """C10."""
    asked = consent.wanted(alice, name)
    assert MAIL[name] not in asked
    assert CALENDAR[name] not in asked
    assert all(dialects.of(name).purpose_of(scope) for scope in asked)


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize(
    ("key", "table"), [("email.sync.enabled", MAIL), ("cal.sync.to_sf", CALENDAR), ("cal.sync.from_sf", CALENDAR)]
)
def test_each_feature_adds_its_own_scope_and_no_other(
    alice: Member, name: str, key: str, table: dict[str, str]
) -> None:
    """C10: incremental, per feature; never Drive (C14, C64)."""
    before = set(consent.wanted(alice, name))
    switch(alice, key, True)
    after = set(consent.wanted(alice, name))
    assert after - before == {table[name]}
    assert not any("drive" in scope.lower() or "files" in scope.lower() for scope in after)
    switch(alice, key, False)
    assert set(consent.wanted(alice, name)) == before


def test_what_is_switched_on_for_everybody_is_asked_of_everybody_there(alice: Member) -> None:
    """An organization's value counts for its members, and for no stranger."""
    _, bob, charlie = people.everybody()
    policy.set_organization_value(alice, alice.organization_id, "email.sync.enabled", True)
    assert GMAIL in consent.wanted(bob, "google")
    assert GMAIL not in consent.wanted(charlie, "google")


@pytest.mark.parametrize("name", BOTH)
def test_switching_on_makes_a_scope_missing_and_off_again_asks_for_nothing(alice: Member, name: str) -> None:
    """C10: granted and compared; what stays granted is shown as not used."""
    row = connected(alice, name, *consent.wanted(alice, name))
    assert consent.missing(row) == ()
    switch(alice, "email.sync.enabled", True)
    assert consent.missing(row) == (MAIL[name],)
    row.scopes.append(MAIL[name])
    assert consent.missing(row) == ()
    switch(alice, "email.sync.enabled", False)
    assert consent.missing(row) == ()
    assert consent.unused(alice, name, row.scopes) == (MAIL[name],)
    shown = {each.scope: each for each in consent.shown(alice, name, row.scopes)}
    assert (shown[MAIL[name]].is_granted, shown[MAIL[name]].is_wanted) == (True, False)


def test_scopes_are_compared_as_the_provider_spells_them(alice: Member) -> None:
    """Google's URLs for `email` and `profile`; Microsoft's case and prefix, and that it never says offline_access."""
    google = connected(alice, "google", "openid", "email", "profile")
    assert consent.missing(google) == ()
    microsoft = connected(alice, "microsoft", "https://graph.microsoft.com/user.read")
    assert consent.missing(microsoft) == ()
    assert consent.unused(alice, "microsoft", microsoft.scopes) == ()


def test_more_than_was_asked_is_shown_as_not_used(alice: Member) -> None:
    """C10: a broader grant is recorded and said, not hidden."""
    drive = f"{_AUTH}drive"
    row = connected(alice, "google", *WHO, drive)
    shown = consent.shown(alice, "google", row.scopes)[-1]
    assert (shown.scope, shown.is_wanted) == (drive, False)
    assert "not used by us" in shown.purpose


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize(("feature", "table"), [("email", MAIL), ("calendar", CALENDAR)])
def test_a_feature_without_its_scope_is_refused_here(
    alice: Member, name: str, feature: str, table: dict[str, str]
) -> None:
    """`scope_missing`, before any token is opened or any provider asked."""
    row = connected(alice, name, *consent.wanted(alice, name))
    with pytest.raises(PermissionMissing) as caught:
        clients.connection_of(alice, name, feature)
    (detail,) = caught.value.details
    assert (detail.code, detail.fields) == (consent.SCOPE_MISSING, (table[name],))
    assert not row.last_used_at
    with CaptureQueriesContext(database) as asked:
        assert clients.connection_of(alice, name).id == row.pk
    assert len(asked) == 0, "kept from the call before"


def test_a_feature_with_its_scope_is_let_through(alice: Member) -> None:
    row = connected(alice, "google", *WHO, EVENTS)
    ref = clients.connection_of(alice, "google", "calendar")
    assert (ref.id, ref.provider, ref.can_renew) == (row.pk, "google", True)


def test_connections_of_two_providers_are_not_taken_for_each_other(alice: Member) -> None:
    google = connected(alice, "google", *WHO)
    microsoft = connected(alice, "microsoft", "User.Read")
    assert clients.connection_of(alice, "google").id == google.pk
    assert clients.connection_of(alice, "microsoft").id == microsoft.pk
    with pytest.raises(ConnectRequired) as caught:
        clients.salesforce_connection_of(alice)
    assert caught.value.provider == "salesforce"


def test_a_grant_to_be_mended_says_so_and_a_colleagues_is_nobody_elses(alice: Member) -> None:
    """C9: Bob and Charlie have connected nothing."""
    _, bob, charlie = people.everybody()
    connected(alice, "google", *WHO, state=State.NEEDS_RECONNECT)
    with pytest.raises(NeedsReconnect) as caught:
        clients.connection_of(alice, "google")
    assert "Google" in str(caught.value)
    for other in (bob, charlie):
        with pytest.raises(ConnectRequired):
            clients.connection_of(other, "google")


def test_features_in_words() -> None:
    assert consent.in_words(()) == ""
    assert consent.in_words({"email"}) == "email sync"
    assert consent.in_words({policies.CALENDAR, policies.EMAIL}) == "email sync and calendar sync"


@pytest.mark.parametrize(
    ("name", "path"),
    [("google", "https://accounts.google.com"), ("microsoft", "https://login.microsoftonline.com")],
)
def test_where_to_connect(name: str, path: str, settings: object) -> None:
    from vault import mailboxes

    assert clients.reconnect_url(name, "/x") == f"http://localhost:8000/connect/{name}/?next=%2Fx"
    assert mailboxes.redirect_uri(name) == f"http://localhost:8000/connect/{name}/callback/"
    assert mailboxes.login_url(name) == path
