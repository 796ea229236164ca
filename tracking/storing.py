"""Writes judged hits into the database, each once, however often it is delivered. Knows no stream and no rule."""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

_TYPES = ("uuid", "timestamptz", "uuid", "uuid", "uuid", "int2", "int2", "varchar", "varchar", "varchar", "varchar")
_TABLE = "CREATE TEMPORARY TABLE arriving (LIKE tracking_event) ON COMMIT DROP"
_COPY = """
COPY arriving (id, at, organization_id, message_id, copy_id, kind, link, verdict, reason, device, place)
FROM STDIN (FORMAT BINARY)
"""
_INSERT = """
INSERT INTO tracking_event (id, at, organization_id, message_id, copy_id, kind, link, verdict, reason, device, place)
SELECT id, at, organization_id, message_id, copy_id, kind, link, verdict, reason, device, place FROM arriving
ON CONFLICT (at, id) DO NOTHING RETURNING id
"""
#: Counters follow what was really inserted, in the same commit.
_COUNT = """
UPDATE tracking_copy AS c SET
    opens = c.opens + d.opens, clicks = c.clicks + d.clicks, hits = c.hits + d.hits,
    last_at = greatest(c.last_at, d.last_at),
    news_at = CASE WHEN d.opens + d.clicks > 0 THEN clock_timestamp() ELSE c.news_at END
FROM unnest(%s::uuid[], %s::int[], %s::int[], %s::int[], %s::timestamptz[]) AS d (id, opens, clicks, hits, last_at)
WHERE c.id = d.id
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One judged hit, as its table has it."""

    id: UUID
    at: datetime
    organization_id: UUID
    message_id: UUID
    copy_id: UUID
    kind: int
    link: int
    verdict: str
    reason: str
    device: str
    place: str


@dataclass(slots=True)
class Change:
    """What is to be added to a copy's counters."""

    opens: int = 0
    clicks: int = 0
    hits: int = 0
    last_at: datetime | None = None


def insert(rows: Iterable[Row]) -> set[UUID]:
    """The ids of those that were not there yet. In the caller's transaction; the months' partitions are there."""
    with connection.cursor() as cursor:
        cursor.execute(_TABLE)
        with cursor.copy(_COPY) as copy:
            copy.set_types(_TYPES)
            for row in rows:
                copy.write_row(astuple(row))
        cursor.execute(_INSERT)
        found: list[tuple[UUID]] = cursor.fetchall()
    return {id_ for (id_,) in found}


def count(changes: dict[UUID, Change]) -> None:
    """By copy, always in the same order: two workers never wait for each other."""
    ids = sorted(changes)
    columns: Sequence[Sequence[object]] = [
        ids,
        [changes[each].opens for each in ids],
        [changes[each].clicks for each in ids],
        [changes[each].hits for each in ids],
        [changes[each].last_at for each in ids],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [list(column) for column in columns])
