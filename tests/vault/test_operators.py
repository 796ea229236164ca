"""What an operator does for the whole installation has an audit chain of its own (docs/vault.md 7)."""

import re

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from organizations import audit
from organizations.models import AuditEntry, Invitation
from providers.base import Secret
from tests.organizations import people
from tests.vault.keyrings import new_kek
from vault import keys, registrations, rotation

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
URL = "https://login.salesforce.com"


def chain() -> list[tuple[str, str, str, str]]:
    rows = AuditEntry.objects.filter(organization_id=audit.INSTALLATION).order_by("sequence")
    return [(row.actor, row.action, row.target, row.result) for row in rows]


def test_an_app_for_everybody_is_recorded() -> None:
    registrations.register(URL, "own", Secret("client-secret"), None)
    registrations.unregister(URL)
    assert chain() == [
        ("operator", "client.registered", URL, "ok"),
        ("operator", "client.unregistered", URL, "ok"),
    ]
    assert audit.verify(audit.INSTALLATION) is None


def test_leave_to_found_an_organization_is_recorded_and_names_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    """The chain outlives whoever founds it (C37)."""
    call_command("invite", "alice@acme.example")
    assert chain() == [("operator", "invitation.made", str(Invitation.objects.get().pk), "ok")]
    assert AuditEntry.objects.get().facts == {"role": "user"}


def test_a_resource_server_is_recorded_and_its_secret_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("resource_server", "checker")
    client_id, secret = re.findall(r"client_(?:id|secret) (\S+)", capsys.readouterr().out)
    assert chain() == [("operator", "resource_server.made", client_id, "ok")]
    assert secret not in str(AuditEntry.objects.values())


def test_a_new_kek_is_recorded_once_and_in_no_organizations_chain(settings: Settings) -> None:
    keys.verify_kek()  # the first start
    mine = people.organization()
    keys.primary_key(mine)
    before = AuditEntry.objects.filter(organization_id=mine).count()
    settings.VAULT_KEK = f"2027:{new_kek()},default:{settings.VAULT_KEK}"
    count = rotation.rewrap()
    assert count >= 1
    assert rotation.rewrap() == 0
    assert chain() == [("operator", "keys.rewrapped", "2027", "ok")]
    assert AuditEntry.objects.get(action="keys.rewrapped").facts == {"count": count}
    assert AuditEntry.objects.filter(organization_id=mine).count() == before


def test_new_data_keys_of_the_installation_are_recorded() -> None:
    registrations.register(URL, "own", Secret("client-secret"), None)
    rotation.new_data_keys()
    assert ("operator", "keys.rotated", "", "ok") in chain()


def test_its_chain_is_verified_like_any_other(capsys: pytest.CaptureFixture[str]) -> None:
    for url in (URL, "https://test.salesforce.com"):
        registrations.register(url, "own", None, None)
    call_command("audit_verify")
    assert "1 audit chains are whole" in capsys.readouterr().out
    AuditEntry.objects.filter(organization_id=audit.INSTALLATION, sequence=2).update(target="https://elsewhere")
    with pytest.raises(CommandError):
        call_command("audit_verify")
    assert "the installation: row 2 changed" in capsys.readouterr().out
