"""Mail that waits for a person is due again when somebody adds her beside his mail, or gives her an address."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError
from django.db.models.functions import Now

from organizations.models import Member
from sync import ledger, mailboxes, waiting
from sync.models import Decision, Job, Waiting
from tests.sidebar.conftest import Everybody
from vault.models import Connection, State

JANE = "003000000000001AAA"
DOE = {"LastName": "Doe", "Email": "jane@customer.example"}
pytestmark = pytest.mark.django_db(databases=["default", "keys"])


@pytest.fixture
def job(everybody: Everybody) -> Job:
    return waiting_for("Jane@Customer.example", Member.objects.get(name__startswith="Alice"))


def waiting_for(address: str, member: Member) -> Job:
    """A message of this member's that waits for somebody."""
    whose: dict[str, Any] = {"organization": member.organization, "member": member}
    connection = Connection.objects.create(
        **whose, provider="google", subject="1", login_url="https://accounts.google.com", state=State.HEALTHY
    )
    mailbox = mailboxes.switch_on(connection.pk)
    of = {"organization": member.organization, "mailbox": mailbox, "message_id": "m-1"}
    decision = Decision.objects.create(**of, outcome="unmatched", rule="nobody_found")
    mark = ledger.marks_of(member.organization_id).of_address(address.casefold())
    until = Now() + timedelta(days=3)
    Waiting.objects.create(decision=decision, organization=member.organization, mark=mark, until=until)
    return Job.objects.create(**of, state=Job.State.DONE)


def is_due(job: Job) -> bool:
    job.refresh_from_db()
    return job.state == Job.State.DUE


def create(everybody: Everybody, values: dict[str, str], by: str = "alice") -> int:
    key = {"Idempotency-Key": uuid4().hex}
    status: int = everybody.post("records/Contact/", {"values": values}, by=by, headers=key).status_code
    return status


def test_whoever_is_created_with_an_address(everybody: Everybody, job: Job) -> None:
    for values in ({"LastName": "Doe"}, {"LastName": "Doe", "Email": "other@customer.example"}):
        assert create(everybody, values) == 201
        assert not is_due(job)
    assert create(everybody, {"LastName": "Doe", "Email": " JANE@customer.example"}) == 201
    assert is_due(job)


def test_whoever_gets_another_address(everybody: Everybody, job: Job) -> None:
    path = f"/api/v1/sidebar/records/Contact/{JANE}/"
    body = {"values": {"Email": "jane@customer.example"}}
    key = {"Idempotency-Key": uuid4().hex}
    assert everybody.client().patch(path, body, content_type="application/json", headers=key).status_code == 200
    assert is_due(job)


def test_another_organizations_mail_waits_on(everybody: Everybody, job: Job) -> None:
    assert create(everybody, DOE, by="charlie") == 201
    assert not is_due(job)


def test_what_goes_wrong_with_the_mail_is_no_failure_of_the_record(
    everybody: Everybody, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise DatabaseError

    monkeypatch.setattr(waiting, "appeared", broken)
    assert create(everybody, DOE) == 201
    assert not is_due(job)
