"""The database's clock, which alone decides about leases and expiry, and how far ours is from it (V22)."""

import logging
import time
from datetime import datetime, timedelta

from django.db import connection

log = logging.getLogger("sidebar.vault")

#: Seconds by which two clocks may differ before somebody is told: sign-in tokens are checked with 60 s to spare.
ALARM = 30.0


def now() -> datetime:
    """The database's time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        at: datetime = cursor.fetchone()[0]
    return at


def after(seconds: float | None) -> datetime | None:
    """The database's time in so many seconds; None stays None."""
    return None if seconds is None else now() + timedelta(seconds=seconds)


def skew() -> float:
    """Seconds by which this machine's clock is ahead of the database's; negative: behind. Raises DatabaseError."""
    before = time.time()
    theirs = now().timestamp()
    return (before + time.time()) / 2 - theirs


def warn() -> None:
    """One line in the log when this machine's clock is off. Raises DatabaseError."""
    off = skew()
    if abs(off) > ALARM:
        log.warning("this machine's clock is %.0f s %s the database's", abs(off), "ahead of" if off > 0 else "behind")
