"""`manage.py doctor --connection`: one connection examined at its provider, each failure in plain words. Prints neither
a secret nor an address."""

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from organizations.models import Member
from tests.organizations.test_doctor import everything_off, refuse_with
from tests.vault.conftest import Connected, alice, cold, provider
from tests.vault.rotating import Rotating, cut
from vault import examination, keys
from vault.errors import VaultError
from vault.models import Connection, Credential, DataKey

__all__ = ["alice", "cold", "everything_off", "provider"]

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def examine(row: Connection) -> tuple[str, int]:
    """What `--connection` prints, and its exit code."""
    out = io.StringIO()
    try:
        call_command("doctor", "--connection", str(row.pk), stdout=out)
    except CommandError as error:
        return out.getvalue(), error.returncode
    return out.getvalue(), 0


@pytest.mark.parametrize(
    ("description", "error", "expected"),
    [
        ("inactive user", "invalid_grant", "Setup, Users, this user"),
        ("ip restricted", "invalid_grant", "IP Relaxation"),
        ("user hasn't approved this consumer", "invalid_grant", "choose Allow"),
        ("expired access/refresh token", "invalid_grant", "withdrawn, has expired"),
        ("invalid client credentials", "invalid_client", "_CLIENT_SECRET settings"),
    ],
)
def test_one_connection_is_examined_at_its_provider(
    alice: Connected, provider: Rotating, description: str, error: str, expected: str
) -> None:
    refuse_with(provider, description, error)
    told, code = examine(alice.connection)
    assert expected in told
    assert code == 1


def test_what_does_not_answer_or_does_not_open_is_said(alice: Connected, provider: Rotating) -> None:
    provider.server.behave = cut
    told, code = examine(alice.connection)
    assert ("does not answer" in told, code) == (True, 1)
    Credential.objects.update(sealed=b"SV" + bytes(100))
    told, code = examine(alice.connection)
    assert ("does not open" in told, code) == (True, 1)


@pytest.mark.parametrize("kind", [VaultError, *VaultError.__subclasses__()])
def test_each_failure_of_the_vault_is_a_sentence_with_what_to_do(
    alice: Connected, kind: type[VaultError], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Connection) -> None:
        raise kind("A plain sentence.")

    monkeypatch.setattr(examination, "_use", fails)
    told, code = examine(alice.connection)
    assert (told.count("ERROR"), code) == (1, 1)
    assert f"-> {examination._OURS[kind]}\n" in told
    assert "The reason is not known" not in told


@pytest.mark.parametrize(
    ("fault", "sentence", "advice"),
    [
        ("no key", "VAULT_KEK is not set", "Give every process the key that was used"),
        ("another key", "VAULT_KEK does not hold the key named 'default'", "Give every process the key that was used"),
        ("key service away", "The key service could not be reached", "Until it answers nothing opens"),
        ("data key gone", "does not open. The data key of a sealed value is gone.", "key store restored or emptied"),
        ("changed", "does not open. A sealed value has a damaged header.", "changed or put back"),
        ("put back", "does not open. A credential is of another generation", "changed or put back"),
        ("not there", "No live connection to salesforce.", "The person connects again"),
    ],
)
def test_what_the_vault_cannot_open_asks_nobody(
    alice: Connected, provider: Rotating, settings: Any, fault: str, sentence: str, advice: str
) -> None:
    injure(fault, alice.connection, settings)
    told, code = examine(alice.connection)
    assert (sentence in told, advice in told, code) == (True, True, 1), told
    assert provider.server.seen == []


def injure(fault: str, row: Connection, settings: Any) -> None:
    keys.forget_all()
    stored, data_keys = Credential.objects.filter(connection=row), DataKey.objects.using("keys")
    if fault == "data key gone":
        data_keys.all().delete()
    elif fault == "changed":
        stored.update(sealed=b"XX" + bytes(100))
    elif fault == "put back":
        stored.update(generation=7)
    elif fault == "not there":
        stored.delete()
    elif fault == "key service away":
        data_keys.update(kek_id="transit:sidebar:v1", wrapped=b"vault:v1:AAAA")
        settings.VAULT_KEK, settings.VAULT_KEK_TOKEN = "transit:https://127.0.0.1:1/transit/keys/sidebar", "token"
    else:
        settings.VAULT_KEK = {"no key": "", "another key": "other:bm90IHRoZSByaWdodCBrZXkgYXQgYWxsIDEyMzQ1Njc="}[fault]


def test_a_connection_that_cannot_be_examined_at_all_is_said_so(
    alice: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Connection) -> None:
        raise OperationalError("secret-text")

    monkeypatch.setattr(examination, "_use", fails)
    told, code = examine(alice.connection)
    assert ("could not be made (OperationalError)" in told, code) == (True, 1)
    assert "`manage.py doctor` alone" in told
    assert "secret-text" not in told


def test_neither_secrets_nor_addresses_are_printed(alice: Connected, provider: Rotating) -> None:
    refuse_with(provider, f"secret {provider.refresh_token} of alice@acme.example")
    told, _ = examine(alice.connection)
    member = Member.objects.get(pk=alice.member.pk)
    for secret in (*provider.issued, "client-secret", member.email, member.username, member.name):
        assert secret not in told


def test_an_unknown_connection_is_said_so() -> None:
    with pytest.raises(CommandError, match="no connection with this id"):
        call_command("doctor", "--connection", "6a1d1d1e-0000-4000-8000-000000000001")
