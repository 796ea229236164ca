"""How one look at a message ends: its job, its decision, its ledger entries and whom it waits for, in one transaction.

Who no longer holds the job's lease stores nothing: another has looked, or is looking."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from sync import ledger
from sync.ledger import Written
from sync.models import Decision, Job, Waiting
from sync.reasons import BY_PLACE, Verdict

#: How long a mail waits for a person that Salesforce does not know yet (F11).
WAITS = timedelta(days=30)
_FIELDS = (
    "thread_id", "arrived_at", "outcome", "rule", "values", "domain", "error_code", "activity_id", "record_ids",
    "decided_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Task:
    """A job that is held: what whoever carries it out needs to know. `lease` is new with each try."""

    id: UUID
    lease: UUID
    organization_id: UUID
    mailbox_id: UUID
    message_id: str
    is_live: bool
    was_chosen: bool
    tries: int
    crashes: int


@dataclass(frozen=True, slots=True, repr=False)
class Conclusion:
    """What became of a message. `domain`: the counterpart's. `waiting`: keyed digests (ledger.Marks) of people whose
    appearing in Salesforce would change it."""

    verdict: Verdict
    thread_id: str = ""
    arrived_at: datetime | None = None
    domain: str = ""
    error_code: str = ""
    activity_id: str = ""
    record_ids: Sequence[str] = ()
    written: Sequence[Written] = ()
    waiting: Sequence[bytes] = ()

    def __post_init__(self) -> None:
        """Raises ValueError where an address would be stored."""
        if "@" in self.domain:
            raise ValueError("a decision would hold an address")


def conclude(ended: Sequence[tuple[Task, Conclusion]]) -> list[Task]:
    """Store what became of some messages of one mailbox, all or none; returns those that were still ours to store."""
    with transaction.atomic():
        ours = _end([task for task, _ in ended], Job.State.DONE)
        kept = [(task, conclusion) for task, conclusion in ended if task.id in ours]
        for _, conclusion in kept:
            for written in conclusion.written:
                ledger.settle(written)
        _decide(kept)
        _look_again([task for task, conclusion in kept if conclusion.verdict.rule in BY_PLACE])
    return [task for task, _ in kept]


def _look_again(tasks: Sequence[Task]) -> None:
    """Whoever was told of again meanwhile may lie somewhere else by now."""
    if tasks:
        told = Job.objects.filter(pk__in=[task.id for task in tasks], is_told_again=True)
        told.update(state=Job.State.DUE, next_at=Now())


def give_up(task: Task, conclusion: Conclusion) -> bool:
    """The same for a job that is tried no more until a person asks. Whether it was still ours."""
    with transaction.atomic():
        is_ours = bool(_end([task], Job.State.DEAD))
        if is_ours:
            ledger.release(task.lease)
            _decide([(task, conclusion)])
    return is_ours


def _end(tasks: Sequence[Task], state: Job.State) -> set[UUID]:
    """Ids of those that were still ours to end."""
    leases = {task.lease for task in tasks}
    mine = Job.objects.filter(pk__in=[task.id for task in tasks], lease_by__in=leases, state=Job.State.RUNNING)
    found = set(mine.select_for_update().order_by("pk").values_list("pk", flat=True))
    crashes = {"crashes": 0, "tries": 0} if state == Job.State.DONE else {}
    Job.objects.filter(pk__in=found).update(state=state, lease_by=None, lease_until=None, **crashes)
    return found


def _decide(ended: Sequence[tuple[Task, Conclusion]]) -> None:
    if not ended:
        return
    record([_row(task, conclusion) for task, conclusion in ended])
    _wait([(task, conclusion) for task, conclusion in ended])


def record(rows: Sequence[Decision]) -> None:
    """One for each message: a later one replaces an earlier. In a fixed order, so that two writers never wait for each
    other."""
    ordered = sorted(rows, key=lambda row: (row.mailbox_id, row.message_id))
    Decision.objects.bulk_create(
        ordered, update_conflicts=True, unique_fields=["mailbox", "message_id"], update_fields=_FIELDS
    )


def _row(task: Task, conclusion: Conclusion) -> Decision:
    return Decision(
        organization_id=task.organization_id,
        mailbox_id=task.mailbox_id,
        message_id=task.message_id,
        thread_id=conclusion.thread_id,
        arrived_at=conclusion.arrived_at,
        outcome=conclusion.verdict.outcome,
        rule=conclusion.verdict.rule,
        values=dict(conclusion.verdict.values),
        domain=conclusion.domain,
        error_code=conclusion.error_code,
        activity_id=conclusion.activity_id,
        record_ids=list(conclusion.record_ids),
        decided_at=Now(),
    )


def _wait(ended: Sequence[tuple[Task, Conclusion]]) -> None:
    """A first wait's end stays: a mail that is looked at again waits no longer for it."""
    marks = {task.message_id: set(conclusion.waiting) for task, conclusion in ended}
    there = Waiting.objects.filter(decision__mailbox_id=ended[0][0].mailbox_id, decision__message_id__in=marks)
    over = [
        pk
        for pk, mark, message_id in there.values_list("pk", "mark", "decision__message_id")
        if bytes(mark) not in marks[message_id]
    ]
    if over:
        Waiting.objects.filter(pk__in=over).delete()
    if any(marks.values()):
        _begin_waiting(ended[0][0].mailbox_id, marks)


def _begin_waiting(mailbox_id: UUID, marks: Mapping[str, set[bytes]]) -> None:
    rows = Decision.objects.filter(mailbox_id=mailbox_id, message_id__in=[each for each in marks if marks[each]])
    awaited = [
        Waiting(decision=row, organization_id=row.organization_id, mark=mark, until=Now() + WAITS)
        for row in rows
        for mark in marks[row.message_id]
    ]
    Waiting.objects.bulk_create(awaited, ignore_conflicts=True)
