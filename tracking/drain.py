"""The use case `drain_events`: from the stream into the database, each hit judged once it is known who asked, which is
then forgotten. Killed at any point nothing is lost (acknowledged after the commit) and nothing doubled (ids)."""

import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from organizations import policy
from tracking import burst, inflow, partitions, storing
from tracking.classify import Asked, Judged, Verdict, judge
from tracking.hot.boxes import BatchBox, NotOurs, Opening
from tracking.hot.hits import Hit, unpacked
from tracking.hot.tokens import Kind, read_keys
from tracking.inflow import Given
from tracking.models import Copy
from tracking.policies import CLICKS, OPENS
from tracking.signatures import device_of
from tracking.storing import Change, Row
from tracking.surroundings import Surroundings
from vault import days

log = logging.getLogger("sidebar.tracking")

#: Entries taken at once; each holds up to hot.commits.LARGEST hits.
MOST = 50
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


def drain_events(consumer: str) -> Drained | None:
    """One batch; None where nothing waits. Raises RedisError, DatabaseError and what the vault raises: then the batch
    is given out again later."""
    given = inflow.take(consumer, MOST)
    if not given:
        return None
    hits, broken = _opened(given)
    drained = _store(hits, broken)
    inflow.done(given)
    return drained


def _opened(given: Iterable[Given]) -> tuple[list[Hit], int]:
    box, openings, hits, broken = BatchBox(read_keys(settings.TRACKING_KEY)), dict[bytes, Opening | None](), [], 0
    for each in given:
        name = each.entry.get(b"d", b"")
        if name not in openings:
            openings[name] = _opening(name)
        try:
            hits += unpacked(each.entry, box, openings[name])
        except (NotOurs, KeyError, ValueError):
            broken += 1
            log.error("an entry of the stream does not open with TRACKING_KEY and is passed over")
    return hits, broken


def _opening(name: bytes) -> Opening | None:
    """None where the day is over: then nobody knows any more who asked."""
    try:
        private = days.private(date.fromisoformat(name.decode()))
    except ValueError:
        return None
    return Opening(name, private) if private else None


def _store(hits: list[Hit], broken: int) -> Drained:
    latest = timezone.now() + AHEAD
    placed = [hit for hit in hits if _at(hit) < latest]
    copies = _copies({UUID(bytes=hit.copy_id) for hit in placed})
    known = [hit for hit in placed if _is_of(hit, copies)]
    around = Surroundings(copies)
    rows = [_row(hit, copies[UUID(bytes=hit.copy_id)], around) for hit in known]
    partitions.make({partitions.month_of(row.at) for row in rows})
    with transaction.atomic():
        _lock({row.copy_id for row in rows})
        new = storing.insert(rows)
        arrived = list({row.id: row for row in rows if row.id in new}.values())
        changes = _changes(arrived)
        burst.rejudge(arrived, changes)
        storing.count(changes)
    return Drained(len(new), len(rows) - len(new), len(hits) - len(known), broken)


def _at(hit: Hit) -> datetime:
    return datetime.fromtimestamp(hit.at / 1_000, UTC)


def _copies(ids: set[UUID]) -> dict[UUID, Copy]:
    return {row.pk: row for row in Copy.objects.filter(pk__in=ids).select_related("message", "message__organization")}


def _is_of(hit: Hit, copies: dict[UUID, Copy]) -> bool:
    """Its message is still here, of the organization in the token, and that still wants to know: the hot process may
    have heard of it a moment too late."""
    copy = copies.get(UUID(bytes=hit.copy_id))
    if copy is None or copy.message.organization_id != UUID(bytes=hit.organization):
        return False
    toggle = OPENS if hit.kind == Kind.OPEN else CLICKS
    return bool(policy.organization_value_of(toggle.key, copy.message.organization_id))


def _lock(ids: set[UUID]) -> None:
    """In one order, so that two workers wait for each other in turn."""
    list(Copy.objects.select_for_update(of=("self",)).order_by("pk").filter(pk__in=ids).values_list("pk"))


def _row(hit: Hit, copy: Copy, around: Surroundings) -> Row:
    who = around.who(hit)
    judged = _judged(hit, copy, around)
    return Row(
        id=UUID(bytes=hit.id),
        at=_at(hit),
        organization_id=copy.message.organization_id,
        message_id=copy.message_id,
        copy_id=copy.pk,
        kind=hit.kind,
        link=hit.link,
        verdict=judged.verdict,
        reason=judged.reason[:160],
        device=device_of(who.agent),
        place=around.place_of(who.address)[:80],
    )


def _judged(hit: Hit, copy: Copy, around: Surroundings) -> Judged:
    who, message = around.who(hit), copy.message
    since_sent = _at(hit) - message.sent_at if message.sent_at else None
    asked = Asked(Kind(hit.kind), hit.flags, who.agent, who.address, since_sent)
    return judge(asked, around.of(message, _at(hit), who.address))


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
