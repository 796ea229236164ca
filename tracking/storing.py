"""Writes judged hits into the database, each once, however often it is delivered. Knows no stream and no rule."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import NamedTuple
from uuid import UUID

import orjson
from django.db import connection

from tracking.classify import Verdict

#: Its columns are Row's, in the same order.
_TABLE = "CREATE TEMPORARY TABLE arriving (LIKE tracking_event) ON COMMIT DROP"
_COPY = "COPY arriving FROM STDIN (FORMAT BINARY)"
#: Told is what was there before: hardly ever anything.
_INSERT = """
WITH new AS (
    INSERT INTO tracking_event SELECT * FROM arriving
    ON CONFLICT (at, id) DO NOTHING RETURNING id
)
SELECT id FROM arriving EXCEPT SELECT id FROM new
"""
#: Counters follow what was really inserted, in the same commit.
_COUNT = """
UPDATE tracking_copy AS c SET
    opens = c.opens + d.opens, clicks = c.clicks + d.clicks, hits = c.hits + d.hits,
    last_at = greatest(c.last_at, d.last_at),
    news_at = CASE WHEN d.opens + d.clicks > 0 THEN clock_timestamp() ELSE c.news_at END
FROM json_to_recordset(%s::json) AS d (id uuid, opens int, clicks int, hits int, last_at timestamptz)
WHERE c.id = d.id
"""


#: When somebody last came, now that a hit has turned out to be nobody's.
_LAST = """
UPDATE tracking_copy AS c SET last_at = (
    SELECT max(e.at) FROM tracking_event AS e WHERE e.copy_id = c.id AND e.verdict = %s
) WHERE c.id = ANY(%s::uuid[])
"""
#: PostgreSQL's binary COPY ("COPY", section "Binary Format"): each field behind its length; times are microseconds
#: since 2000. Written here, since a call for each field takes five times as long.
_HEAD, _END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
_FIXED = Struct(">h i16s iq i16s i16s i16s ih ih")
_LENGTH = Struct(">i")
_EPOCH, _MICROSECOND = datetime(2000, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


class Row(NamedTuple):
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


def insert(rows: Iterable[Row]) -> list[Row]:
    """Those that were not there yet. In the caller's transaction, which holds their copies (copies.known); the months'
    partitions are there."""
    each_once = {row.id: row for row in rows}
    with connection.cursor() as cursor:
        cursor.execute(_TABLE)
        with cursor.copy(_COPY) as copy:
            copy.write(b"".join([_HEAD, *map(_binary, each_once.values()), _END]))
        cursor.execute(_INSERT)
        for (id_,) in cursor.fetchall():
            del each_once[id_]
    return list(each_once.values())


def _binary(row: Row) -> bytes:
    at = (row.at - _EPOCH) // _MICROSECOND
    owners = 16, row.organization_id.bytes, 16, row.message_id.bytes, 16, row.copy_id.bytes
    fixed = _FIXED.pack(len(row), 16, row.id.bytes, 8, at, *owners, 2, row.kind, 2, row.link)
    return fixed + b"".join([_LENGTH.pack(len(text)) + text for text in map(str.encode, row[7:])])


def count(changes: dict[UUID, Change]) -> None:
    """The copies are locked already."""
    told = [{"id": id_, **_told(change)} for id_, change in changes.items()]
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [orjson.dumps(told).decode()])


def look_up_last(copies: Collection[UUID]) -> None:
    """Of copies that are locked already, and whose hits' verdicts have changed."""
    with connection.cursor() as cursor:
        cursor.execute(_LAST, [Verdict.HUMAN_LIKELY, list(copies)])


def _told(change: Change) -> dict[str, object]:
    return {"opens": change.opens, "clicks": change.clicks, "hits": change.hits, "last_at": change.last_at}
