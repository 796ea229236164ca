"""Judged hits into their table: what was written is what is read, each once."""

import uuid
from collections.abc import Iterator
from datetime import UTC, timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from tracking import partitions, storing
from tracking.models import Event
from tracking.storing import Row

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def month() -> Iterator[None]:
    partitions.make_ahead(timezone.now())
    yield
    partitions.drop_before(timezone.now().date() + timedelta(days=90))


def a_row(**values: object) -> Row:
    ids = {name: uuid.uuid4() for name in ("id", "organization_id", "message_id", "copy_id")}
    texts = {"verdict": "unknown", "reason": "Nothing says.", "device": "", "place": ""}
    return Row(**{**ids, **texts, "at": timezone.now(), "kind": 1, "link": 0, **values})  # type: ignore[arg-type]


def insert(*rows: Row) -> list[Row]:
    with transaction.atomic():
        return storing.insert(rows)


def test_each_column_holds_what_was_given() -> None:
    at = timezone.now().astimezone(UTC).replace(microsecond=999_000)
    row = a_row(at=at, kind=2, link=32_767, reason="é" * 160, device="computer", place="Zürich, Schweiz 🇨🇭")
    assert insert(row) == [row]
    event = Event.objects.get()
    assert Row(**{name: getattr(event, name) for name in Row._fields}) == row


def test_a_repeat_is_told_from_what_is_new() -> None:
    """In the same batch, in a later one, and beside others."""
    first, second = a_row(), a_row()
    assert insert(first, first) == [first]
    assert insert(first, second, second) == [second]
    assert insert(first, second) == []
    assert Event.objects.count() == 2
