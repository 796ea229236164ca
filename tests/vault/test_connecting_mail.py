"""Connecting Google and Microsoft, the whole way against the simulated ones: consent, refusals, reconnecting (C1, C2,
C9, C10), and what ends with whom."""

import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import OperationalError, connections
from django.test import Client
from pytest_django import Settings

from organizations import audit, policy
from organizations.models import AuditEntry, Member
from providers.errors import NeedsReconnect, PermissionMissing
from tests.faults.oracle import Oracle
from tests.organizations import people
from tests.vault.accounts import PROVIDERS, TOKEN_PATH, Provider, StoppedThereError, simulated
from tests.vault.keyrings import new_kek
from tests.vault.test_doors import HOST, sentence
from vault import (
    clients,
    clock,
    consent,
    dialects,
    findings,
    grants,
    keys,
    mailboxes,
    registrations,
    revocation,
    standing,
)
from vault.models import Connection, Credential, DiscardedGrant, PendingSignIn, State
from vault.tokens import ConnectionTokens

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)

MAIL = {"google": "https://www.googleapis.com/auth/gmail.readonly", "microsoft": "Mail.Read"}
EVENTS = {"google": "https://www.googleapis.com/auth/calendar.events", "microsoft": "Calendars.ReadWrite"}
OTHER = {"google": "microsoft", "microsoft": "google"}


@pytest.fixture(scope="module")
def _simulators() -> Iterator[dict[str, Provider]]:
    with simulated(*PROVIDERS) as running:
        yield running


@pytest.fixture
def both(_simulators: dict[str, Provider], settings: Settings, oracle: Oracle) -> dict[str, Provider]:
    """Judged by the oracle, which reads the ledgers of both."""
    settings.OUTBOUND_CA_BUNDLE = _simulators["google"].info["ca"]
    for running in _simulators.values():
        running.configure(settings)
        running.sim("reset", {"grants": True})
        oracle.witness(partial(running.sim, "ledger"))
    keys.verify_kek()  # the first start
    return _simulators


@pytest.fixture(params=PROVIDERS)
def sim(request: pytest.FixtureRequest, both: dict[str, Provider]) -> Provider:
    return both[request.param]


@pytest.fixture
def google(both: dict[str, Provider]) -> Provider:
    return both["google"]


@pytest.fixture
def microsoft(both: dict[str, Provider]) -> Provider:
    return both["microsoft"]


@pytest.fixture
def alice() -> Member:
    return people.everybody()[0]


@pytest.fixture
def bob(alice: Member) -> Member:
    return Member.objects.get(name="Bob Brown")


@pytest.fixture
def charlie(alice: Member) -> Member:
    return Member.objects.get(name="Charlie Chen")


def browser_of(member: Member) -> Client:
    browser = Client(headers=HOST)
    browser.force_login(member, backend="organizations.authentication.MemberBackend")
    return browser


def page_of(sim: Provider, browser: Client) -> str:
    answer = browser.get(f"/connect/{sim.name}/")
    assert answer.status_code == 200, sentence(answer)
    return answer.content.decode()


def begin(sim: Provider, browser: Client, **extra: str) -> str:
    answer = browser.post(f"/connect/{sim.name}/", extra)
    assert answer.status_code == 302, sentence(answer)
    return str(answer["Location"])


def asked(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def come_back(sim: Provider, browser: Client, user: str, ticked: Sequence[str] = ("all",), **how: Any) -> Any:
    return browser.get(sim.walk(begin(sim, browser), user, ticked=ticked, **how))


def connect(sim: Provider, member: Member, user: str = "alice") -> Connection:
    answer = come_back(sim, browser_of(member), user)
    assert answer.status_code == 302, sentence(answer) or answer.content.decode()
    return Connection.objects.get(member=member, provider=sim.name, state=State.HEALTHY)


def is_renewed(row: Connection) -> bool:
    """As whoever meets a refused access token renews it."""
    refused = grants.load(Connection.objects.get(pk=row.pk)).access_token
    return not grants.same(ConnectionTokens(row.pk, "test").access(rejected=refused).token, refused)


def switch_on(member: Member, *names: str) -> None:
    for name in names:
        policy.set_member_value(member, name, True)


# -- the way there ------------------------------------------------------------------------------------------------


def test_the_page_says_which_scopes_and_why_before_anything_is_asked(sim: Provider, alice: Member) -> None:
    """C10: only those of features that are on."""
    browser = browser_of(alice)
    text = page_of(sim, browser)
    assert "Email sync and calendar sync are off" in text
    assert MAIL[sim.name] not in text
    switch_on(alice, "email.sync.enabled")
    text = page_of(sim, browser)
    assert f"<code>{MAIL[sim.name]}</code>" in text
    assert EVENTS[sim.name] not in text
    assert "Switched on for you: email sync." in text
    assert not [word for word in ("<script", "style=", 'type="password"') if word in text]
    assert sim.calls() == []


def test_the_authorize_request(sim: Provider, alice: Member) -> None:
    """C1, C10: code, PKCE S256, state, nonce, exact redirect URI, the scopes of what is on; no address in it."""
    switch_on(alice, "cal.sync.to_sf")
    sent = asked(begin(sim, browser_of(alice)))
    assert (sent["response_type"], sent["code_challenge_method"]) == ("code", "S256")
    assert (len(sent["code_challenge"]), len(sent["state"]) >= 43, len(sent["nonce"]) >= 22) == (43, True, True)
    assert sent["redirect_uri"] == f"http://localhost:8000/connect/{sim.name}/callback/"
    assert set(sent["scope"].split()) == set(consent.wanted(alice, sim.name))
    assert EVENTS[sim.name] in sent["scope"]
    assert "drive" not in sent["scope"].lower()
    assert "@" not in str(sent)
    if sim.name == "google":
        assert (sent["access_type"], sent["include_granted_scopes"]) == ("offline", "true")
        assert "consent" in sent["prompt"]
    row = PendingSignIn.objects.get()
    assert sent["state"].encode() not in bytes(row.state_hash) + bytes(row.sealed_facts)


def test_a_stranger_is_sent_to_sign_in_and_can_begin_nothing(sim: Provider) -> None:
    """C1: identity is Salesforce's."""
    stranger, path = Client(headers=HOST), f"/connect/{sim.name}/"
    assert stranger.get(path)["Location"] == f"/connect/salesforce/?next=%2Fconnect%2F{sim.name}%2F"
    for answer in (stranger.post(path), stranger.get(f"{path}callback/"), stranger.post(f"{path}disconnect/")):
        assert answer.status_code == 403
        assert "Sign in with Salesforce first" in sentence(answer)
    assert not PendingSignIn.objects.exists()
    assert sim.calls() == []


def test_without_an_app_the_page_says_who_can_help(sim: Provider, alice: Member, settings: Settings) -> None:
    setattr(settings, f"{sim.name.upper()}_CLIENT_ID", "")
    answer = browser_of(alice).get(f"/connect/{sim.name}/")
    assert answer.status_code == 400
    assert "not set up here yet" in sentence(answer)
    assert f"{sim.name.upper()}_CLIENT_ID" in answer.content.decode()


def test_keys_that_cannot_be_used_are_told_on_the_page(
    sim: Provider, alice: Member, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """V17: what exactly is wrong is for the operator's log."""
    keys.primary_key(keys.INSTANCE)
    settings.VAULT_KEK = new_kek()
    keys.forget_all()
    answer = browser_of(alice).post(f"/connect/{sim.name}/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "60")
    assert sentence(answer).startswith("Our keys cannot be used just now")
    assert "nobody can connect" in caplog.text


def test_a_database_that_goes_away_during_the_exchange_leaves_no_grant_behind(
    sim: Provider, alice: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I2: the tokens are ended where they came from, as far as the provider can."""
    browser = browser_of(alice)
    url = begin(sim, browser)
    exchange = dialects.exchange

    def and_then_away(*args: Any, **kwargs: Any) -> Any:
        tokens = exchange(*args, **kwargs)
        monkeypatch.setattr(clock, "now", gone)
        monkeypatch.setattr(mailboxes, "_store", gone)
        return tokens

    def gone(*args: Any, **kwargs: Any) -> Any:
        raise OperationalError("the database is away")

    monkeypatch.setattr(dialects, "exchange", and_then_away)
    with pytest.raises(OperationalError):
        browser.get(sim.walk(url, "alice"))
    assert sim.name == "microsoft" or sim.grants("alice") == []
    assert not Connection.objects.exists()


def test_an_organizations_own_app_is_used_for_its_members_only(sim: Provider, alice: Member, charlie: Member) -> None:
    """The secret is sealed; a stranger's organization goes on with the operator's app."""
    client = registrations.client_at(mailboxes.login_url(sim.name), sim.name)
    assert client is not None
    registrations.register(
        mailboxes.login_url(sim.name), "own-app", client.client_secret, alice.organization_id, sim.name
    )
    assert asked(begin(sim, browser_of(alice)))["client_id"] == "own-app"
    assert asked(begin(sim, browser_of(charlie)))["client_id"] == sim.info["client_id"]
    assert registrations.unregister(mailboxes.login_url(sim.name), sim.name, alice.organization_id)
    assert asked(begin(sim, browser_of(alice)))["client_id"] == sim.info["client_id"]


@pytest.mark.parametrize("name", ["password", "Passwd", "pwd"])
@pytest.mark.parametrize("path", ["", "callback/", "disconnect/"])
def test_a_password_is_refused_and_not_logged(
    sim: Provider, alice: Member, path: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """C2."""
    browser, canary, url = browser_of(alice), "hunter2-canary", f"/connect/{sim.name}/{path}"
    as_json = browser.post(url, {name: canary}, content_type="application/json")
    answers = [browser.post(url, {name: canary}), browser.get(url, {name: canary}), as_json]
    assert [answer.status_code for answer in answers] == [400] * 3
    assert canary not in caplog.text + "".join(answer.content.decode() for answer in answers)


@pytest.mark.parametrize("path", ["", "disconnect/"])
def test_a_form_from_another_site_is_refused(sim: Provider, alice: Member, path: str) -> None:
    """BI-G1."""
    browser = Client(enforce_csrf_checks=True, headers=HOST)
    browser.force_login(alice, backend="organizations.authentication.MemberBackend")
    answer = browser.post(f"/connect/{sim.name}/{path}", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403


# -- connected ----------------------------------------------------------------------------------------------------


def test_connecting(sim: Provider, alice: Member) -> None:
    """C1, C10, C22: the row, its scopes as granted, the sealed grant, the audit entry; still signed in as before."""
    switch_on(alice, "email.sync.enabled", "cal.sync.to_sf")
    browser = browser_of(alice)
    answer = come_back(sim, browser, "alice")
    assert (answer.status_code, answer["Location"]) == (302, mailboxes_home())
    row = Connection.objects.get()
    assert (row.member, row.provider, row.state) == (alice, sim.name, State.HEALTHY)
    assert row.account == "alice@acme.example"
    assert row.login_url == sim.info["api_url"]
    assert consent.missing(row) == ()
    assert consent.unused(alice, sim.name, row.scopes) == ()
    grant = grants.load(row)
    assert grant.refresh_token is not None
    assert grant.expires_at is not None
    assert set(grant.scopes) == set(row.scopes)
    assert dialects.works(grant, sim.name)
    assert not PendingSignIn.objects.exists()
    facts = AuditEntry.objects.get(action="connection.connected").facts
    for secret in (grant.access_token.reveal(), grant.refresh_token.reveal(), "alice@acme.example"):
        assert secret not in str(facts)
    assert audit.verify(alice.organization_id) is None
    assert browser.get("/dashboard/").status_code == 200


def mailboxes_home() -> str:
    from vault.mailbox_pages import HOME

    return HOME


def test_the_way_back_leads_to_where_one_came_from(sim: Provider, alice: Member) -> None:
    browser = browser_of(alice)
    answer = browser.get(sim.walk(begin(sim, browser, next="/dashboard/policy/"), "alice"))
    assert answer["Location"] == "/dashboard/policy/"
    answer = browser.get(sim.walk(begin(sim, browser, next="//evil.example/"), "alice"))
    assert answer["Location"] == mailboxes_home()


def test_a_member_may_have_both(both: dict[str, Provider], alice: Member) -> None:
    rows = {name: connect(sim, alice) for name, sim in both.items()}
    for name, row in rows.items():
        assert clients.connection_of(alice, name).id == row.pk


def test_each_renewal_stays_with_its_provider(both: dict[str, Provider], alice: Member) -> None:
    """C5 for mail: refreshed where it was given, and nowhere else."""
    rows = {name: connect(sim, alice) for name, sim in both.items()}
    for name, row in rows.items():
        tokens, before = ConnectionTokens(row.pk, "test"), {n: len(s.calls("/token")) for n, s in both.items()}
        old = tokens.access().token
        assert not grants.same(tokens.access(rejected=old).token, old)
        after = {n: len(s.calls("/token")) for n, s in both.items()}
        assert after == before | {name: before[name] + 1}


# -- incremental consent ------------------------------------------------------------------------------------------


def test_switching_a_feature_on_asks_for_it_and_keeps_what_was_granted(sim: Provider, alice: Member) -> None:
    """C10: incremental."""
    switch_on(alice, "email.sync.enabled")
    row = connect(sim, alice)
    assert EVENTS[sim.name] not in " ".join(row.scopes)
    switch_on(alice, "cal.sync.from_sf")
    assert consent.missing(row) == (EVENTS[sim.name],)
    text = page_of(sim, browser_of(alice))
    assert "not allowed yet" in text
    again = connect(sim, alice)
    assert (again.pk, consent.missing(again)) == (row.pk, ())
    assert clients.connection_of(alice, sim.name, "email").id == row.pk
    policy.set_member_value(alice, "cal.sync.from_sf", False)
    assert "allowed, not used by us now" in page_of(sim, browser_of(alice))


def test_an_unticked_scope_is_told_and_the_rest_works(google: Provider, alice: Member) -> None:
    """C10: granular consent. Connected, and the feature says what is missing, without a call."""
    switch_on(alice, "email.sync.enabled", "cal.sync.to_sf")
    answer = come_back(google, browser_of(alice), "alice", ticked=[EVENTS["google"]])
    assert answer.status_code == 200
    text = answer.content.decode()
    assert "These cannot work yet: email sync." in text
    assert MAIL["google"] in text
    row = Connection.objects.get()
    assert row.state == State.HEALTHY
    assert consent.missing(row) == (MAIL["google"],)
    assert AuditEntry.objects.get(action="connection.connected").facts["missing"] == [MAIL["google"]]
    before = len(google.calls())
    assert clients.connection_of(alice, "google", "calendar").id == row.pk
    with pytest.raises(PermissionMissing, match="email sync") as caught:
        clients.connection_of(alice, "google", "email")
    assert caught.value.details[0].code == "scope_missing"
    assert len(google.calls()) == before


def test_an_earlier_broader_consent_is_recorded_and_shown_as_not_used(google: Provider, alice: Member) -> None:
    """include_granted_scopes: what this app was allowed before comes along; the stored set is the granted one."""
    switch_on(alice, "email.sync.enabled", "cal.sync.to_sf")
    row = connect(google, alice)
    broad = set(row.scopes)
    Connection.objects.all().delete()
    for name in ("email.sync.enabled", "cal.sync.to_sf"):
        policy.set_member_value(alice, name, False)
    row = connect(google, alice)
    assert set(row.scopes) == broad
    assert set(consent.unused(alice, "google", row.scopes)) == {MAIL["google"], EVENTS["google"]}
    newest = AuditEntry.objects.filter(action="connection.connected").order_by("-sequence").first()
    assert newest is not None
    assert set(newest.facts["unused"]) == {MAIL["google"], EVENTS["google"]}


# -- refusals -----------------------------------------------------------------------------------------------------


def test_saying_no_connects_nothing(sim: Provider, alice: Member) -> None:
    answer = come_back(sim, browser_of(alice), "alice", allow=False)
    assert answer.status_code == 403
    assert "did not allow" in sentence(answer)
    assert not Connection.objects.exists()
    assert not any(grant["refreshable"] for grant in sim.grants("alice"))


def test_a_replayed_callback_changes_nothing(sim: Provider, alice: Member) -> None:
    """C1, BI-B14: the very address that has just worked."""
    browser = browser_of(alice)
    arrived = sim.walk(begin(sim, browser), "alice")
    assert browser.get(arrived).status_code == 302
    before, calls = Connection.objects.get().generation, len(sim.calls("/token"))
    assert browser.get(arrived).status_code == 400
    assert Connection.objects.get().generation == before
    assert len(sim.calls("/token")) == calls


def test_a_foreign_state_is_worth_nothing(sim: Provider, alice: Member, bob: Member, charlie: Member) -> None:
    """C1, BI-B14: Alice's answer in the browser of Bob (same organization) and of Charlie; hers still works."""
    browser = browser_of(alice)
    arrived = sim.walk(begin(sim, browser), "alice")
    for other in (bob, charlie):
        theirs = browser_of(other)
        begin(sim, theirs)
        assert theirs.get(arrived).status_code == 400
    assert not Connection.objects.exists()
    assert browser.get(arrived).status_code == 302
    assert Connection.objects.get().member == alice


def test_begun_by_another_person_in_the_same_browser(sim: Provider, alice: Member, bob: Member) -> None:
    """The state is bound to who began, not to the browser alone."""
    browser = browser_of(alice)
    arrived = sim.walk(begin(sim, browser), "alice")
    binding = browser.session["sign_in_binding"]
    browser.force_login(bob, backend="organizations.authentication.MemberBackend")
    taken = browser.session
    taken["sign_in_binding"] = binding
    taken.save()
    answer = browser.get(arrived)
    assert (answer.status_code, "another person" in sentence(answer)) == (409, True)
    assert not Connection.objects.exists()


def test_an_answer_at_the_other_providers_address_is_refused(sim: Provider, alice: Member) -> None:
    """BI-B15: mix-up. No code is sent anywhere."""
    browser = browser_of(alice)
    arrived = sim.walk(begin(sim, browser), "alice")
    for other in (OTHER[sim.name], "salesforce"):
        answer = browser.get(arrived.replace(f"/{sim.name}/", f"/{other}/"))
        assert answer.status_code == 400
        arrived = sim.walk(begin(sim, browser), "alice")
    assert not Connection.objects.exists()
    assert sim.calls("/token") == []


@pytest.mark.parametrize("iss", ["https://evil.example", "", "https://login.salesforce.com"])
def test_an_answer_of_another_issuer_is_refused(sim: Provider, alice: Member, iss: str) -> None:
    """RFC 9207: checked wherever it comes."""
    browser = browser_of(alice)
    state = asked(begin(sim, browser))["state"]
    answer = browser.get(f"/connect/{sim.name}/callback/", {"state": state, "code": "code", "iss": iss})
    assert (answer.status_code, "another provider" in sentence(answer)) == (400, True)
    assert sim.calls("/token") == []


def test_where_iss_is_announced_it_must_come(google: Provider, alice: Member) -> None:
    from providers import oauth

    oauth._metadata.clear()
    google.sim("metadata", {"iss": True})
    browser = browser_of(alice)
    arrived = google.walk(begin(google, browser), "alice")
    given = asked(arrived)
    assert given.pop("iss") == google.info["api_url"]
    assert browser.get("/connect/google/callback/", given).status_code == 400
    assert browser.get(google.walk(begin(google, browser), "alice")).status_code == 302
    oauth._metadata.clear()


@pytest.mark.parametrize("answer", [{}, {"state": "x" * 43, "code": "c"}, {"state": "x" * 5_000}, {"state": "\x00"}])
def test_hostile_answers_are_a_plain_400(sim: Provider, alice: Member, answer: dict[str, str]) -> None:
    browser = browser_of(alice)
    begin(sim, browser)
    assert browser.get(f"/connect/{sim.name}/callback/", answer).status_code == 400
    assert PendingSignIn.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "error", "description", "says", "advice"),
    [
        ("google", "org_internal", "", "only to people of the organization", "make the app external"),
        ("google", "admin_policy_enforced", "", "Workspace administrator", "API controls"),
        ("google", "access_denied", "The app is being tested, and only test users", "in testing at", "test user"),
        ("microsoft", "consent_required", "AADSTS65001: not consented", "has to approve", "Grant admin consent"),
        ("microsoft", "access_denied", "AADSTS90094: needs admin", "has to approve", "Grant admin consent"),
        ("microsoft", "access_denied", "AADSTS65004: User declined", "did not allow", ""),
        ("microsoft", "invalid_request", "AADSTS50020: other tenant", "another organization", "work account"),
        ("microsoft", "access_denied", "AADSTS50105: not assigned", "to whom it was assigned", "Users and groups"),
        ("microsoft", "access_denied", "AADSTS53003: blocked", "Conditional Access", "Your administrator can"),
    ],
)
def test_a_refusal_says_who_can_help(
    both: dict[str, Provider], alice: Member, name: str, error: str, description: str, says: str, advice: str
) -> None:
    browser = browser_of(alice)
    state = asked(begin(both[name], browser))["state"]
    path = f"/connect/{name}/callback/"
    answer = browser.get(path, {"state": state, "error": error, "error_description": description})
    assert answer.status_code == 403
    assert says in sentence(answer)
    assert advice in answer.content.decode()
    assert f'href="http://localhost:8000/connect/{name}/"' in answer.content.decode()


def test_a_providers_other_text_is_escaped_and_cut(sim: Provider, alice: Member) -> None:
    """BI-B19."""
    browser = browser_of(alice)
    state = asked(begin(sim, browser))["state"]
    bad = "<img src=x onerror=alert(1)>" + "y" * 500
    answer = browser.get(
        f"/connect/{sim.name}/callback/", {"state": state, "error": "server_error", "error_description": bad}
    )
    assert answer.status_code == 400
    assert "<img" not in answer.content.decode()
    assert "y" * 250 not in sentence(answer)


@pytest.mark.parametrize(("publishing", "user"), [("testing", "alice"), ("internal", "casey"), ("production", "nina")])
def test_what_google_tells_on_its_own_page_we_have_told_before(
    google: Provider, alice: Member, publishing: str, user: str
) -> None:
    """From there nobody comes back: testing mode, internal app, a Workspace that blocks apps (G4)."""
    google.sim("apps", {"client_id": google.info["client_id"], "publishing": publishing})
    browser = browser_of(alice)
    text = page_of(google, browser)
    assert "If Google does not let you through" in text
    for word in ("test user", "external", "API controls"):
        assert word in text
    with pytest.raises(StoppedThereError):
        google.walk(begin(google, browser), user)
    assert not Connection.objects.exists()


def test_a_grant_for_a_time_says_when_it_ends(google: Provider, alice: Member) -> None:
    """Google ends it after seven days while the app is in testing; renewing moves that end no further."""
    assert list(findings.foretold()) == []
    app = {"client_id": google.info["client_id"], "publishing": "testing", "test_users": ["alice"]}
    google.sim("apps", app)
    row = connect(google, alice)
    ends_at = row.ends_at
    assert ends_at is not None
    assert timedelta(days=7) - (ends_at - clock.now()) < timedelta(minutes=5)
    assert is_renewed(row)
    row.refresh_from_db()
    assert row.ends_at == ends_at
    (shown,) = standing.of(alice)
    assert f"Google ends this connection on {ends_at.day} {ends_at:%B %Y}" in shown.status.advice
    (told,) = findings.foretold()
    assert told.message == f"Connections that Google ends by itself: 1, the first on {ends_at:%Y-%m-%d}."
    assert "publishes the app" in told.advice
    google.sim("apps", app | {"publishing": "production"})
    assert connect(google, alice).ends_at is None
    assert standing.of(alice)[0].status.advice == ""


def test_who_needs_an_administrators_approval_is_told_so(microsoft: Provider, alice: Member, bob: Member) -> None:
    """G4: the tenant lets nobody consent for himself."""
    switch_on(bob, "email.sync.enabled")
    microsoft.sim("tenants/acme.example", {"user_consent": False})
    answer = come_back(microsoft, browser_of(bob), "bob")
    assert (answer.status_code, "has to approve the app" in sentence(answer)) == (403, True)
    assert "Your administrator can mend this at Microsoft" in answer.content.decode()
    assert not Connection.objects.exists()


def test_a_tenant_that_is_not_let_in_is_told_on_microsofts_page(microsoft: Provider, alice: Member) -> None:
    """Tenant restriction: nobody comes back, and nothing is stored."""
    app = {"client_id": microsoft.info["client_id"], "tenants": ["7c1b6f1c-0000-4000-8000-000000000000"]}
    microsoft.sim("apps", app)
    with pytest.raises(StoppedThereError):
        microsoft.walk(begin(microsoft, browser_of(alice)), "alice")
    assert not Connection.objects.exists()


def test_a_provider_that_is_away_is_a_503(sim: Provider, alice: Member) -> None:
    """V9 for connecting: nothing stored; the same person tries again later."""
    browser = browser_of(alice)
    arrived = sim.walk(begin(sim, browser), "alice")
    sim.sim("faults", {"path": TOKEN_PATH[sim.name], "status": 503, "times": 1})
    answer = browser.get(arrived)
    assert (answer.status_code, answer["Retry-After"]) == (503, "60")
    assert not Connection.objects.exists()


def test_a_code_that_is_no_good_is_said_so(sim: Provider, alice: Member) -> None:
    browser = browser_of(alice)
    state = asked(begin(sim, browser))["state"]
    answer = browser.get(f"/connect/{sim.name}/callback/", {"state": state, "code": "4/0Anonsense"})
    assert answer.status_code == 400
    assert "start again" in answer.content.decode()
    assert not Connection.objects.exists()


def test_another_browsers_code_is_refused_by_its_verifier(sim: Provider, alice: Member, bob: Member) -> None:
    """C1: code injection. Bob's code under Alice's state: PKCE does not fit, nothing is connected."""
    hers, his = browser_of(alice), browser_of(bob)
    state = asked(begin(sim, hers))["state"]
    given = asked(sim.walk(begin(sim, his), "bob")) | {"state": state}
    answer = hers.get(f"/connect/{sim.name}/callback/", given)
    assert answer.status_code == 400
    assert not Connection.objects.exists()


# -- whose mailbox ------------------------------------------------------------------------------------------------


def test_a_colleagues_mailbox_is_refused_and_his_goes_on(sim: Provider, alice: Member, bob: Member) -> None:
    """V15: one row per account. The refused grant is not ended where that would end Bob's too."""
    row = connect(sim, bob, "bob")
    answer = come_back(sim, browser_of(alice), "bob")
    assert (answer.status_code, "A colleague has connected" in sentence(answer)) == (409, True)
    assert "bob" not in answer.content.decode().lower()
    assert Connection.objects.get() == row
    assert dialects.works(grants.load(Connection.objects.get()), sim.name)
    assert not DiscardedGrant.objects.exists()


def test_a_stranger_of_another_organization_is_not_told_who_has_it(
    sim: Provider, alice: Member, charlie: Member
) -> None:
    """Two organizations, two rows: neither hears of the other."""
    hers = connect(sim, alice)
    his = connect(sim, charlie)
    assert hers.subject == his.subject
    assert hers.organization_id != his.organization_id
    assert dialects.works(grants.load(hers), sim.name)


def test_another_account_is_refused_while_one_is_connected(sim: Provider, alice: Member) -> None:
    """The code of another person on reconnecting: nothing is replaced, and nothing of the stranger is kept."""
    row = connect(sim, alice)
    answer = come_back(sim, browser_of(alice), "bob")
    assert (answer.status_code, "another" in sentence(answer)) == (409, True)
    assert "disconnect that one first" in answer.content.decode()
    now = Connection.objects.get()
    assert (now.pk, now.subject, now.generation) == (row.pk, row.subject, row.generation)
    assert dialects.works(grants.load(now), sim.name)
    if sim.name == "google":
        assert sim.grants("bob") == [], "what we refused does not stay there"


def test_once_disconnected_another_account_or_another_person_may(sim: Provider, alice: Member, bob: Member) -> None:
    first = connect(sim, alice)
    revocation.disconnect(first.pk, alice)
    second = connect(sim, alice, "bob")
    assert second.pk != first.pk
    revocation.disconnect(second.pk, alice)
    third = connect(sim, bob, "alice")
    assert (third.pk, third.member) == (first.pk, bob)
    assert clients.connection_of(bob, sim.name).id == third.pk


# -- reconnecting -------------------------------------------------------------------------------------------------


def test_reconnecting_keeps_the_row_and_replaces_the_grant(sim: Provider, alice: Member) -> None:
    """V14, V15: same row, next generation, another grant; the new one works on, whatever becomes of the old one."""
    row = connect(sim, alice)
    old = grants.load(row)
    again = connect(sim, alice)
    new = grants.load(again)
    assert (again.pk, again.generation) == (row.pk, row.generation + 1)
    assert new.id != old.id
    assert Credential.objects.count() == 1
    assert dialects.works(new, sim.name)
    assert not DiscardedGrant.objects.exists(), "wiped, as far as it could not be ended there by itself"
    assert is_renewed(again)


def test_a_dead_grant_is_mended_by_connecting_again(google: Provider, alice: Member) -> None:
    """Withdrawn at Google: NEEDS_RECONNECT with the reason, then healthy again in the same row (C17)."""
    row = connect(google, alice)
    google.sim("users/alice", {"withdraw": True})
    tokens = ConnectionTokens(row.pk, "test")
    with pytest.raises(NeedsReconnect):
        tokens.access(rejected=grants.load(row).access_token)
    row.refresh_from_db()
    assert row.state == State.NEEDS_RECONNECT
    assert row.reason in page_of(google, browser_of(alice)).replace("&#x27;", "'")
    assert connect(google, alice).pk == row.pk


def test_two_callbacks_at_once_leave_one_row_and_one_working_grant(sim: Provider, alice: Member) -> None:
    """V15."""
    browsers = [browser_of(alice) for _ in range(4)]
    arrived = [sim.walk(begin(sim, browser), "alice") for browser in browsers]
    statuses: list[int] = []

    def arrive(number: int) -> None:
        statuses.append(browsers[number].get(arrived[number]).status_code)
        connections.close_all()

    threads = [threading.Thread(target=arrive, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [302] * 4
    row = Connection.objects.get()
    assert row.state == State.HEALTHY
    assert dialects.works(grants.load(row), sim.name)
    assert is_renewed(row)


def test_two_accounts_at_once_leave_one(sim: Provider, alice: Member) -> None:
    """One mailbox each: the second window is told."""
    pairs = [(browser_of(alice), user) for user in ("alice", "bob")]
    arrived = [(browser, sim.walk(begin(sim, browser), user)) for browser, user in pairs]
    statuses: list[int] = []

    def arrive(browser: Client, address: str) -> None:
        statuses.append(browser.get(address).status_code)
        connections.close_all()

    threads = [threading.Thread(target=arrive, args=each) for each in arrived]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [302, 409]
    assert Connection.objects.get().state == State.HEALTHY


def test_google_without_a_refresh_token_is_refused(google: Provider, alice: Member) -> None:
    """Lasting access or none: without it nothing could be synced, and the person would not learn why."""
    browser = browser_of(alice)
    url = begin(google, browser).replace("access_type=offline", "access_type=online")
    answer = browser.get(google.walk(url, "alice"))
    assert (answer.status_code, "no lasting access" in sentence(answer)) == (403, True)
    assert not Connection.objects.exists()
    assert google.grants("alice") == []


# -- the end ------------------------------------------------------------------------------------------------------


def test_disconnecting_ends_it_and_signs_nobody_out(sim: Provider, alice: Member, bob: Member) -> None:
    """C17: wiped here, ended there or said how; Bob's is his."""
    row, his = connect(sim, alice), connect(sim, bob, "bob")
    browser = browser_of(alice)
    answer = browser.post(f"/connect/{sim.name}/disconnect/")
    text = answer.content.decode()
    assert answer.status_code == 200
    row.refresh_from_db()
    assert (row.state, row.account) == (State.SHREDDED, "")
    assert not Credential.objects.filter(connection=row).exists()
    assert browser.get("/dashboard/").status_code == 200
    alice.refresh_from_db()
    assert alice.is_confirmed
    assert dialects.works(grants.load(his), sim.name)
    if sim.name == "google":
        assert sim.grants("alice") == []
        assert "here and at Google" in text
    else:
        assert "myapps.microsoft.com" in text
        assert "tokens have been deleted" in text


def test_a_disconnect_that_google_hears_late_does_not_end_the_next_connection(google: Provider, alice: Member) -> None:
    """Google ends all of a person's grants together: what is retried after he has connected again must be let go."""
    row = connect(google, alice)
    google.sim("faults", {"path": "/revoke", "status": 503, "times": 1})
    revocation.disconnect(row.pk, alice)
    (waiting,) = DiscardedGrant.objects.values_list("pk", flat=True)
    assert come_back(google, browser_of(alice), "alice").status_code == 302
    again = Connection.objects.get()
    assert again.state == State.DEGRADED, "Google may have obeyed all the same (test_ending_crossed.py)"
    DiscardedGrant.objects.update(retry_at=again.connected_at)
    assert revocation.finish(waiting)
    assert is_renewed(again)
    assert Connection.objects.get().state == State.HEALTHY


def test_one_organizations_disconnect_leaves_the_others_connection(
    google: Provider, alice: Member, charlie: Member
) -> None:
    hers, his = connect(google, alice), connect(google, charlie)
    revocation.disconnect(hers.pk, alice)
    assert is_renewed(his)
    revocation.disconnect(his.pk, charlie)
    assert google.grants("alice") == []
