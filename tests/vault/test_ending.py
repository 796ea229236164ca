"""Disconnecting: denied here at once, revoked at the provider until it confirms, then wiped (C17, docs/vault.md 7)."""

import time
from collections.abc import Iterator

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.test import Client

from organizations import epochs
from organizations.models import AuditEntry, Member, Organization
from providers.base import Secret
from providers.errors import NeedsReconnect, Transient
from tests.organizations import people
from tests.vault.conftest import Connected
from tests.vault.rotating import Rotating
from tests.vault.test_doors import HOST
from vault import clients, erasing, grants, keys, leases, registrations, revocation, states, upkeep
from vault.cipher import key_id_of
from vault.errors import AppUnusable, ConnectRequired, KeyGone
from vault.models import ClientRegistration, Connection, Credential, DataKey, DiscardedGrant, State
from vault.revocation import Ending
from vault.tokens import ConnectionTokens

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def bob_and_charlie() -> tuple[Member, Member]:
    return Member.objects.get(name="Bob Brown"), Member.objects.get(name="Charlie Chen")


@pytest.fixture
def add_in() -> None:
    people.add_in()


def test_the_owner_sees_what_is_connected(alice: Connected, add_in: None) -> None:
    """C10: state, account, scopes with their purpose, last proof, last use; no token, no host of a token."""
    Connection.objects.update(last_success_at=Now(), last_used_at=Now(), last_used_for="sidebar.lookup")
    answer = people.api(alice.member).call("get", "connections/")
    assert answer.status_code == 200
    (shape,) = answer.json()["connections"]
    assert shape["id"] == str(alice.connection.pk)
    assert (shape["provider"], shape["state"], shape["reason"]) == ("salesforce", "healthy", "")
    assert [each["scope"] for each in shape["scopes"]] == ["id", "api", "refresh_token", "web"]
    assert all(each["purpose"] for each in shape["scopes"])
    assert (shape["account"], shape["missing_scopes"], shape["advice"]) == (alice.member.username, [], "")
    assert shape["proven_at"] == shape["last_used_at"]
    assert (shape["last_used_for"], shape["last_use"]) == ("sidebar.lookup", "Looking up the people of a message")
    assert alice.connection.subject not in answer.content.decode()
    assert shape["reconnect_url"] == "http://localhost:8000/connect/salesforce/"


def test_nobody_else_sees_or_ends_it(alice: Connected, provider: Rotating, add_in: None) -> None:
    """Bob (same organization) and Charlie (a stranger): 404, and nothing has happened (BI-A6)."""
    for member in bob_and_charlie():
        api = people.api(member)
        assert api.call("get", "connections/").json() == {"connections": []}
        refused = api.call("delete", f"connections/{alice.connection.pk}/")
        assert refused.status_code == 404
        assert refused["Content-Type"] == "application/problem+json"
    assert Client().delete(f"/api/v1/connections/{alice.connection.pk}/").status_code == 401
    assert alice.again().state == State.HEALTHY
    assert provider.revoked == []


def test_disconnecting_revokes_at_the_provider_and_wipes(alice: Connected, provider: Rotating, add_in: None) -> None:
    """C17, I7: zero uses afterwards, in a process that held a lease too."""
    source = ConnectionTokens(alice.connection.pk, "test")
    source.access()
    assert clients.salesforce_connection_of(alice.member).id == alice.connection.pk
    api = people.api(alice.member)
    assert api.call("delete", f"connections/{alice.connection.pk}/").status_code == 204
    assert provider.revoked == [provider.refresh_token]
    assert alice.again().state == State.SHREDDED
    assert not Credential.objects.exists()
    assert not DiscardedGrant.objects.exists()
    for use in (source.access, lambda: clients.salesforce_connection_of(alice.member)):
        with pytest.raises(ConnectRequired):
            use()
    assert api.call("delete", f"connections/{alice.connection.pk}/").status_code == 404
    assert api.call("get", "connections/").json() == {"connections": []}, "the add-in's session itself goes on"
    actions = list(AuditEntry.objects.order_by("sequence").values_list("action", flat=True))
    assert actions[-2:] == ["connection.disconnected", "grant.revoked"]


def test_a_provider_that_is_away_is_asked_again(alice: Connected, provider: Rotating) -> None:
    """Denied at once all the same; the sealed grant waits only to be revoked."""
    behave, provider.server.behave = provider.server.behave, lambda handler: handler.answer(503, {})
    assert revocation.disconnect(alice.connection.pk, alice.member)
    assert alice.again().state == State.REVOKING
    with pytest.raises(ConnectRequired):
        ConnectionTokens(alice.connection.pk, "test").access()
    upkeep.finish_revocations()
    assert DiscardedGrant.objects.get().failures == 1, "not asked again before its time"
    provider.server.behave = behave
    DiscardedGrant.objects.update(retry_at=alice.connection.connected_at)
    upkeep.finish_revocations()
    assert alice.again().state == State.SHREDDED
    assert provider.revoked == [provider.refresh_token]


def test_disconnecting_ends_the_browser_sessions(alice: Connected) -> None:
    """BI-G10."""
    browser = people.sign_in(alice.member)
    assert browser.post("/connect/salesforce/disconnect/").status_code == 200
    other = people.sign_in(Member.objects.get(pk=alice.member.pk))
    assert "_auth_user_id" not in browser.session
    revocation.disconnect(alice.connection.pk, "operator")
    assert other.session["_auth_user_id"] == str(alice.member.pk)


def test_a_refusal_ends_sessions_and_powers_until_salesforce_agrees_again(
    alice: Connected, provider: Rotating, add_in: None
) -> None:
    """An administrator sent away at Salesforce administers nothing here; the add-in's token stays, to tell him."""
    browser, api = people.sign_in(alice.member), people.api(alice.member)
    provider.alive = False
    source = ConnectionTokens(alice.connection.pk, "test")
    with pytest.raises(NeedsReconnect):
        source.access(rejected=source.access().token)
    assert browser.get("/dashboard/audit/", headers=HOST)["Location"].startswith("/connect/salesforce/")
    assert api.call("patch", "policy/?level=organization", {}).status_code == 403
    assert api.call("get", "me/").status_code == 200
    refused = Member.objects.get(pk=alice.member.pk)
    own_page = people.sign_in(refused)  # however he got in
    assert own_page.get("/dashboard/connections/", headers=HOST).status_code == 200
    assert own_page.get("/dashboard/audit/", headers=HOST).status_code == 403
    with transaction.atomic():
        states.mend(alice.again())
    assert Member.objects.get(pk=alice.member.pk).is_administrator
    assert api.call("patch", "policy/?level=organization", {}).status_code == 200


def test_other_processes_drop_what_they_hold(alice: Connected, provider: Rotating, polled: None) -> None:
    """I7: what another process commits ends the leases of this one at its next poll."""
    source = ConnectionTokens(alice.connection.pk, "test")
    source.access()
    Connection.objects.filter(pk=alice.connection.pk).update(state=State.REVOKING)  # as another process commits it
    assert source.access().token.reveal() == provider.access_token
    with connection.cursor() as cursor:
        cursor.execute(epochs._BUMP, ["connection", str(alice.connection.pk)])
    began = time.monotonic()
    while leases.held(alice.connection.pk, "test", None):
        assert time.monotonic() < began + 5
        time.sleep(0.05)
    with pytest.raises(ConnectRequired):
        source.access()


def test_a_process_that_hears_nothing_uses_no_lease(alice: Connected, provider: Rotating) -> None:
    """I7, V21: no poll, no held lease; each access asks the database."""
    source = ConnectionTokens(alice.connection.pk, "test")
    source.access()
    Connection.objects.filter(pk=alice.connection.pk).update(state=State.REVOKING)
    with pytest.raises(ConnectRequired):
        source.access()


def test_erasing_an_organization_leaves_nothing_to_open(alice: Connected, provider: Rotating) -> None:
    """Revoked at the provider, rows gone, data key shredded: the sealed blob of a backup opens nowhere."""
    blob = bytes(Credential.objects.get().sealed)
    organization_id = alice.member.organization_id
    registrations.register("https://acme.my.salesforce.com", "own", Secret("own-secret"), organization_id)
    Organization.objects.update(ending_since=Now())
    (told,) = erasing.withdraw(organization_id, 0)
    assert (told.provider, told.confirmed, told.unconfirmed, told.not_offered) == ("salesforce", 1, 0, 0)
    assert erasing.count(organization_id)["data keys"] == 1
    erasing.erase(organization_id)
    assert provider.revoked == [provider.refresh_token]
    assert not Connection.objects.exists()
    assert not ClientRegistration.objects.exists()
    assert not DataKey.objects.using("keys").filter(organization_id=organization_id).exists()
    assert set(erasing.count(organization_id).values()) == {0}
    erasing.erase(organization_id)
    assert len(blob) > 100
    with pytest.raises(KeyGone):
        keys.key_by_id(key_id_of(blob), organization_id)


@pytest.mark.oracle(finds=["I5"])
def test_a_registered_secret_is_sealed_and_bound_to_its_host(alice: Connected, provider: Rotating) -> None:
    """An organization's own client id; its secret opens for no other host or client id."""
    url = "https://acme.my.salesforce.com"
    registrations.register(url, "own", Secret("own-secret-value"), alice.member.organization_id)
    row = ClientRegistration.objects.get()
    assert b"own-secret-value" not in bytes(row.sealed_secret or b"")
    client = registrations.client_at(url)
    assert client is not None
    assert client.client_secret is not None
    assert (client.client_id, client.client_secret.reveal()) == ("own", "own-secret-value")
    ClientRegistration.objects.update(login_url="https://evil.my.salesforce.com")
    with pytest.raises(AppUnusable):
        registrations.client_at("https://evil.my.salesforce.com")


def test_a_refresh_uses_the_client_that_the_grant_was_given_to(alice: Connected, provider: Rotating) -> None:
    registrations.register(provider.server.url, "own", Secret("own-secret"), None)
    own = alice.grant.renewed(client_id="own")
    grants.store(alice.again(), own)
    source = ConnectionTokens(alice.connection.pk, "test")
    source.access(rejected=source.access().token)
    body = provider.server.seen[-1].body.decode()
    assert "client_id=own" in body
    assert "client_secret=own-secret" in body


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408])
def test_a_gateways_page_confirms_no_end(alice: Connected, provider: Rotating, status: int) -> None:
    """C17: the grant may live on, so it is kept, shown as unconfirmed and asked for again."""
    oauth, page = provider.server.behave, b"<html>gateway</html>"
    provider.server.behave = lambda handler: handler.answer(status, page, {"Content-Type": "text/html"})
    assert revocation.disconnect(alice.connection.pk, alice.member) is revocation.Ending.WAITING
    assert (DiscardedGrant.objects.count(), alice.again().state, provider.alive) == (1, State.REVOKING, True)
    provider.server.behave = oauth
    assert revocation.at_once(DiscardedGrant.objects.get().pk)
    assert (DiscardedGrant.objects.count(), alice.again().state, provider.alive) == (0, State.SHREDDED, False)


@pytest.fixture
def keys_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A key service that does not answer, in a process that has nothing open; `undo()` brings it back."""

    def away(_: DataKey) -> None:
        raise Transient("The key service does not answer.")

    with monkeypatch.context() as patched:
        patched.setattr(keys, "opened", away)
        keys.forget_all()
        yield patched


def test_what_is_ended_while_the_keys_are_away_is_denied_at_once(
    alice: Connected, provider: Rotating, keys_away: pytest.MonkeyPatch, add_in: None
) -> None:
    """I7, C17: the person is told that the provider has not confirmed it yet; the timetable goes on."""
    source = ConnectionTokens(alice.connection.pk, "test")
    assert people.api(alice.member).call("delete", f"connections/{alice.connection.pk}/").status_code in (202, 204)
    row = alice.again()
    assert (row.state, row.generation) == (State.REVOKING, alice.connection.generation)
    with pytest.raises(ConnectRequired):
        source.access()
    upkeep.finish_revocations()
    assert provider.revoked == []
    assert Credential.objects.get().connection_id == row.pk
    keys_away.undo()
    upkeep.finish_revocations()
    assert provider.revoked == [provider.refresh_token]
    assert (alice.again().state, Credential.objects.count(), DiscardedGrant.objects.count()) == (State.SHREDDED, 0, 0)
    told = AuditEntry.objects.filter(action="connection.disconnected").order_by("sequence")
    assert [each.result for each in told] == ["keys_away", "ok"]
    assert [each.actor.partition(":")[0] for each in told] == ["member", "task"]


def test_what_is_ended_twice_while_the_keys_are_away_is_told_once(
    alice: Connected, keys_away: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        assert revocation.disconnect(alice.connection.pk, alice.member) is Ending.WAITING
    assert AuditEntry.objects.filter(action="connection.disconnected").count() == 1


def test_who_connects_again_meanwhile_keeps_the_new_grant(
    alice: Connected, provider: Rotating, keys_away: pytest.MonkeyPatch
) -> None:
    """V14: the timetable has chosen it before he was back."""
    revocation.disconnect(alice.connection.pk, alice.member)
    (chosen,) = revocation.put_off().values_list("pk", flat=True)
    keys_away.undo()
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=chosen)
        states.mend(row)
    revocation.carry_on(chosen)
    assert (alice.again().state, provider.revoked) == (State.HEALTHY, [])
    assert not revocation.put_off().exists()


def test_an_earlier_grant_that_is_gone_does_not_hide_one_that_waits(
    alice: Connected, provider: Rotating, keys_away: pytest.MonkeyPatch
) -> None:
    """Shown as over only once nothing is left of it."""
    keys_away.undo()
    keys.primary_key(alice.member.organization_id)
    with transaction.atomic():
        earlier = revocation.discard(alice.again(), alice.grant.renewed(refresh_token=Secret("earlier")))
    revocation._put_off(alice.connection.pk, alice.member)
    assert revocation.finish(earlier)
    assert alice.again().state == State.REVOKING
    upkeep.finish_revocations()
    assert provider.revoked == ["earlier", provider.refresh_token]
    assert alice.again().state == State.SHREDDED
