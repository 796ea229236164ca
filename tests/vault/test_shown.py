"""What people are shown of a connection: never a secret (R4), and every use in words (C10)."""

import re
from pathlib import Path

import pytest

from tests.organizations import people
from tests.vault.conftest import Connected
from tests.vault.test_doors import HOST
from vault import purposes
from vault.clients import crm_for, salesforce_connection_of
from vault.models import Connection, Credential

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("", "connections/", "connections/everybody/", "members/", "audit/")


@pytest.mark.django_db(databases=["default", "keys"], transaction=True)
def test_no_page_and_no_answer_holds_a_secret(alice: Connected) -> None:
    """R4: neither a token nor its ciphertext, nor our client's secret, for an administrator looking at his own."""
    people.add_in()
    crm_for(salesforce_connection_of(alice.member), "sidebar.lookup")  # so that there is a use to tell of
    browser, api = people.sign_in(alice.member), people.api(alice.member)
    texts = [browser.get(f"/dashboard/{path}", headers=HOST).content.decode() for path in PAGES]
    texts += [browser.get(f"/dashboard/connections/{alice.connection.pk}/disconnect/", headers=HOST).content.decode()]
    texts += [api.call("get", path).content.decode() for path in ("connections/", "me/", "me/devices/", "audit/")]
    assert any("token.leased" in text for text in texts)
    grant, sealed = alice.grant, bytes(Credential.objects.get().sealed)
    assert grant.refresh_token is not None
    secrets = [grant.access_token.reveal(), grant.refresh_token.reveal(), "client-secret", sealed.hex(), str(sealed)]
    for text in texts:
        assert not [secret for secret in secrets if secret in text]
        assert Connection.objects.get().subject not in text.replace(alice.member.salesforce_user_id, "")


def test_every_purpose_has_its_words() -> None:
    """What the sidebar and the vault ask for clients or tokens for, as their source has it."""
    source = "".join(path.read_text() for room in ("sidebar", "vault") for path in (ROOT / room).glob("*.py"))
    used = set(re.findall(r'(?:crm_for|_salesforce|_writing|ConnectionTokens)\([^"\n]*"([a-z]+\.[a-z_]+)"', source))
    used |= set(re.findall(r'^PURPOSE = "([a-z]+\.[a-z_]+)"', source, re.MULTILINE))
    assert {"sidebar.lookup", "sidebar.create", "vault.profile", "vault.probe"} <= used
    assert not [purpose for purpose in used if purposes.in_words(purpose) == purpose.replace(".", ": ")]


def test_words_are_given_once() -> None:
    purposes.declare({"sidebar.lookup": purposes.in_words("sidebar.lookup")})
    with pytest.raises(ValueError, match="words already"):
        purposes.declare({"sidebar.lookup": "Something else"})
    assert purposes.in_words("an.older_release") == "an: older release"
    assert purposes.in_words("") == ""
