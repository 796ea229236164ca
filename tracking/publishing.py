"""Tells the hot process what it must know and may not look up: who is switched off, which targets are withdrawn, and
the public key of the day. All of it anew each time; what has not changed is not told again."""

import hashlib
import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.conf import settings

from organizations.models import Organization, PolicyValue
from providers.errors import Transient
from tracking.hot.boxes import BatchBox
from tracking.hot.standing import switched_off
from tracking.hot.stream import DAY, STANDING, SWITCHED_OFF, WITHDRAWN
from tracking.hot.tokens import Kind, read_keys
from tracking.models import WithdrawnTarget
from tracking.policies import CLICKS, OPENS
from tracking.valkey import valkey
from vault import days
from vault.errors import VaultError

log = logging.getLogger("sidebar.tracking")

#: A day's key is dropped so long after its day: what came in before midnight must still be judged.
GRACE = timedelta(days=1)


def publish_standing(now: datetime) -> bool:
    """Whether anything had changed. Raises RedisError."""
    off, withdrawn, day = set(_switched_off()), set(_withdrawn()), _day(now.astimezone(UTC).date())
    version = _digest(off, withdrawn, day)
    if valkey().get(STANDING) == version:
        return False
    pipe = valkey().pipeline(transaction=True)
    for key, members in ((SWITCHED_OFF, off), (WITHDRAWN, withdrawn)):
        pipe.delete(key)
        if members:
            pipe.sadd(key, *members)
    pipe.set(DAY, day)
    pipe.set(STANDING, version)
    pipe.execute()
    return True


def end_days(now: datetime) -> list[date]:
    """Drop the keys of days that are over: from now on nobody can tell who asked then. Returns which."""
    over = [day for day in days.living() if day < (now.astimezone(UTC) - GRACE).date()]
    for day in over:
        days.end(day)
    return over


def _switched_off() -> Iterator[bytes]:
    """What each organization's administrator does not allow, or all of it where it is being destroyed. What was
    destroyed is not here: its hits belong to no message, and are dropped where they are drained."""
    for key, kind in ((OPENS.key, Kind.OPEN), (CLICKS.key, Kind.CLICK)):
        on = PolicyValue.objects.filter(member=None, key=key, value=True).values("organization_id")
        on_here = Organization.objects.filter(ending_since=None, pk__in=on)
        for pk in Organization.objects.exclude(pk__in=on_here).values_list("pk", flat=True):
            yield switched_off(pk.bytes, kind)


def _withdrawn() -> Iterator[bytes]:
    yield from (mark.bytes for mark in WithdrawnTarget.objects.values_list("pk", flat=True))


def _day(day: date) -> bytes:
    """As the hot process takes it: signed, since whoever writes to Valkey could put in a key of his own.

    Where a new day's key cannot be made, the last one serves on: a link that does harm is withdrawn all the same."""
    try:
        public = days.begin(day)
    except (VaultError, Transient) as fault:
        log.error("the key of a new day cannot be made, the last one serves on: %s", type(fault).__name__)
        kept: Any = valkey().get(DAY)
        return kept or b""
    return BatchBox(read_keys(settings.TRACKING_KEY)).publish_day(day.isoformat().encode(), public)


def _digest(off: set[bytes], withdrawn: set[bytes], day: bytes) -> bytes:
    told = hashlib.blake2b(day, digest_size=16)
    for each in (off, withdrawn):
        told.update(len(each).to_bytes(8, "big") + b"".join(sorted(each)))
    return told.hexdigest().encode()
