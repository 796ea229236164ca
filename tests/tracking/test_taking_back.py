"""Hits that turn out to be nobody's: neither counted nor told as the last that somebody did."""

import uuid
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from organizations.models import Member
from tests.organizations import people
from tests.tracking.test_shown import a_message, an_open
from tracking import burst, partitions, sending, storing
from tracking.classify import Verdict
from tracking.hot.tokens import Kind
from tracking.models import Copy, Event
from tracking.storing import Change, Row

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


@pytest.fixture
def alice() -> Member:
    partitions.make_ahead(timezone.now() - timedelta(hours=3))  # the first of a month knows the last
    return people.everybody()[0]


@pytest.mark.parametrize("earlier", [None, timedelta(hours=2)])
def test_the_senders_own_look(alice: Member, earlier: timedelta | None) -> None:
    _, (copy,) = a_message(alice, "jane@x.example")
    now = timezone.now()
    before = [now - earlier] if earlier else []
    Event.objects.bulk_create([an_open(copy, at, Verdict.HUMAN_LIKELY) for at in [now, *before]])
    Copy.objects.update(opens=1 + len(before), hits=1 + len(before), last_at=now)
    sending.viewed_by_sender(copy.message)
    copy.refresh_from_db()
    assert (copy.opens, copy.last_at) == (len(before), before[0] if before else None)


@pytest.mark.parametrize("is_known", [False, True])
def test_links_beside_each_other(alice: Member, is_known: bool) -> None:
    """Whether the first is counted already or comes in the same batch."""
    message, (copy,) = a_message(alice, "jane@x.example")
    now, owners = timezone.now(), (message.organization_id, message.pk, copy.pk)
    told = (Verdict.HUMAN_LIKELY, "", "", "")
    first, second = [Row(uuid.uuid4(), now, *owners, Kind.CLICK, link, *told) for link in (1, 2)]
    for batch in [[first], [second]] if is_known else [[first, second]]:
        changes = {copy.pk: Change(clicks=len(batch), hits=len(batch), last_at=now)}
        with transaction.atomic():
            burst.rejudge(storing.insert(batch), changes)
            storing.count(changes)
    copy.refresh_from_db()
    assert (copy.clicks, copy.hits, copy.last_at) == (0, 2, None)
