"""Rows of corrections: who has a step and for how long, how each ends, how far the whole has come. Knows no Salesforce.

A step is tried again until it has ended; what it asks of Salesforce may be repeated (providers.activities)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from organizations import audit
from organizations.models import Member
from sync import corrected, ledger, retries
from sync.models import Correction, CorrectionStep, LedgerEntry, Pause
from sync.reasons import filled

LEASE = timedelta(seconds=60)
Action = CorrectionStep.Action
#: Corrections shown at once.
SHOWN = 20


class Result(StrEnum):
    """How a step has ended. The values are stored and stay."""

    DELETED = "deleted"
    GONE = "gone"
    LEFT = "left"
    MOVED = "moved"
    CHANGED = "changed"
    NOT_SEEN = "not_seen"
    NO_PLACE = "no_place"
    NOBODY = "nobody"
    REFUSED = "refused"
    GAVE_UP = "gave_up"
    PUT_BACK = "put_back"


_SAID: Mapping[Result, str] = {
    Result.DELETED: "Taken out of Salesforce: {count}.",
    Result.GONE: "No longer in Salesforce when their turn came: {count}.",
    Result.LEFT: "Left to colleagues who have the same email; you were taken off it: {count}.",
    Result.MOVED: "Saved with the people who were chosen: {count}.",
    Result.CHANGED: "Left in Salesforce, since somebody has changed them there: {count}.",
    Result.NOT_SEEN: "Left as they are, since whoever asked for it does not see them in Salesforce: {count}.",
    Result.NO_PLACE: "Left as they are, since Salesforce has no place for so many people on them: {count}.",
    Result.NOBODY: "Left as they are, since nobody who may change them is connected to Salesforce: {count}.",
    Result.REFUSED: "Left as they are, since Salesforce refused: {count}.",
    Result.GAVE_UP: "Given up after many tries: {count}.",
    Result.PUT_BACK: "Taken out, and put back since: {count}.",
}
#: After these the record is not there any more.
OVER = (Result.DELETED, Result.GONE)
#: After these nothing has become of it.
FAILED = (Result.CHANGED, Result.NOT_SEEN, Result.NO_PLACE, Result.NOBODY, Result.REFUSED, Result.GAVE_UP)


@dataclass(frozen=True, slots=True)
class Line:
    result: str
    count: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a correction has come. `codes`: Salesforce's own, of what it refused."""

    id: UUID
    kind: str
    scope: str
    created_at: datetime
    ended_at: datetime | None
    total: int
    left: int
    lines: tuple[Line, ...]
    codes: tuple[str, ...]

    @property
    def may_be_put_back(self) -> bool:
        is_there = any(line.result in (*OVER, Result.LEFT) for line in self.lines)
        return self.kind == Correction.Kind.UNDO and self.ended_at is not None and is_there

    @property
    def done(self) -> int:
        return self.total - self.left


# -- a worker's turn --------------------------------------------------------------------------------------------------


def to_go_on() -> list[UUID]:
    """Those with steps that are due, or whose end nobody has written down. Every 30 s."""
    is_due = Exists(_due().filter(correction=OuterRef("pk")))
    is_left = Exists(CorrectionStep.objects.filter(correction=OuterRef("pk"), result=""))
    rows = Correction.objects.filter(is_due | ~is_left, ended_at=None, organization__ending_since=None)
    return list(rows.order_by("created_at").values_list("pk", flat=True)[:500])


def _due() -> QuerySet[CorrectionStep]:
    """Not of a mail that somebody brings files to, which would come after it is gone."""
    paused = Pause.objects.filter(until__gt=Now()).values("organization_id")
    is_free = Q(lease_until=None) | Q(lease_until__lt=Now())
    rows = CorrectionStep.objects.filter(is_free, result="", next_at__lte=Now())
    rows = rows.exclude(entry__claimed_until__gt=Now())
    return rows.exclude(correction__organization_id__in=paused)


def claim(correction_id: UUID) -> CorrectionStep | None:
    """One step that is ours now, counted as tried."""
    with transaction.atomic():
        rows = _due().filter(correction_id=correction_id, correction__organization__ending_since=None)
        row = rows.select_for_update(skip_locked=True, of=("self",)).order_by("next_at", "pk").first()
        if row is None:
            return None
        lease = uuid4()
        changes = {"lease_by": lease, "lease_until": Now() + LEASE, "tries": F("tries") + 1}
        CorrectionStep.objects.filter(pk=row.pk).update(**changes)
    whole = CorrectionStep.objects.select_related("correction__asked_by", "entry__mailbox__member")
    return whole.get(pk=row.pk)


def _mine(step: CorrectionStep) -> QuerySet[CorrectionStep]:
    return CorrectionStep.objects.filter(pk=step.pk, lease_by=step.lease_by, result="")


def prolong(step: CorrectionStep) -> None:
    _mine(step).update(lease_until=Now() + LEASE)


def put_off(step: CorrectionStep, wait: float, *, counts: bool) -> None:
    """To be tried again after `wait` seconds."""
    tries = F("tries") if counts else F("tries") - 1
    _mine(step).update(lease_by=None, lease_until=None, tries=tries, next_at=Now() + timedelta(seconds=wait))


def is_worn_out(step: CorrectionStep) -> bool:
    """Tried as often as anything is, by workers that died over it as well."""
    return step.tries > retries.TRIES


def end(step: CorrectionStep, result: Result, error_code: str = "") -> bool:
    """With what follows for the ledger and the decisions, in one transaction. Whether it was still ours to end."""
    with transaction.atomic():
        Correction.objects.select_for_update().get(pk=step.correction_id)
        changes = {"result": result, "error_code": error_code, "ended_at": Now(), "lease_by": None, "lease_until": None}
        is_ours = bool(_mine(step).update(**changes))
        if is_ours:
            _follow(step, result)
            end_whole(step.correction_id)
    return is_ours


def _follow(step: CorrectionStep, result: Result) -> None:
    entry, by = step.entry, step.correction.asked_by
    at = CorrectionStep.objects.values_list("ended_at", flat=True).get(pk=step.pk)
    if step.action == Action.DELETE and result not in OVER:
        LedgerEntry.objects.filter(pk=entry.pk).update(undone_at=None)
    whose = (entry.organization_id, entry.salesforce_id)
    if result in OVER and step.action == Action.DELETE:
        corrected.taken_back(*whose, at)
    elif result is Result.LEFT and by is not None:
        ledger.leave(entry.pk, by.pk)
        corrected.taken_back(*whose, at, by)
    elif result is Result.MOVED:
        corrected.relinked(*whose, step.former_ids, step.correction.person_ids)


def end_whole(correction_id: UUID) -> None:
    """If nothing of it is left to do. Whoever calls holds its lock, or writes no step."""
    with transaction.atomic():
        row = Correction.objects.select_for_update().filter(pk=correction_id, ended_at=None).first()
        if row is None or row.steps.filter(result="").exists():
            return
        Correction.objects.filter(pk=row.pk).update(ended_at=Now())
        counts = dict(row.steps.values_list("result").annotate(number=Count("pk")).order_by())
        audit.record(row.organization_id, "task:correction", f"sync.{row.kind}_ended", row.pk, **counts)


# -- what it leaves behind --------------------------------------------------------------------------------------------


def moved_off(entry_id: UUID) -> frozenset[str]:
    """Ids, in their first fifteen characters, of people in whose place others were put on this entry's activity."""
    steps = CorrectionStep.objects.filter(entry=entry_id, result=Result.MOVED).order_by("ended_at")
    off: set[str] = set()
    for former_ids, person_ids in steps.values_list("former_ids", "correction__person_ids"):
        off = (off | {each[:15] for each in former_ids}) - {each[:15] for each in person_ids}
    return frozenset(off)


# -- how far it has come ----------------------------------------------------------------------------------------------


def seen_by(member: Member) -> QuerySet[Correction]:
    """One's own; an administrator sees everybody's."""
    rows = Correction.objects.filter(organization_id=member.organization_id)
    return rows if member.is_administrator else rows.filter(asked_by=member)


def latest(member: Member) -> list[Correction]:
    return list(seen_by(member).order_by("-created_at", "-pk")[:SHOWN])


def progress(rows: Sequence[Correction]) -> list[Progress]:
    """One query for all of them."""
    counted = CorrectionStep.objects.filter(correction__in=[row.pk for row in rows])
    numbers = counted.values_list("correction_id", "result", "error_code").annotate(number=Count("pk")).order_by()
    found: dict[UUID, list[tuple[str, str, int]]] = {row.pk: [] for row in rows}
    for correction_id, result, code, number in numbers:
        found[correction_id].append((result, code, number))
    return [_progress(row, found[row.pk]) for row in rows]


def _progress(row: Correction, counted: Sequence[tuple[str, str, int]]) -> Progress:
    by_result = {each: sum(number for result, _, number in counted if result == each) for each in Result}
    lines = tuple(Line(each, count, say(each, count)) for each, count in by_result.items() if count)
    left = sum(number for result, _, number in counted if not result)
    codes = tuple(sorted({code for _, code, _ in counted if code}))
    total = left + sum(line.count for line in lines)
    return Progress(row.pk, row.kind, row.scope, row.created_at, row.ended_at, total, left, lines, codes)


def say(result: Result, count: int) -> str:
    return filled(_SAID[result], {"count": str(count)})
