"""The use case `drain_events`: from the stream into the database, each hit judged once it is known who asked, which is
then forgotten. Killed at any point nothing is lost (acknowledged after the commit) and nothing doubled (ids)."""

import logging
import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from uuid import UUID

from django.conf import settings
from django.db import transaction

from organizations import policy
from tracking import burst, classify, inflow, partitions, storing, telling
from tracking.classify import Asked, Verdict, is_from_its_person, judge
from tracking.copies import Known, known
from tracking.hot.boxes import BatchBox, NotOurs, Opening
from tracking.hot.hits import Hit, unpacked
from tracking.hot.tokens import Kind, read_keys
from tracking.inflow import Given
from tracking.policies import CLICKS, OPENS
from tracking.signatures import device_of
from tracking.storing import Change, Row
from tracking.surroundings import Surroundings
from vault import clock, days, frames
from vault.errors import TokenTampered

log = logging.getLogger("sidebar.tracking")

#: Entries taken at once; each holds up to hot.commits.LARGEST hits.
MOST = 50
#: So long an entry waits that does not open: TRACKING_KEY may have a new key which this worker is not told yet.
HELD = timedelta(hours=1)
#: A clock of a hot process that is further ahead than this is wrong, and its hits cannot be placed.
AHEAD = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Drained:
    """What became of a batch. `strangers`: hits of messages that are not here any more. `broken`: entries that do not
    open with TRACKING_KEY."""

    stored: int = 0
    repeated: int = 0
    strangers: int = 0
    broken: int = 0


@frames.emptied
def drain_events(consumer: str) -> Drained | None:
    """One batch; None where nothing waits. Raises RedisError, DatabaseError and what the vault raises: then the batch
    is given out again later, and nobody who asked stays behind in the frames of what failed."""
    given = inflow.take(consumer, MOST)
    if not given:
        return None
    try:
        hits, closed = _opened(given)
        drained = _store(hits, len(closed))
    finally:
        classify.forget()
    inflow.done([each for each in given if each not in closed or each.at < clock.now() - HELD])
    return drained


def _opened(given: Iterable[Given]) -> tuple[list[Hit], list[Given]]:
    """The hits, and the entries that do not open."""
    box, openings, hits, closed = BatchBox(read_keys(settings.TRACKING_KEY)), dict[bytes, Opening | None](), [], []
    for each in given:
        name = each.entry.get(b"d", b"")
        if name not in openings:
            openings[name] = _opening(name)
        try:
            hits += _unpacked(each, box, openings[name])
        except (NotOurs, KeyError, ValueError, struct.error):
            closed.append(each)
    if closed:
        log.error("%s entries of the stream do not open with TRACKING_KEY", len(closed))
    return hits, closed


def _unpacked(given: Given, box: BatchBox, day: Opening | None) -> list[Hit]:
    """Where the day's key is another by now (a database was restored), what happened still counts."""
    try:
        return unpacked(given.entry, box, day)
    except NotOurs:
        return unpacked(given.entry, box, None)


def _opening(name: bytes) -> Opening | None:
    """None where the day is over: then nobody knows any more who asked."""
    try:
        private = days.private(date.fromisoformat(name.decode()))
    except ValueError:
        return None
    except TokenTampered:
        log.error("a day's key does not open: nobody knows who asked on that day")
        return None
    return Opening(name, private) if private else None


def _store(hits: list[Hit], broken: int) -> Drained:
    latest = (clock.now() + AHEAD).timestamp() * 1_000
    timely = [hit for hit in hits if hit.at < latest]
    partitions.make(_months(timely))
    with transaction.atomic():
        rows = _judged(timely)
        arrived = storing.insert(rows)
        changes = _changes(arrived)
        burst.rejudge(arrived, changes)
        storing.count(changes)
        telling.seen(arrived, changes)
    return Drained(len(arrived), len(rows) - len(arrived), len(hits) - len(rows), broken)


def _judged(hits: list[Hit]) -> list[Row]:
    placed = _placed(hits, known({hit.copy_id for hit in hits}))
    around = Surroundings({copy.message.organization_id for _, copy in placed})
    return [_row(hit, copy, around) for hit, copy in placed]


def _months(hits: Iterable[Hit]) -> set[date]:
    days_of = {hit.at // 86_400_000 for hit in hits}
    return {partitions.month_of(datetime.fromtimestamp(day * 86_400, UTC)) for day in days_of}


def _placed(hits: list[Hit], copies: Mapping[bytes, Known]) -> list[tuple[Hit, Known]]:
    """Those whose message is still here, of the organization in the token, which still wants to know: the hot process
    may have heard of that a moment too late."""
    wants = cache(_wants)
    found = [(hit, copy) for hit in hits if (copy := copies.get(hit.copy_id))]
    return [
        (hit, copy)
        for hit, copy in found
        if copy.message.organization_id.bytes == hit.organization and wants(hit.kind, copy.message.organization_id)
    ]


def _wants(kind: int, organization_id: UUID) -> bool:
    toggle = OPENS if kind == Kind.OPEN else CLICKS
    return bool(policy.organization_value_of(toggle.key, organization_id))


def _row(hit: Hit, copy: Known, around: Surroundings) -> Row:
    who, at, message = around.who(hit), datetime.fromtimestamp(hit.at / 1_000, UTC), copy.message
    since_sent = at - message.sent_at if message.sent_at else None
    asked = Asked(Kind(hit.kind), hit.flags, who.agent, who.address, since_sent)
    beside = around.of(message, at, who.address)
    judged = judge(asked, beside)
    return Row(
        id=UUID(bytes=hit.id),
        at=at,
        organization_id=message.organization_id,
        message_id=message.id,
        copy_id=copy.id,
        kind=hit.kind,
        link=hit.link,
        verdict=judged.verdict,
        reason=judged.reason[:160],
        device=device_of(who.agent),
        place=around.place_of(who.address)[:80] if is_from_its_person(asked, beside) else "",
    )


def _changes(rows: Iterable[Row]) -> dict[UUID, Change]:
    changes: dict[UUID, Change] = defaultdict(Change)
    for row in rows:
        change = changes[row.copy_id]
        change.hits += 1
        if row.verdict == Verdict.HUMAN_LIKELY:
            change.opens += row.kind == Kind.OPEN
            change.clicks += row.kind == Kind.CLICK
            change.last_at = max(row.at, change.last_at or row.at)
    return changes
