"""Which clicks have another link's beside them: as counted one by one, and no dearer for whoever hammers one link.

Filters follow all links at once, as ordinary browsers: Barracuda (supabase/auth#1214), others a minute after sending
(anymail/django-anymail#200)."""

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db import transaction

from tracking import burst, partitions, storing
from tracking.classify import BURST, Verdict
from tracking.hot.tokens import Kind
from tracking.models import Event
from tracking.storing import Change, Row

pytestmark = pytest.mark.django_db(transaction=True)
NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def month() -> Iterator[None]:
    partitions.make([partitions.month_of(NOON)])
    yield
    partitions.drop_before(partitions.next_month(partitions.month_of(NOON)))


def click(copy: UUID, seconds: float, link: int, verdict: str = Verdict.HUMAN_LIKELY) -> Row:
    at = NOON + timedelta(seconds=seconds)
    return Row(uuid4(), at, uuid4(), uuid4(), copy, Kind.CLICK, link, verdict, "", "", "")


def judged_again(rows: list[Row]) -> dict[UUID, Change]:
    changes = {row.copy_id: Change() for row in rows}
    with transaction.atomic():
        storing.insert(rows)
        burst.rejudge(rows, changes)
    return changes


def has_company(row: Row, rows: list[Row]) -> bool:
    others = [each for each in rows if each.copy_id == row.copy_id and each.link != row.link]
    return any(abs(each.at - row.at) <= BURST for each in others)


@pytest.mark.parametrize("seed", range(5))
def test_those_with_another_link_nearby(seed: int) -> None:
    chance = random.Random(seed)
    copies = [uuid4() for _ in range(3)]
    verdicts = (Verdict.HUMAN_LIKELY, Verdict.UNKNOWN, Verdict.SELF)
    moments = [chance.randrange(0, 400) / 2 for _ in range(40)]  # some at the very same moment
    rows = [click(chance.choice(copies), at, chance.choice((1, 1, 2, 3)), chance.choice(verdicts)) for at in moments]
    changes = judged_again(rows)
    expected = {row.id for row in rows if row.verdict != Verdict.SELF and has_company(row, rows)}
    found = set(Event.objects.filter(verdict=Verdict.SCANNER).values_list("id", flat=True))
    assert found == expected
    human = [row.copy_id for row in rows if row.id in expected and row.verdict == Verdict.HUMAN_LIKELY]
    assert {copy: change.clicks for copy, change in changes.items()} == {
        copy: -human.count(copy) for copy in {row.copy_id for row in rows}
    }


def test_hammering_one_link_costs_no_more_than_its_clicks() -> None:
    """Another link was followed a while before: each click was compared with each other one (20 s for these)."""
    copy = uuid4()
    rows = [click(copy, 30 + number / 8_000, 1) for number in range(8_000)]
    began = time.monotonic()
    judged_again([click(copy, 0, 2), *rows])
    assert time.monotonic() - began < 5
    assert not Event.objects.filter(verdict=Verdict.SCANNER).exists()
