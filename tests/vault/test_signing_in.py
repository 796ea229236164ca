"""Signing in is signing in at Salesforce: the whole way against the simulated one (C1, C5, C6, C9 to C11, C17, C23)."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from django.db import OperationalError, connections
from django.db.models.functions import Now
from django.test import Client
from pytest_django import Settings

from organizations import audit
from organizations.models import AuditEntry, Epoch, Member, Organization
from providers.base import Identity, Secret
from providers.errors import NeedsReconnect
from tests.faults.oracle import Oracle
from tests.simulators.running import Running, salesforce_process  # noqa: F401  a fixture
from tests.vault.test_doors import HOST, PAGE, begin, sentence
from vault import access, admission, clients, grants, keys, leases, registrations, revocation, rotation, upkeep
from vault.errors import ConnectRequired
from vault.models import Connection, Credential, DataKey, DiscardedGrant, ObjectAccess, PendingSignIn, State

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


@pytest.fixture
def sim(salesforce_process: Running, settings: Settings, oracle: Oracle) -> Iterator[Running]:  # noqa: F811
    """Without any grant or consent; records are as any test left them, since none here writes one. Judged by the
    oracle, which reads the ledger of every org."""
    salesforce = salesforce_process
    settings.SALESFORCE_ORIGINS = salesforce.origins()
    settings.OUTBOUND_CA_BUNDLE = salesforce.ca
    settings.SALESFORCE_CLIENT_ID = salesforce.org()["client_id"]
    settings.SALESFORCE_CLIENT_SECRET = salesforce.org()["client_secret"]
    salesforce.reset(grants=True, only=["calls", "faults", "limits"])
    for org in salesforce.info["orgs"]:
        oracle.witness(partial(salesforce.sim, "ledger", org=org["key"]))
    yield salesforce
    for host in (*salesforce.info["orgs"], *salesforce.info["login_hosts"]):
        salesforce.sim("metadata", {"iss": False}, host["key"])


def come_back(sim: Running, browser: Client, user: str, org: str, login: str, allow: bool = True) -> Any:
    """Begin at `login`, sign in and consent at Salesforce, and follow the redirect back to us."""
    sent = begin(browser, login, next="/dashboard/connections/")
    arrived = sim.walk(sent["url"], user, org, sent["redirect_uri"], allow)
    return browser.get(arrived.removeprefix("http://localhost:8000"))


def sign_in(
    sim: Running, user: str = "alice", org: str = "acme", login: str | None = None
) -> tuple[Client, Connection]:
    browser = Client(headers=HOST)
    answer = come_back(sim, browser, user, org, login or sim.org(org)["api_url"])
    assert answer.status_code == 302, sentence(answer)
    assert answer["Location"] == "/dashboard/connections/"
    return browser, Connection.objects.get(member_id=browser.session["_auth_user_id"])


def live_grants(sim: Running, user: str = "alice", org: str = "acme") -> int:
    return sum(grant["user"] == user for grant in sim.sim("state?object=None", org=org)["grants"])


def test_the_first_sign_in_founds_the_organization(sim: Running) -> None:
    """C1, C10, C11, C23, C24."""
    browser, row = sign_in(sim)
    member = row.member
    assert (member.username, member.role, member.name) == ("alice@acme.example", "primary_admin", "Alice Anderson")
    assert (member.profile, row.subject) == ("System Administrator", sim.org()["users"][0]["id"])
    assert member.organization.salesforce_org_id == sim.org()["salesforce_org_id"]
    assert (row.state, row.scopes) == (State.HEALTHY, ["id", "api", "refresh_token", "web"])
    assert row.login_url == sim.org()["api_url"]
    seen = access.load(row.pk)
    assert seen is not None
    assert "Email" in seen.objects["Contact"].fields
    assert not PendingSignIn.objects.exists()
    assert audit.verify(member.organization_id) is None
    facts = AuditEntry.objects.get(action="connection.connected").facts
    assert grants.load(row).access_token.reveal() not in str(facts)
    assert browser.get("/dashboard/").status_code == 200


def test_a_look_up_works_through_the_vault(sim: Running) -> None:
    """The door for products: crm_for; one lease, one audit row, one counted call."""
    _, row = sign_in(sim)
    ref = clients.salesforce_connection_of(row.member)
    before = len(sim.calls())
    crm = clients.crm_for(ref, "sidebar.lookup")
    assert crm.find_people(["nobody@nowhere.example"])["nobody@nowhere.example"].people == ()
    assert len(sim.calls()) == before + 1
    was = row.last_success_at
    row.refresh_from_db()
    assert row.last_used_for == "sidebar.lookup"
    assert was is not None
    assert row.last_success_at is not None
    assert row.last_success_at > was


def test_who_has_not_connected_causes_no_call(sim: Running) -> None:
    """C9."""
    _, row = sign_in(sim)
    before = len(sim.calls(counted=False))
    bob = Member.objects.create(organization=row.organization, salesforce_user_id="005Ac0000000002IAA")
    with pytest.raises(ConnectRequired):
        clients.salesforce_connection_of(bob)
    assert len(sim.calls(counted=False)) == before


def test_denying_connects_nothing(sim: Running) -> None:
    browser = Client(headers=HOST)
    answer = come_back(sim, browser, "alice", "acme", sim.org()["api_url"], allow=False)
    assert answer.status_code == 403
    assert "did not allow" in sentence(answer)
    assert not Organization.objects.exists()
    assert not browser.session.get("_auth_user_id")


def test_a_replayed_callback_changes_nothing(sim: Running) -> None:
    """BI-B14: the very address that has just worked."""
    browser = Client(headers=HOST)
    sent = begin(browser, sim.org()["api_url"])
    arrived = sim.walk(sent["url"], "alice", "acme", sent["redirect_uri"]).removeprefix("http://localhost:8000")
    assert browser.get(arrived).status_code == 302
    generation = Connection.objects.get().generation
    assert browser.get(arrived).status_code == 400
    assert Connection.objects.get().generation == generation
    assert live_grants(sim) == 1


def test_a_stolen_callback_is_worth_nothing_elsewhere(sim: Running) -> None:
    """BI-B14, login CSRF: Alice's code in Charlie's browser."""
    alice, charlie = Client(headers=HOST), Client(headers=HOST)
    sent = begin(alice, sim.org()["api_url"])
    begin(charlie, sim.org()["api_url"])
    arrived = sim.walk(sent["url"], "alice", "acme", sent["redirect_uri"]).removeprefix("http://localhost:8000")
    assert charlie.get(arrived).status_code == 400
    assert not charlie.session.get("_auth_user_id")
    assert not Member.objects.exists()


def test_signing_in_changes_the_session_id(sim: Running) -> None:
    """BI-G10: fixation."""
    browser = Client(headers=HOST)
    sent = begin(browser, sim.org()["api_url"])
    before = browser.session.session_key
    browser.get(sim.walk(sent["url"], "alice", "acme", sent["redirect_uri"]).removeprefix("http://localhost:8000"))
    assert browser.session.session_key != before


def test_a_host_that_announces_iss_uses_one_redirect_uri_and_is_held_to_it(sim: Running) -> None:
    """RFC 9207, BI-B15."""
    from providers import oauth

    oauth._metadata.clear()
    sim.sim("metadata", {"iss": True})
    browser, url = Client(headers=HOST), sim.org()["api_url"]
    sent = begin(browser, url)
    assert sent["redirect_uri"] == "http://localhost:8000/connect/salesforce/callback/"
    arrived = sim.walk(sent["url"], "alice", "acme", sent["redirect_uri"]).removeprefix("http://localhost:8000")
    given = {name: values[0] for name, values in parse_qs(urlsplit(arrived).query).items()}
    assert given["iss"]
    without = {name: value for name, value in given.items() if name != "iss"}
    assert browser.get(f"{PAGE}callback/", without).status_code == 400, "announced, so it must come"
    assert come_back(sim, browser, "alice", "acme", url).status_code == 302
    oauth._metadata.clear()


def test_a_sandbox_and_production_stay_apart(sim: Running) -> None:
    """C5: the same e-mail address in both; two organizations, two members, each renewed at its own host."""
    _, production = sign_in(sim)
    _, sandbox = sign_in(sim, org="sandbox", login=sim.login_host("test")["login_url"])
    assert production.member.email == sandbox.member.email
    assert production.organization_id != sandbox.organization_id
    assert (production.organization.is_sandbox, sandbox.organization.is_sandbox) == (False, True)
    before = len(sim.calls(counted=False))
    old = leases_of(sandbox).access().token
    leases_of(sandbox).access(rejected=old)
    tokens_asked = [call for call in sim.calls("test", counted=False) if call["path"].endswith("/token")]
    assert len(tokens_asked) == 2, "exchange and refresh both at the sandbox's login host"
    assert len(sim.calls(counted=False)) == before
    assert leases_of(production).access().api_url != leases_of(sandbox).access().api_url


def leases_of(row: Connection) -> Any:
    from vault.tokens import ConnectionTokens

    return ConnectionTokens(row.pk, "test")


def test_an_experience_cloud_site_with_a_path(sim: Running) -> None:
    """C6: authorize at the site, a partner's user type and licence known, what he cannot see left out."""
    site = sim.org()["site"]["login_url"]
    _, row = sign_in(sim, "pat", "acme", site)
    assert row.login_url == site
    assert row.member.user_type not in ("", "Standard")
    assert row.member.profile in ("", "Partner Community User")
    leases_of(row).access(rejected=leases_of(row).access().token)
    row.refresh_from_db()
    assert row.state == State.HEALTHY


def test_who_may_not_use_the_api_is_told_so_and_nothing_stays(sim: Running) -> None:
    """A missing right is a plain sentence; the grant is ended at Salesforce, nothing is stored."""
    browser = Client(headers=HOST)
    answer = come_back(sim, browser, "dana", "acme", sim.org()["api_url"])
    assert answer.status_code == 403
    assert "API" in sentence(answer)
    assert not Connection.objects.exists()
    assert not Member.objects.exists()
    assert live_grants(sim, "dana") == 0


def test_who_is_not_invited_is_told_so_and_nothing_stays(sim: Running, settings: Settings) -> None:
    settings.SIGN_UP = "invited"
    answer = come_back(sim, Client(headers=HOST), "alice", "acme", sim.org()["api_url"])
    assert answer.status_code == 403
    assert "invited" in sentence(answer)
    assert not Organization.objects.exists()
    assert live_grants(sim) == 0


def test_the_wrong_person_is_told_so(sim: Running) -> None:
    """Signed in as Alice of Acme, Salesforce answers for Charlie of Globex, then for Bob: nothing changes."""
    browser, row = sign_in(sim)
    for user, org, says in (("charlie", "globex", "another organization (Globex)"), ("bob", "acme", "another person")):
        answer = come_back(sim, browser, user, org, sim.org(org)["api_url"])
        assert answer.status_code == 409
        assert says in sentence(answer)
        assert "Sign out" in answer.content.decode()
        assert live_grants(sim, user, org) == 0
    assert browser.session["_auth_user_id"] == str(row.member_id)
    assert Connection.objects.count() == 1
    seen = AuditEntry.objects.get(action="connection.refused")  # I8: Bob's, in Acme's log; Globex is not here
    assert (seen.organization_id, seen.actor, seen.result) == (row.organization_id, "task:sign_in", "refused")
    assert set(seen.facts) == {"token"}
    assert browser.post("/connect/sign-out/").status_code == 302
    assert come_back(sim, browser, "bob", "acme", sim.org()["api_url"]).status_code == 302


def test_signing_in_again_replaces_and_revokes(sim: Running) -> None:
    """docs/wire.md W4, V15: one row, one grant at Salesforce, however often; work goes on with the newest."""
    for turn in range(1, 8):
        _, row = sign_in(sim)
        assert Connection.objects.count() == Credential.objects.count() == 1
        assert row.generation == turn
        assert live_grants(sim) == 1
    assert not DiscardedGrant.objects.exists()
    assert leases_of(row).access(rejected=leases_of(row).access().token)


def test_an_organizations_own_client_id(sim: Running) -> None:
    """Issue 2: an app in the customer's own org; used for authorize, exchange, refresh."""
    url = sim.org("globex")["api_url"]
    own = {
        "client_id": "globex-own",
        "client_secret": "its-secret",
        "redirect_uris": ["http://localhost:8000/connect/salesforce/callback/"],
        "keys_below": True,
    }
    sim.sim("apps", own, "globex")
    registrations.register(url, "globex-own", Secret("its-secret"), None)
    browser = Client(headers=HOST)
    assert begin(browser, url)["client_id"] == "globex-own"
    _, row = sign_in(sim, "charlie", "globex")
    assert [grant["client_id"] for grant in sim.sim("state?object=None", org="globex")["grants"]] == ["globex-own"]
    leases_of(row).access(rejected=leases_of(row).access().token)
    assert grants.load(Connection.objects.get()).client_id == "globex-own"


def test_an_uninstalled_app_says_what_the_administrator_must_do(sim: Running) -> None:
    """docs/wire.md W7."""
    sim.sim("apps", {"client_id": "sidebar-demo", "blocked": True}, "globex")
    try:
        answer = come_back(sim, Client(headers=HOST), "charlie", "globex", sim.org("globex")["api_url"])
    finally:
        sim.sim("apps", {"client_id": "sidebar-demo", "blocked": False}, "globex")
    assert answer.status_code == 403
    assert "administrator" in answer.content.decode()


def test_an_idle_session_is_renewed_and_the_call_repeated(sim: Running) -> None:
    """Renewal on 401: 20 threads, all access tokens dead, one refresh, all answered (V1)."""
    _, row = sign_in(sim)
    ref = clients.salesforce_connection_of(row.member)
    clients.crm_for(ref, "sidebar.lookup").find_people(["a@nowhere.example"])
    sim.sim("tokens/expire", {})
    before = [call["path"] for call in sim.calls(counted=False)].count("/services/oauth2/token")
    found: list[Any] = []

    def look_up() -> None:
        try:
            found.append(clients.crm_for(ref, "sidebar.lookup").find_people(["b@nowhere.example"]))
        except Exception as error:  # noqa: BLE001  the assertion below names it
            found.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=look_up) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [each for each in found if isinstance(each, Exception)] == []
    assert len(found) == 20
    after = [call["path"] for call in sim.calls(counted=False)].count("/services/oauth2/token")
    assert after - before == 1


def test_revoked_at_salesforce_means_at_most_one_further_attempt(sim: Running) -> None:
    """C17: told at once, no retry storm, and connecting again mends it."""
    _, row = sign_in(sim)
    ref = clients.salesforce_connection_of(row.member)
    crm = clients.crm_for(ref, "sidebar.lookup")
    sim.sim("users/alice", {"revoke": True})
    before = len(sim.calls(counted=False))
    for _ in range(5):
        with pytest.raises(NeedsReconnect):
            crm.find_people(["a@nowhere.example"])
    paths = [call["path"] for call in sim.calls(counted=False)[before:]]
    assert paths.count("/services/oauth2/token") == 1
    assert len(paths) == 2, paths
    with pytest.raises(NeedsReconnect):
        clients.salesforce_connection_of(row.member)
    sign_in(sim)
    assert clients.salesforce_connection_of(row.member).id == row.pk


def test_a_user_who_was_switched_off_needs_no_further_calls(sim: Running) -> None:
    """V23."""
    _, row = sign_in(sim)
    crm = clients.crm_for(clients.salesforce_connection_of(row.member), "sidebar.lookup")
    sim.sim("users/alice", {"active": False})
    try:
        for _ in range(3):
            with pytest.raises(NeedsReconnect):
                crm.find_people(["a@nowhere.example"])
    finally:
        sim.sim("users/alice", {"active": True})
    assert Connection.objects.get().state == State.NEEDS_RECONNECT


def test_disconnecting_ends_the_grant_at_salesforce(sim: Running) -> None:
    """C17."""
    browser, row = sign_in(sim)
    assert live_grants(sim) == 1
    page = browser.post("/connect/salesforce/disconnect/")
    assert page.status_code == 200
    assert "Disconnected" in page.content.decode()
    assert live_grants(sim) == 0
    assert not ObjectAccess.objects.exists()
    row.refresh_from_db()
    assert row.state == State.SHREDDED
    assert browser.get("/dashboard/connections/").status_code != 200 or "_auth_user_id" not in browser.session


def test_the_daily_refresh_notices_other_rights_and_another_name(sim: Running) -> None:
    """C23, C24: what a person may see, and who he is."""
    _, row = sign_in(sim)
    cards = Epoch.objects.filter(kind="cards", key=str(row.pk))
    ObjectAccess.objects.update(fetched_at="2020-01-01T00:00:00Z")
    upkeep.refresh_access(row.pk)
    assert not cards.exists(), "nothing is news where nothing changed"
    sim.sim("users/alice", {"hide": ["Contact.Email"]})
    ObjectAccess.objects.update(fetched_at="2020-01-01T00:00:00Z")
    Member.objects.update(name="An older name")
    assert upkeep.due_for_access() == [row.pk]
    try:
        upkeep.refresh_access(row.pk)
    finally:
        sim.sim("users/alice", {"show": ["Contact.Email"]})
    assert upkeep.due_for_access() == []
    assert cards.exists(), "a card that shows the field must not stay"
    seen = access.load(row.pk)
    assert seen is not None
    assert "Email" not in seen.objects["Contact"].fields
    assert Member.objects.get().name == "Alice Anderson"


def test_grants_are_used_before_they_idle_out(sim: Running) -> None:
    """Salesforce ends refresh tokens that idle for 30 days."""
    _, row = sign_in(sim)
    assert upkeep.due_for_renewal() == []
    Connection.objects.update(connected_at="2020-01-01T00:00:00Z")
    assert upkeep.due_for_renewal() == [row.pk]
    upkeep.keep_alive(row.pk)
    assert upkeep.due_for_renewal() == []
    assert Connection.objects.get().generation == 2


def test_no_key_is_asked_for_in_a_transaction(sim: Running) -> None:
    """A key service that hangs must not hold rows; the oracle says where one would be asked: by who founds the
    organization, who joins it, and who connects anew, each in a process that has opened nothing yet."""
    for user in ("alice", "bob", "alice"):
        keys.forget_all()
        sign_in(sim, user)
    keys.forget_all()
    revocation.disconnect(Connection.objects.get(member__name="Alice Anderson").pk, "operator")


def test_a_sign_in_that_comes_to_nothing_leaves_a_key_that_seals_nothing(
    sim: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made before the organization is; the next sign-in founds it under an id, and with a key, of its own."""
    with monkeypatch.context() as patched:
        patched.setattr(access, "save", unable)
        with pytest.raises(OperationalError):
            sign_in(sim)
    assert not Organization.objects.exists()
    _, row = sign_in(sim, "bob")
    (orphan,) = DataKey.objects.using("keys").exclude(organization_id__in=(keys.INSTANCE, row.organization_id))
    assert rotation.drop_orphans() == 0
    DataKey.objects.using("keys").filter(pk=orphan.pk).update(created_at=Now() - timedelta(days=2))
    assert rotation.drop_orphans() == 1
    assert grants.load(row).access_token.reveal()


def unable(*_: Any) -> None:
    raise OperationalError


def test_who_may_found_nothing_gets_no_key(sim: Running, settings: Settings) -> None:
    settings.SIGN_UP = "invited"
    answer = come_back(sim, Client(headers=HOST), "alice", "acme", sim.org()["api_url"])
    assert answer.status_code == 403
    assert not DataKey.objects.using("keys").exclude(organization_id=keys.INSTANCE).exists()


def test_two_colleagues_at_once_found_one_organization(sim: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes second meanwhile opens its key outside the transaction too, and both are in."""
    barrier, open_keys = threading.Barrier(2), admission._open_keys

    def together(identity: Identity) -> UUID:
        new_id = open_keys(identity)
        with suppress(threading.BrokenBarrierError):
            barrier.wait(5)
        return new_id

    monkeypatch.setattr(admission, "_open_keys", together)
    ways = [(Client(headers=HOST), user) for user in ("alice", "bob")]
    found: list[int] = []

    def finish(browser: Client, user: str) -> None:
        try:
            found.append(come_back(sim, browser, user, "acme", sim.org()["api_url"]).status_code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=finish, args=way) for way in ways]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [302, 302]
    assert (Organization.objects.count(), Member.objects.count(), Connection.objects.count()) == (1, 2, 2)
    assert live_grants(sim) == live_grants(sim, "bob") == 1


def test_two_callbacks_at_once_make_one_connection(sim: Running) -> None:
    """One row however two browsers of one person race."""
    outcomes: list[int] = []
    ways = []
    for _ in range(4):
        browser = Client(headers=HOST)
        sent = begin(browser, sim.org()["api_url"])
        arrived = sim.walk(sent["url"], "alice", "acme", sent["redirect_uri"])
        ways.append((browser, arrived.removeprefix("http://localhost:8000")))

    def finish(browser: Client, path: str) -> None:
        try:
            outcomes.append(browser.get(path).status_code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=finish, args=way) for way in ways]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert outcomes == [302] * 4
    assert (Organization.objects.count(), Member.objects.count(), Connection.objects.count()) == (1, 1, 1)
    revocation_left = revocation.due_ids()
    assert revocation_left == []
    assert live_grants(sim) == 1
    row = Connection.objects.get()
    leases._leases.clear()
    assert leases_of(row).access(rejected=leases_of(row).access().token)
