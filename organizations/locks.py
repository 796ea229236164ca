"""Advisory locks of the database: one at a time, in all processes, until the transaction ends. No data is read."""

import hashlib
from datetime import datetime

from django.db import connection


def one_at_a_time(purpose: str, key: object) -> datetime:
    """Wait for our turn at `purpose` of `key`; returns the database's time, taken under the lock."""
    digest = hashlib.sha256(f"{purpose} {key}".encode()).digest()
    number = int.from_bytes(digest[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s), clock_timestamp()", [number])
        row = cursor.fetchone()
    at: datetime = row[1]
    return at
