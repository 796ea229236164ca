"""An app whose stored secret does not open is the operator's task: no person's grant is blamed for it, and what
needs no secret asks for none (docs/vault.md 2 and 3, V19)."""

import json
import threading
from typing import Any

import pytest
from django.db import connection, connections
from pytest_django import Settings

from config.errors import problem_for
from organizations.models import AuditEntry
from organizations.registries import Level
from providers.base import Secret
from providers.errors import Transient
from tests.organizations import people
from tests.vault.conftest import Connected
from tests.vault.rotating import Rotating
from tests.vault.test_doors import HOST
from vault import doctor, examination, keys, mailboxes, probe, proof, registrations, standing
from vault.cipher import SealingKey
from vault.errors import AppUnusable
from vault.models import Attempt, ClientRegistration, DataKey, Incident, State
from vault.tokens import ConnectionTokens

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


@pytest.fixture
def registered(alice: Connected, provider: Rotating, settings: Settings) -> str:
    """The app that Alice's grant was given to is one that was stored for this login host. Returns that."""
    settings.SALESFORCE_CLIENT_ID = settings.GOOGLE_CLIENT_ID = settings.MICROSOFT_CLIENT_ID = ""
    url: str = provider.server.url
    registrations.register(url, "client", Secret("client-secret"), None)
    return url


def a_google_app(alice: Connected) -> None:
    where, whose = mailboxes.login_url("google"), alice.member.organization_id
    registrations.register(where, "1-own.apps.googleusercontent.com", Secret("client-secret"), whose, "google")


def damage() -> None:
    for row in ClientRegistration.objects.all():
        row.sealed_secret = bytes(row.sealed_secret or b"")[:-1] + bytes([bytes(row.sealed_secret or b"")[-1] ^ 1])
        row.save()


def lose_the_key() -> None:
    DataKey.objects.using("keys").filter(organization_id=keys.INSTANCE).delete()
    keys.forget_all()


def renew(alice: Connected) -> None:
    source = ConnectionTokens(alice.connection.pk, "test")
    source.access(rejected=source.access().token)


def refused_at_a_use(alice: Connected) -> None:
    with pytest.raises(AppUnusable):
        renew(alice)


def refused_at_a_probe(alice: Connected) -> None:
    probe.probe(alice.connection.pk)
    assert alice.again().probe_at is not None


@pytest.mark.parametrize(
    "happens",
    [
        pytest.param(damage, marks=pytest.mark.oracle(finds=["I5"])),
        pytest.param(lose_the_key, marks=pytest.mark.oracle(finds=["I5", "I9"])),
    ],
)
def test_it_is_no_fault_of_the_grant(alice: Connected, provider: Rotating, registered: str, happens: Any) -> None:
    """Whoever asks comes back later; the person is not sent to connect again, and nobody is alarmed about him."""
    happens()
    provider.access_token = "of-nobody"  # the stored one is refused
    for ask in (refused_at_a_use, refused_at_a_probe):
        ask(alice)
        row = alice.again()
        assert (row.state, row.cause, row.reason, row.lease_until) == (State.HEALTHY, "", "", None)
        assert proof.shown(row).state is State.HEALTHY
    assert not Incident.objects.exists()
    assert not Attempt.objects.exists()
    assert not AuditEntry.objects.filter(action="incident.recorded").exists()
    assert provider.refreshes == 0


def test_the_operator_hears_of_it(
    alice: Connected, provider: Rotating, registered: str, caplog: pytest.LogCaptureFixture
) -> None:
    damage()
    with pytest.raises(AppUnusable, match="our app at Salesforce") as told:
        renew(alice)
    answer = problem_for(told.value)
    assert answer is not None
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert "reconnect_url" not in json.loads(answer.content)
    pk = ClientRegistration.objects.get().pk
    assert f"the stored app {pk} does not open: TokenTampered" in caplog.text
    assert registered not in caplog.text
    (finding,) = doctor.stored_apps()
    assert finding.level == Level.ERROR
    assert finding.message == f"Salesforce: the app stored for {registered} does not open."
    assert "manage.py salesforce_app" in finding.advice
    provider.access_token, stored = "of-nobody", provider.access_token
    *_, examined = examination.examine(alice.connection.pk)
    assert (examined.level, "Store the app anew" in examined.advice) == (Level.ERROR, True)
    provider.access_token = stored
    registrations.register(registered, "client", Secret("client-secret"), None)
    assert list(doctor.stored_apps()) == []


@pytest.mark.oracle(finds=["I5"])
def test_whoever_wants_to_connect_reads_that_it_is_not_his_to_mend(alice: Connected, registered: str) -> None:
    a_google_app(alice)
    damage()
    browser = people.sign_in(alice.member)
    for path, sent in (("salesforce", {"login": "other", "address": registered}), ("google", {})):
        answer = browser.post(f"/connect/{path}/", sent, headers=HOST)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
        assert "the operator has to store it anew" in answer.content.decode()


@pytest.mark.parametrize("trouble", ["tampered", "key service away"])
@pytest.mark.oracle(finds=["I5"])
def test_the_pages_open_no_secret(
    alice: Connected, registered: str, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What can be connected is told without one; for what cannot, that there is no app."""
    a_google_app(alice)
    damage()

    def away(row: DataKey) -> SealingKey:
        raise Transient("The key service could not be reached.")

    if trouble != "tampered":
        keys.forget_all()
        monkeypatch.setattr(keys, "opened", away)
    assert standing.may_connect(alice.member, "google")
    assert not standing.may_connect(alice.member, "microsoft")
    browser = people.sign_in(alice.member)
    page = browser.get("/dashboard/connections/", headers=HOST)
    assert (page.status_code, b"/connect/google/" in page.content) == (200, True)
    assert browser.get("/connect/google/", headers=HOST).status_code == 200
    assert browser.get("/connect/microsoft/", headers=HOST).status_code == 400


@pytest.mark.parametrize("provider_name", ["salesforce", "google"])
def test_one_that_is_set_anew_at_that_moment_is_no_old_one_put_back(
    alice: Connected, registered: str, provider_name: str
) -> None:
    """The row and what names the newest are read at one time: a renewal meets the one or the other."""
    a_google_app(alice)
    row, done = ClientRegistration.objects.get(provider=provider_name), list[str]()

    def set_anew() -> None:
        registrations.register(row.login_url, row.client_id, Secret("newer"), row.organization_id, row.provider)
        connections.close_all()

    def meanwhile(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if "vault_clientregistration" in sql and not done:
            done.append(sql)
            thread = threading.Thread(target=set_anew)
            thread.start()
            thread.join()
        return result

    with connection.execute_wrapper(meanwhile):
        client = registrations.client_of(row.login_url, row.client_id, provider_name)
    assert done
    assert client is not None
    assert client.client_secret is not None
    assert client.client_secret.reveal() == "client-secret"
    again = registrations.client_of(row.login_url, row.client_id, provider_name)
    assert again is not None
    assert again.client_secret is not None
    assert again.client_secret.reveal() == "newer"


def test_the_slot_is_named_alike_in_python_and_in_the_database(alice: Connected, registered: str) -> None:
    a_google_app(alice)
    registrations.register("https://accounts.example", "everybodys", None, None, "google")
    rows = list(registrations._current(ClientRegistration.objects.all()))
    assert len(rows) == 3
    for row in rows:
        assert getattr(row, "slot") == registrations.slot_of(row.provider, row.login_url, row.organization_id)  # noqa: B009
