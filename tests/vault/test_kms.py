"""A key service that speaks Transit: wrapping over TLS, versions, outages told apart, no secret told (C22, V16)."""

import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from pytest_django import Settings

from organizations.erasing import begin
from providers.base import Secret
from providers.errors import Transient
from tests.organizations import people
from tests.providers.faulty import faulty
from tests.vault import many
from tests.vault.key_service import KeyService, key_service
from tests.vault.keyrings import new_kek
from tests.vault.rotating import USER, Rotating
from vault import (
    answers,
    checks,
    erasing,
    grants,
    kek,
    keys,
    kms,
    probe,
    renewal,
    revocation,
    rotation,
    sealing,
    settling,
    turns,
    upkeep,
)
from vault.cipher import Place
from vault.errors import KekUnusable, OwnTrouble
from vault.models import Attempt, Connection, DataKey, KekCanary, State
from vault.revocation import Ending

pytestmark = [pytest.mark.django_db(databases=["default", "keys"]), pytest.mark.usefixtures("oracle")]
AAD = b"where it belongs"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyService]:
    with key_service(tmp_path_factory.mktemp("transit")) as running:
        yield running


@pytest.fixture
def service(shared: KeyService, settings: Settings) -> KeyService:
    """As new for each test."""
    shared.sim("reset", key="sidebar", token=shared.token)
    shared.use(settings)
    forget_versions()
    keys.forget_all()
    return shared


def a_place() -> Place:
    return Place(people.organization(), "vault_credential", uuid4(), "sealed", "salesforce", 1)


def forget_versions() -> None:
    kek._keyring.cache_clear()


def wrapped() -> tuple[bytes, bytes, str]:
    data_key, provider = os.urandom(32), kek.current()
    return data_key, provider.wrap(data_key, AAD, provider.current_id()), provider.current_id()


def test_a_data_key_comes_back_and_only_in_its_place(service: KeyService) -> None:
    """I5: associated data goes along, so a wrapped key of another row does not open."""
    data_key, blob, kek_id = wrapped()
    assert kek_id == "transit:sidebar:v1"
    assert blob.startswith(b"vault:v1:")
    assert kek.current().unwrap(blob, AAD, kek_id) == data_key
    with pytest.raises(KekUnusable, match="not the one that was used"):
        kek.current().unwrap(blob, b"elsewhere", kek_id)


def test_sealing_asks_the_key_service_once_and_then_from_ram(service: KeyService) -> None:
    where = a_place()
    blob = sealing.seal(b"secret", where)
    keys.forget_all()
    before = len(service.calls("/decrypt/"))
    for _ in range(100):
        assert sealing.unseal(blob, where) == b"secret"
    assert len(service.calls("/decrypt/")) == before + 1


def test_an_outage_is_passing_and_opened_keys_go_on(tmp_path: Path, settings: Settings) -> None:
    """What is opened works on for 300 s; the rest is Transient, never dead (I6)."""
    where = a_place()
    with key_service(tmp_path) as service:
        service.use(settings)
        forget_versions()
        blob = sealing.seal(b"secret", where)
        assert sealing.unseal(blob, where) == b"secret"
    assert sealing.unseal(blob, where) == b"secret"
    keys.forget_all()
    with pytest.raises(Transient, match="key service") as caught:
        sealing.unseal(blob, where)
    assert "localhost" not in str(caught.value)
    forget_versions()
    with pytest.raises(SystemExit, match="Not started: The key service"):
        checks.refuse_wrong_key()


def test_sealed_denied_and_gone_are_told_apart(service: KeyService) -> None:
    """V17: each has its reason, and the operator is told whose turn it is."""
    _, blob, kek_id = wrapped()

    def unwrap() -> bytes:
        return kek.current().unwrap(blob, AAD, kek_id)

    service.sim("seal", sealed=True)
    with pytest.raises(Transient, match="sealed"):
        unwrap()
    service.sim("seal", sealed=False)
    service.sim("token", denied=True)
    with pytest.raises(KekUnusable, match=r"denies.*policy lacks"):
        unwrap()
    service.sim("token", denied=False)
    service.sim("keys", name="sidebar", rotate=True)
    service.sim("keys", name="sidebar", min_decryption_version=2)
    with pytest.raises(KekUnusable, match="below its min_decryption_version"):
        unwrap()
    service.sim("keys", name="sidebar", min_decryption_version=1)
    assert len(unwrap()) == 32
    service.sim("keys", name="sidebar", create=True)
    with pytest.raises(KekUnusable, match="not the one that was used"):
        unwrap()
    service.sim("keys", name="sidebar", delete=True)
    with pytest.raises(KekUnusable, match="has no key"):
        unwrap()


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"status": 429, "body": {"errors": ["request path rate limit quota exceeded"]}}, "too much to do"),
        ({"status": 500, "body": {"errors": ["internal error"]}}, "out of order"),
        ({"status": 502, "body": "<html>proxy</html>"}, "out of order"),
        ({"status": 200, "body": "<html>captive portal</html>"}, "no sense"),
        ({"status": 200, "body": {"data": {"plaintext": "*"}}}, "no sense"),
        ({"status": 200, "body": {"data": []}}, "no sense"),
        ({"status": 307, "body": {}, "headers": {"Location": "https://elsewhere.example/"}}, "points elsewhere"),
        ({"delay": 6}, "in time"),
        ({"cut_after": 10}, "broke off"),
    ],
)
def test_passing_trouble_is_transient(service: KeyService, fault: dict[str, object], says: str) -> None:
    """V9's rule for the key service: only a definite answer is one. A redirect is not followed."""
    data_key, blob, kek_id = wrapped()
    service.sim("faults", path="/v1/transit/decrypt/", **fault)
    began = time.monotonic()
    with pytest.raises(Transient, match=says):
        kek.current().unwrap(blob, AAD, kek_id)
    assert time.monotonic() - began < kms.TOTAL_SECONDS + 0.5
    assert kek.current().unwrap(blob, AAD, kek_id) == data_key


def test_a_new_version_is_a_new_key_and_the_old_one_stays_until_rewrapped(service: KeyService) -> None:
    """V16: versions are KEK ids; rotate_keys wraps anew under the newest and says which are free."""
    keys.verify_kek()
    where = a_place()
    blob = sealing.seal(b"secret", where)
    service.sim("keys", name="sidebar", rotate=True)
    forget_versions()
    assert kek.current().ids() == ("transit:sidebar:v2", "transit:sidebar:v1")
    assert rotation.rewrap() == 1
    assert DataKey.objects.using("keys").get().kek_id == "transit:sidebar:v2"
    assert rotation.unused_keks() == ["transit:sidebar:v1"]
    service.sim("keys", name="sidebar", min_decryption_version=2)
    forget_versions()
    keys.forget_all()
    keys.verify_kek()
    assert sealing.unseal(blob, where) == b"secret"


def test_moving_from_a_file_to_a_key_service(service: KeyService, settings: Settings) -> None:
    """C22: both in one keyring while it lasts; afterwards the file may go."""
    local, where = new_kek(), a_place()
    service.use(settings, local)
    keys.verify_kek()
    blob = sealing.seal(b"secret", where)
    service.use(settings, f"{service.kek},default:{local}")
    keys.verify_kek()
    assert rotation.rewrap() == 1
    service.use(settings)
    keys.forget_all()
    keys.verify_kek()
    assert sealing.unseal(blob, where) == b"secret"


def test_the_token_file_is_read_anew_each_time(service: KeyService, settings: Settings, tmp_path: Path) -> None:
    """An agent renews the token while we run."""
    file = tmp_path / "token"
    file.write_text(service.token + "\n")
    settings.VAULT_KEK_TOKEN, settings.VAULT_KEK_TOKEN_FILE = "", str(file)
    data_key, blob, kek_id = wrapped()
    service.sim("token", new="hvs.another")
    with pytest.raises(KekUnusable, match="denies"):
        kek.current().unwrap(blob, AAD, kek_id)
    file.write_text("hvs.another")
    assert kek.current().unwrap(blob, AAD, kek_id) == data_key
    file.unlink()
    with pytest.raises(KekUnusable, match="cannot be read"):
        kek.current().unwrap(blob, AAD, kek_id)


@pytest.mark.parametrize("token", ["", "with\nnewline", "não"])
def test_a_token_that_is_none_is_refused_before_anything_is_sent(
    service: KeyService, settings: Settings, token: str
) -> None:
    settings.VAULT_KEK_TOKEN = token
    with pytest.raises(KekUnusable, match="VAULT_KEK_TOKEN"):
        kek.current().ids()
    assert service.calls() == []


def test_another_certificate_is_not_believed(service: KeyService, settings: Settings) -> None:
    settings.OUTBOUND_CA_BUNDLE = ""
    with pytest.raises(Transient, match="certificate"):
        kek.current().ids()


@pytest.mark.parametrize("options", [{"type": "rsa-4096"}, {"derived": True}])
def test_a_key_that_binds_nothing_is_refused(service: KeyService, options: dict[str, object]) -> None:
    """V17: without associated data a wrapped key could be moved to another organization."""
    service.sim("keys", name="sidebar", create=True, **options)
    with pytest.raises(KekUnusable, match="aes256-gcm96"):
        kek.current().current_id()


def test_a_key_service_that_ignores_associated_data_is_refused(service: KeyService) -> None:
    """I5: Vault before 1.13 takes the parameter and does nothing with it."""
    service.sim("keys", name="sidebar", create=True, is_old=True)
    with pytest.raises(KekUnusable, match="ignores associated data"):
        keys.verify_kek()
    assert not KekCanary.objects.using("keys").exists()


@pytest.mark.parametrize(
    "address",
    [
        "http://vault.example:8200/transit/keys/a",
        "https://vault.example:8200/transit/a",
        "https://user@vault.example/transit/keys/a",
        "https://vault.example/transit/keys/a?x=1",
        f"https://vault.example/transit/keys/{'a' * 49}",
        "https:///transit/keys/a",
    ],
)
def test_an_address_that_is_none_fails_the_start_up_check(address: str, settings: Settings) -> None:
    """V17: no start."""
    settings.VAULT_KEK = f"transit:{address}"
    assert [message.id for message in checks.vault_key_is_usable()] == ["vault.E001"]


def test_nothing_secret_is_logged_or_named(service: KeyService, caplog: pytest.LogCaptureFixture) -> None:
    """I4: no token, key or answer of the key service in a log or an exception."""
    caplog.set_level(logging.DEBUG)
    data_key, blob, kek_id = wrapped()
    service.sim("faults", path="/v1/", status=500, body={"errors": [blob.decode()]}, times=1)
    with pytest.raises(Transient) as caught:
        kek.current().unwrap(blob, AAD, kek_id)
    said = caplog.text + repr(caught.value) + str(caught.value.__context__)
    for secret in (service.token, blob.decode()[10:], data_key.hex()):
        assert secret not in said


def test_a_plain_variable_and_an_open_file_are_warned_of(settings: Settings, tmp_path: Path) -> None:
    """The environment can be read in /proc; a developer's machine is left alone."""
    settings.IS_LOOPBACK, settings.VAULT_KEK_FILE, settings.VAULT_KEK = False, "", new_kek()
    assert ["environment variable" in message for message, _ in checks.kept_unwisely()] == [True]
    settings.VAULT_KEK = "transit:https://vault.example:8200/transit/keys/sidebar"
    assert not list(checks.kept_unwisely())
    file = tmp_path / "kek"
    file.write_text("x")
    file.chmod(0o444)
    settings.VAULT_KEK_FILE = settings.VAULT_KEK_TOKEN_FILE = str(file)
    assert ["every user" in message for message, _ in checks.kept_unwisely()] == [True, True]
    file.chmod(0o400)
    assert not list(checks.kept_unwisely())
    settings.IS_LOOPBACK, settings.VAULT_KEK_FILE = True, ""
    assert not list(checks.kept_unwisely())


@pytest.fixture
def provider(service: KeyService, settings: Settings, tmp_path: Path) -> Iterator[Rotating]:
    """A login host beside the key service; the certificates of both are trusted."""
    with faulty(tmp_path) as server:
        settings.SALESFORCE_ORIGINS, settings.SALESFORCE_CLIENT_ID = [server.url], "client"
        settings.OUTBOUND_CA_BUNDLE = str(_both(tmp_path, str(server.ca), service.info["ca"]))
        yield Rotating(server)


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
def test_a_renewal_without_the_key_service_sends_nothing_and_kills_nothing(
    service: KeyService, provider: Rotating
) -> None:
    """I2, I6: there would be no way to keep the answer, so nothing is asked; afterwards it is as before."""
    row = connected(provider)
    keys.forget_all()
    service.sim("seal", sealed=True)
    with pytest.raises(Transient, match="key service is sealed"):
        renewal.renew(row.pk, beyond=1)
    row.refresh_from_db()
    assert (row.state, row.generation, provider.refreshes, provider.revoked) == (State.HEALTHY, 1, 0, [])
    assert not Attempt.objects.exists()
    service.sim("seal", sealed=False)
    renewal.renew(row.pk, beyond=1)
    row.refresh_from_db()
    assert (row.generation, provider.refreshes, provider.reuses) == (2, 1, 0)


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
@pytest.mark.parametrize(("path", "change"), [("seal", "sealed"), ("token", "denied")])
def test_a_probe_without_the_key_service_says_nothing_of_the_connection(
    service: KeyService, provider: Rotating, path: str, change: str
) -> None:
    """I6: our trouble, not the provider's. The row stays as it is, its turn comes again when the claim is over."""
    row = connected(provider)
    assert list(turns.to_prove()) == [row.pk]
    before = Connection.objects.values().get()
    keys.forget_all()
    service.sim(path, **{change: True})
    probe.probe(row.pk)
    assert Connection.objects.values().get() == before
    service.sim(path, **{change: False})
    probe.probe(row.pk)
    row.refresh_from_db()
    assert (row.state, row.probe_at) == (State.HEALTHY, None)
    assert row.last_success_at is not None


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
def test_an_answer_that_cannot_be_opened_just_now_is_not_taken_for_nonsense(
    service: KeyService, provider: Rotating, settings: Settings, tmp_path: Path
) -> None:
    """I2: it comes late, sealed under a data key that was replaced meanwhile, and only the new one is open in RAM."""
    settings.VAULT_SPOOL_DIR = tmp_path / "spool"
    row = connected(provider)
    begun = renewal._begin(row.pk, 1)
    assert isinstance(begun, renewal.Begun)
    blob = begun.seal(json.dumps(provider._rotate()).encode())
    assert (rotation.new_data_keys(), rotation.reseal().done) == (1, 1)
    keys.forget_all()
    grants.open_keys(row.pk)
    service.sim("seal", sealed=True)
    answers.keep(begun.attempt.id, blob)
    with pytest.raises(OwnTrouble, match="key service is sealed"):
        settling.settle(begun.attempt.id)
    assert bytes(Attempt.objects.get().sealed_answer or b"") == blob
    service.sim("seal", sealed=False)
    settling.settle(begun.attempt.id)
    row.refresh_from_db()
    assert (row.state, row.generation) == (State.HEALTHY, 2)


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
def test_an_end_does_not_wait_for_the_key_service(service: KeyService, provider: Rotating) -> None:
    """I7: denied here at once; the provider hears of it when the grant can be opened again."""
    row = connected(provider)
    keys.forget_all()
    service.sim("seal", sealed=True)
    assert revocation.disconnect(row.pk, "operator") is Ending.WAITING
    row.refresh_from_db()
    assert (row.state, provider.revoked) == (State.REVOKING, [])
    upkeep.finish_revocations()
    assert provider.revoked == []
    service.sim("seal", sealed=False)
    upkeep.finish_revocations()
    row.refresh_from_db()
    assert (row.state, provider.revoked) == (State.SHREDDED, [provider.refresh_token])


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
def test_no_key_service_is_asked_inside_a_transaction(
    service: KeyService, provider: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that hangs must not hold row locks."""
    inside: list[bool] = []
    ask = kms.Transit._ask

    def watched(self: kms.Transit, *given: Any) -> Any:
        inside.append(connection.in_atomic_block)
        return ask(self, *given)

    monkeypatch.setattr(kms.Transit, "_ask", watched)
    row = connected(provider)
    inside.clear()
    keys.forget_all()
    renewal.renew(row.pk, beyond=1)
    keys.forget_all()
    rotation.new_data_keys()
    assert rotation.reseal().done == 1
    keys.forget_all()
    assert revocation.disconnect(row.pk, "operator")
    assert len(inside) >= 5
    assert not any(inside)


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
@pytest.mark.parametrize("comes_back", [True, False])
def test_a_destruction_waits_for_the_key_service_and_not_for_ever(
    service: KeyService, provider: Rotating, monkeypatch: pytest.MonkeyPatch, comes_back: bool
) -> None:
    """C37: sealed for a while, the grant is revoked when it opens; sealed beyond our patience, it is told as such."""
    row = connected(provider)
    begin(row.organization_id)
    keys.forget_all()
    service.sim("seal", sealed=True)
    monkeypatch.setattr(erasing, "_PAUSE", 0.1)
    opens = threading.Timer(0.5, lambda: service.sim("seal", sealed=False))
    if comes_back:
        opens.start()
    (told,) = erasing.withdraw(row.organization_id, 20.0 if comes_back else 0.3)
    assert (told.confirmed, told.unconfirmed) == ((1, 0) if comes_back else (0, 1))
    assert provider.revoked == ([provider.refresh_token] if comes_back else [])
    row.refresh_from_db()
    assert row.state == State.SHREDDED


def connected(provider: Rotating) -> Connection:
    """A healthy connection at the rotating provider."""
    grant = many.a_grant().renewed(
        access_token=Secret(provider.access_token),
        refresh_token=Secret(provider.refresh_token),
        login_url=provider.server.url,
        token_endpoint=f"{provider.server.url}/services/oauth2/token",
        revocation_endpoint=f"{provider.server.url}/services/oauth2/revoke",
        api_url=provider.server.url,
        identity=provider.identity,
    )
    member = people.everybody()[0]
    row = Connection.objects.create(
        organization=member.organization,
        member=member,
        provider="salesforce",
        subject=USER,
        login_url=provider.server.url,
        state=State.HEALTHY,
    )
    grants.store(row, grant)
    return row


def _both(folder: Path, *files: str) -> Path:
    bundle = folder / "both.pem"
    bundle.write_text("".join(Path(file).read_text() for file in files))
    return bundle
