"""What the sender is shown: each recipient by what came of his copy, however much came of the others'."""

import uuid
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from organizations.models import Member
from tests.organizations import people
from tracking import partitions, shown
from tracking.classify import Verdict
from tracking.models import Content, Copy, Event, TrackedMessage

pytestmark = pytest.mark.django_db(databases=["default", "keys"])


@pytest.fixture
def alice() -> Member:
    partitions.make_ahead(timezone.now() - timedelta(hours=3))  # the first of a month knows the last
    return people.everybody()[0]


def a_message(member: Member, *recipients: str) -> tuple[TrackedMessage, list[Copy]]:
    row = TrackedMessage(organization=member.organization, member=member, opens=True, clicks=True)
    row.created_at = row.sent_at = timezone.now() - timedelta(hours=1)
    Content(list(recipients), []).put(row)
    row.save()
    return row, [Copy.objects.create(message=row, number=number) for number in range(len(recipients))]


def an_open(copy: Copy, at: datetime, verdict: Verdict) -> Event:
    message = copy.message
    owners = {"organization_id": message.organization_id, "message_id": message.pk, "copy_id": copy.pk}
    return Event(id=uuid.uuid4(), at=at, kind=1, link=0, verdict=verdict, **owners)


def test_what_is_left_open_of_one_is_told_whatever_came_later_of_another(
    alice: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown, "MOST_EVENTS", 3)
    message, (jane, joe, _) = a_message(alice, "jane@x.example", "joe@x.example", "jim@x.example")
    now = timezone.now()
    Event.objects.bulk_create(
        [an_open(jane, now - timedelta(minutes=30), Verdict.UNKNOWN)]
        + [an_open(joe, now - timedelta(minutes=each), Verdict.PROXY_PREFETCH) for each in range(1, 5)]
    )
    seen = shown.of(alice, message.pk)
    assert seen is not None
    told = shown.told(seen)
    assert {each["who"]: each["signal"] for each in told["recipients"]} == {
        "jane@x.example": "maybe_opened",
        "joe@x.example": "no_signal",
        "jim@x.example": "no_signal",
    }
    assert [each["who"] for each in told["events"]] == ["joe@x.example"] * 3, "the newest"
