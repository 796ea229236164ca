"""Who is inside and who is not: only mail that leaves the organization is tracked (C49)."""

import secrets
from base64 import b64encode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from organizations import policy
from organizations.models import Member
from tests.organizations import people
from tracking.models import TrackedMessage
from tracking.prepare import Prepared, Wanted, prepare_message

pytestmark = pytest.mark.django_db(databases=["default", "keys"])
JANE, BOB = "jane@customer.example", "Bob.Baker@gmail.com"


@pytest.fixture
def alice(settings: Settings) -> Member:
    settings.TRACKING_KEY = b64encode(secrets.token_bytes(32)).decode()
    settings.TRACKING_URL = "http://localhost:9"
    alice, bob, charlie = people.everybody()
    for key in ("track.opens", "track.clicks"):
        policy.set_organization_value(alice, alice.organization_id, key, True)
    Member.objects.filter(pk=bob.pk).update(email=BOB)
    Member.objects.filter(pk=charlie.pk).update(email=JANE)
    return alice


def prepared(alice: Member, *recipients: str) -> Prepared:
    return prepare_message(alice, Wanted(recipients, links=[], singly=True))


def test_a_colleague_at_a_public_mail_service_is_inside(alice: Member) -> None:
    assert prepared(alice, "bob.baker@GMAIL.com").why_not == "internal"
    assert not TrackedMessage.objects.exists()


def test_others_there_and_another_organizations_people_are_not(alice: Member) -> None:
    made = prepared(alice, BOB, "somebody@gmail.com", JANE)
    assert [copy.recipient for copy in made.copies] == ["somebody@gmail.com", JANE]


def test_who_has_left_is_not(alice: Member) -> None:
    Member.objects.filter(email=BOB).update(is_active=False)
    assert len(prepared(alice, BOB).copies) == 1


def test_no_statement_names_a_recipient(alice: Member) -> None:
    """PostgreSQL shows everybody's last statement, and may log one that fails (C61)."""
    with CaptureQueriesContext(connection) as asked:
        assert len(prepared(alice, JANE, "somebody@gmail.com").copies) == 2
    statements = " ".join(each["sql"].lower() for each in asked.captured_queries)
    assert "organizations_member" in statements
    assert "jane" not in statements
    assert "somebody" not in statements
