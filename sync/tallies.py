"""What a provider told of a mailbox, by day, and what it had when it was asked for a list. Numbers only."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from uuid import UUID

from django.db import connection

from sync.models import Tally
from vault import clock

#: Days that are shown.
SHOWN = 7
_ADD = """
INSERT INTO sync_tally (mailbox_id, day, told, listed, missed) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (mailbox_id, day) DO UPDATE
SET told = sync_tally.told + EXCLUDED.told, listed = sync_tally.listed + EXCLUDED.listed,
    missed = sync_tally.missed + EXCLUDED.missed
"""


def add(mailbox_id: UUID, day: date, *, told: int = 0, listed: int = 0, missed: int = 0) -> None:
    """In the caller's transaction. `day`: of UTC."""
    if told or listed or missed:
        with connection.cursor() as cursor:
            cursor.execute(_ADD, [mailbox_id, day, told, listed, missed])


def latest(mailbox_ids: Collection[UUID]) -> Mapping[UUID, Sequence[Tally]]:
    """Of the last SHOWN days, those on which there was anything, the newest first. One query."""
    since = clock.now().date() - timedelta(days=SHOWN - 1)
    found: dict[UUID, list[Tally]] = {each: [] for each in mailbox_ids}
    for row in Tally.objects.filter(mailbox__in=mailbox_ids, day__gte=since).order_by("-day"):
        found[row.mailbox_id].append(row)
    return found
