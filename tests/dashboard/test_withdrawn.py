"""Withdrawn links on the dashboard: for administrators of the organization alone; on record, without the address."""

from secrets import token_bytes
from typing import Any
from unittest import mock

import pytest
from django.conf import settings as current
from django.test import Client

from organizations.models import AuditEntry, Member
from providers.errors import Transient
from tests.dashboard.test_pages import page, signed_in
from tests.organizations import people
from tracking import prepare, withdrawing
from tracking.hot.standing import mark_of
from tracking.hot.tokens import Keyring, Kind, Opened, read_keys
from tracking.models import WithdrawnTarget
from vault import keys

pytestmark = [pytest.mark.django_db(databases=["default", "keys"]), pytest.mark.usefixtures("tracking_set_up")]
OFFER = "https://example.com/offer?a=1"


@pytest.fixture
def everybody() -> tuple[Member, Member, Member]:
    return people.everybody()


def ask(client: Client, door: str, **form: Any) -> Any:
    return client.post(f"/dashboard/analytics/withdrawn/{door}/", form)


def a_link(member: Member, target: str = OFFER) -> str:
    keyring = Keyring(read_keys(current.TRACKING_KEY))
    owner = member.organization_id.bytes
    return prepare.ours(keyring).links + keyring.seal(Kind.CLICK, Opened(owner, token_bytes(16), 1, target))


def entries(action: str) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(action=action))


@pytest.mark.parametrize("by", ["where it leads", "another spelling", "the link itself"])
def test_an_administrator_withdraws_a_target_and_restores_it(everybody: Any, by: str) -> None:
    alice, *_ = everybody
    typed = {"where it leads": OFFER, "another spelling": " HTTPS://EXAMPLE.com:443/offer?a=1 "}.get(by) or a_link(
        alice
    )
    client = signed_in(alice)
    response = ask(client, "add", address=typed)
    assert (response.status_code, response["Location"]) == (302, "/dashboard/analytics/withdrawn/?saved=withdrawn")
    row = WithdrawnTarget.objects.get()
    assert row.pk.bytes == mark_of(alice.organization_id.bytes, OFFER)
    assert b"example" not in bytes(row.sealed or b"")
    assert OFFER in page(client, "analytics/withdrawn/")
    ask(client, "add", address=typed)
    (entry,) = entries("target.withdrawn")
    assert (entry.actor, entry.target) == (f"member:{alice.pk}", str(row.pk)), "once, and no address"
    assert ask(client, "restore", target=row.pk).status_code == 302
    assert not WithdrawnTarget.objects.exists()
    assert len(entries("target.restored")) == 1


def test_a_member_neither_sees_them_nor_withdraws_one(everybody: Any) -> None:
    alice, bob, _ = everybody
    withdrawing.withdraw(alice, alice.organization_id, OFFER)
    client = signed_in(bob)
    page(client, "analytics/withdrawn/", status=403)
    assert "/dashboard/analytics/withdrawn/" not in page(client, "analytics/")
    assert ask(client, "add", address="https://example.com/2").status_code == 403
    assert ask(client, "restore", target=WithdrawnTarget.objects.get().pk).status_code == 403
    assert WithdrawnTarget.objects.count() == 1


def test_another_organizations_administrator_reaches_none_of_it(everybody: Any) -> None:
    alice, _, charlie = everybody
    withdrawing.withdraw(alice, alice.organization_id, OFFER)
    client = signed_in(charlie)
    assert OFFER not in page(client, "analytics/withdrawn/")
    for target in (WithdrawnTarget.objects.get().pk, "nonsense", ""):
        assert ask(client, "restore", target=target).status_code == 404
    response = ask(client, "add", address=a_link(alice, "https://example.com/2"))
    assert response.status_code == 422
    assert "not from your organization" in response.content.decode()
    ask(client, "add", address=OFFER)
    marks = {mark_of(each.organization_id.bytes, OFFER) for each in (alice, charlie)}
    assert {row.pk.bytes for row in WithdrawnTarget.objects.all()} == marks, "his own links, and no others"


@pytest.mark.parametrize(
    "typed",
    ["", "example.com", "javascript:alert(1)", "mailto:a@b.example", "https://a@b.example/", "https://[", "<b>"],
)
def test_what_no_tracked_link_leads_to_is_refused_in_words(everybody: Any, typed: str) -> None:
    response = ask(signed_in(everybody[0]), "add", address=typed)
    assert response.status_code == 422
    assert "Give the whole address" in response.content.decode()
    assert not WithdrawnTarget.objects.exists()


def test_a_link_that_was_not_copied_whole_is_refused(everybody: Any) -> None:
    response = ask(signed_in(everybody[0]), "add", address=a_link(everybody[0])[:-4])
    assert response.status_code == 422
    assert "not copied whole" in response.content.decode()


def test_while_no_key_is_to_be_had_it_is_withdrawn_all_the_same(everybody: Any) -> None:
    client = signed_in(everybody[0])
    with mock.patch.object(keys, "primary_key", side_effect=Transient("the key service is away", retry_after=1)):
        assert ask(client, "add", address=OFFER).status_code == 302
    assert "cannot be read now" in page(client, "analytics/withdrawn/")
