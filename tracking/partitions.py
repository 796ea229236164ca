"""A partition of the table of hits for each month (UTC): made ahead, and dropped whole when nobody may keep it."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from django.db import connection, transaction

from organizations import locks

_NAME = re.compile(r"tracking_event_(\d{4})_(\d{2})$")
_EXISTING = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'tracking_event'::regclass ORDER BY c.relname
"""


def month_of(at: datetime) -> date:
    return at.astimezone(UTC).date().replace(day=1)


def next_month(month: date) -> date:
    return (month + timedelta(days=32)).replace(day=1)


def existing() -> list[date]:
    with connection.cursor() as cursor:
        cursor.execute(_EXISTING)
        found = [_NAME.match(name) for (name,) in cursor.fetchall()]
    return [date(int(match[1]), int(match[2]), 1) for match in found if match]


def make(months: Iterable[date]) -> None:
    """Those that are not there yet. Several processes may try at once."""
    for month in set(months) - set(existing()):
        with transaction.atomic(), connection.cursor() as cursor:
            locks.one_at_a_time("partitions", "tracking_event")
            cursor.execute(
                f"CREATE TABLE IF NOT EXISTS {_name(month)} PARTITION OF tracking_event"
                f" FOR VALUES FROM ('{month} 00:00+00') TO ('{next_month(month)} 00:00+00')"
            )


def make_ahead(now: datetime) -> None:
    """This month's and the next one's."""
    this = month_of(now)
    make([this, next_month(this)])


def drop_before(month: date) -> list[date]:
    """Whole months that lie before it. Returns which."""
    gone = [each for each in existing() if each < month]
    for each in gone:
        with transaction.atomic(), connection.cursor() as cursor:
            locks.one_at_a_time("partitions", "tracking_event")
            cursor.execute(f"DROP TABLE IF EXISTS {_name(each)}")
    return gone


def _name(month: date) -> str:
    return f"tracking_event_{month:%Y_%m}"
