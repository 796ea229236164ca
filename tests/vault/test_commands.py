"""What an operator runs: rotating keys, an organization's own app, the doctor (C22, docs/vault.md 4, I9)."""

import base64
import io
import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from organizations.models import Member
from providers.base import Secret
from tests.vault.conftest import Connected
from tests.vault.rotating import Rotating
from vault import cipher, connect, grants, keys, mailboxes, registrations, revocation, rotation
from vault.models import ClientRegistration, Credential, DataKey, DiscardedGrant

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def run(*arguments: str, **options: Any) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out, **options)
    return out.getvalue()


def key_of_credential() -> UUID:
    return cipher.key_id_of(bytes(Credential.objects.get().sealed))


def test_data_keys_are_wrapped_anew_under_the_first_key(alice: Connected, settings: Settings) -> None:
    """C22: afterwards the old key may go, and everything still opens."""
    keys.verify_kek()
    old = settings.VAULT_KEK
    new = base64.b64encode(os.urandom(32)).decode()
    settings.VAULT_KEK = f"2027:{new},default:{old}"
    count = DataKey.objects.using("keys").count()
    out = run("rotate_keys")
    assert f"wrapped anew: {count}" in out
    assert "'default' any more" in out
    assert "wrapped anew: 0" in run("rotate_keys")
    settings.VAULT_KEK = f"2027:{new}"
    keys.forget_all()
    keys.verify_kek()
    assert grants.load(alice.again()).access_token.reveal() == alice.grant.access_token.reveal()


def test_everything_is_sealed_anew_and_the_old_key_goes_when_rested(alice: Connected, provider: Rotating) -> None:
    """C22: rotation re-encrypts; the old key stays while any process may still seal under it."""
    registrations.register(provider.server.url, "client", Secret("s3cret"), alice.member.organization_id)
    provider.server.behave = lambda handler: handler.answer(503, {})
    revocation.discard(alice.again(), alice.grant)
    before = key_of_credential()
    assert "sealed anew: 3" in run("rotate_keys", "--data-keys")
    assert key_of_credential() != before
    assert DataKey.objects.using("keys").filter(pk=before).exists()
    DataKey.objects.using("keys").update(created_at=timezone.now() - timedelta(hours=2))
    assert "deleted: 1" in run("rotate_keys")
    assert not DataKey.objects.using("keys").filter(pk=before).exists()
    keys.forget_all()
    assert grants.load(alice.again()).access_token.reveal() == alice.grant.access_token.reveal()
    provider.server.behave = provider._behave
    assert revocation.finish(DiscardedGrant.objects.get().pk)
    client = registrations.client_at(provider.server.url)
    assert client is not None
    assert client.client_secret is not None
    assert client.client_secret.reveal() == "s3cret"


def test_a_key_that_is_still_named_is_kept(alice: Connected) -> None:
    """A kill between the new key and the last row loses nothing: the next run goes on."""
    before = key_of_credential()
    rotation.new_data_keys()
    DataKey.objects.using("keys").update(created_at=timezone.now() - timedelta(hours=2))
    assert rotation.retire() == 0
    assert grants.load(alice.again()).access_token.reveal() == alice.grant.access_token.reveal()
    assert key_of_credential() == before


def test_an_organizations_own_app_is_stored_sealed(
    alice: Connected, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The secret comes from a file or stdin; the command says which callback URL to enter."""
    url, file = "https://acme.my.salesforce.com", tmp_path / "secret"
    file.write_text("from-a-file\n")
    out = run("salesforce_app", "--login-url", url, "--client-id", "own", "--secret-file", str(file))
    assert f"/connect/salesforce/callback/{connect.login_key(url)}/" in out
    assert "from-a-file" not in out
    monkeypatch.setattr("sys.stdin", io.StringIO("from-stdin\n"))
    run("salesforce_app", "--login-url", "acme.my.salesforce.com", "--client-id", "own")
    client = registrations.client_at(url)
    assert client is not None
    assert client.client_secret is not None
    assert client.client_secret.reveal() == "from-stdin"
    assert ClientRegistration.objects.count() == 1
    assert "Removed" in run("salesforce_app", "--login-url", url, "--remove")
    assert "There was none" in run("salesforce_app", "--login-url", url, "--remove")


@pytest.mark.parametrize("name", ["google", "microsoft"])
def test_an_organizations_own_mail_app_is_its_members_alone(alice: Connected, tmp_path: Path, name: str) -> None:
    """Charlie's organization has none of it."""
    file, where = tmp_path / "secret", mailboxes.login_url(name)
    file.write_text("from-a-file\n")
    org = alice.member.organization
    named = ("--provider", name, "--organization", org.salesforce_org_id)
    out = run("mail_app", *named, "--client-id", "own", "--secret-file", str(file))
    assert f"/connect/{name}/callback/" in out
    assert "from-a-file" not in out
    client = registrations.client_at(where, name, org.pk)
    assert client is not None
    assert client.client_secret is not None
    assert (client.client_id, client.client_secret.reveal()) == ("own", "from-a-file")
    charlie = Member.objects.get(name="Charlie Chen")
    assert registrations.client_at(where, name, charlie.organization_id) is None
    assert "Removed" in run("mail_app", *named, "--remove")
    assert registrations.client_at(where, name, org.pk) is None
    with pytest.raises(CommandError, match="Name the --organization"):
        run("mail_app", "--provider", name, "--client-id", "own", "--public")


def test_an_organization_is_named_in_each_way_that_operators_know(alice: Connected) -> None:
    """By our id, and by 15 or 18 characters of Salesforce's; who is unknown is told what helps with that command."""
    org = alice.member.organization
    where = mailboxes.login_url("google")
    for text in (str(org.pk), org.salesforce_org_id, org.salesforce_org_id[:15]):
        run("mail_app", "--provider", "google", "--organization", text, "--client-id", text, "--public")
        client = registrations.client_at(where, "google", org.pk)
        assert client is not None
        assert client.client_id == text
    unknown = ("--organization", "00D000000000999", "--client-id", "own", "--public")
    with pytest.raises(CommandError, match="one of its people signs in with Salesforce first") as refused:
        run("mail_app", "--provider", "google", *unknown)
    assert "leave" not in str(refused.value)
    with pytest.raises(CommandError, match="leave --organization out"):
        run("salesforce_app", "--login-url", "https://acme.my.salesforce.com", *unknown)


def test_the_command_refuses_what_is_no_login_host(alice: Connected) -> None:
    with pytest.raises(CommandError, match="not a Salesforce login address"):
        run("salesforce_app", "--login-url", "https://evil.example", "--client-id", "own", "--public")
