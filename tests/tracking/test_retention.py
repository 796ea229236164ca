"""What is older than its organization keeps it goes, and leaves nothing behind."""

import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from organizations import policy
from organizations.models import Member
from tests.organizations import people
from tracking import partitions, retention
from tracking.models import Content, Copy, Event, TrackedMessage
from tracking.policies import RETENTION

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


@pytest.fixture(autouse=True)
def clear_away() -> Iterator[None]:
    yield
    partitions.drop_before(timezone.now().date() + timedelta(days=90))


def a_message(member: Member, days: int, *hits: int) -> TrackedMessage:
    """Prepared and asked for so many days ago."""
    now = timezone.now()
    row = TrackedMessage(organization=member.organization, member=member, opens=True, clicks=True)
    Content(["jane@customer.example"], []).put(row)
    row.created_at = row.sent_at = now - timedelta(days=days)
    row.save()
    copy = Copy.objects.create(message=row, number=0)
    for at in (now - timedelta(days=hit) for hit in hits):
        partitions.make([partitions.month_of(at)])
        ids = {"organization_id": member.organization_id, "message_id": row.pk, "copy_id": copy.pk}
        Event(id=uuid.uuid4(), at=at, **ids, kind=1, link=0, verdict="unknown").save(force_insert=True)
    return row


def test_a_message_goes_with_all_that_came_of_it() -> None:
    """Also with what came lately: nobody could be shown it, and nobody would delete it for another year."""
    alice, *_, charlie = people.everybody()
    a_message(alice, 400, 399, 30)
    kept = a_message(alice, 300, 299)
    theirs = a_message(charlie, 400, 30)
    policy.set_organization_value(charlie, charlie.organization_id, RETENTION.key, 700)
    assert retention.drop_old(timezone.now()) == 1
    assert set(TrackedMessage.objects.values_list("pk", flat=True)) == {kept.pk, theirs.pk}
    assert set(Event.objects.values_list("message_id", flat=True)) == {kept.pk, theirs.pk}


def test_nothing_is_kept_longer_than_anybody_may() -> None:
    alice, *_ = people.everybody()
    policy.set_organization_value(alice, alice.organization_id, RETENTION.key, 1_095)
    a_message(alice, 1_300, 1_299)
    a_message(alice, 1_000, 999)
    assert retention.drop_old(timezone.now()) == 1
    oldest = partitions.month_of(timezone.now() - timedelta(days=1_095))
    assert all(month >= oldest for month in partitions.existing())
    assert Event.objects.count() == 1


def test_what_was_never_sent_goes_after_a_month() -> None:
    """Its recipients are nobody's business any more. One that is only put off is kept, and one that went out."""
    alice, *_ = people.everybody()
    sent, put_off, given_up = a_message(alice, 31), a_message(alice, 29), a_message(alice, 31, 30)
    TrackedMessage.objects.exclude(pk=sent.pk).update(sent_at=None)
    assert retention.drop_old(timezone.now()) == 1
    assert set(TrackedMessage.objects.values_list("pk", flat=True)) == {sent.pk, put_off.pk}
    assert not TrackedMessage.objects.filter(pk=given_up.pk).exists()
    assert not Event.objects.exists()
