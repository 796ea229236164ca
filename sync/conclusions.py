"""How one look at a message ends: its job, its decision, its ledger entries and whom it waits for, in one transaction.

Who no longer holds the job's lease stores nothing: another has looked, or is looking."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from sync import ledger
from sync.ledger import Joined, Written
from sync.locks import hold
from sync.models import Decision, Job, Waiting
from sync.reasons import BY_PLACE, Note, Outcome, Ranked, Rule, Verdict

#: How long a mail waits for a person that Salesforce does not know yet (F11).
WAITS = timedelta(days=30)
_FIELDS = (
    "thread_id", "arrived_at", "outcome", "rule", "values", "domain", "error_code", "activity_id", "record_ids",
    "asked_ids", "asked_why", "notes", "decided_at",
)  # fmt: skip


class Place(Protocol):
    """Which message it is."""

    @property
    def organization_id(self) -> UUID: ...
    @property
    def mailbox_id(self) -> UUID: ...
    @property
    def message_id(self) -> str: ...


P = TypeVar("P", bound=Place)


@dataclass(frozen=True, slots=True)
class AskedFor:
    """A message that a person had saved: no job is held for it."""

    organization_id: UUID
    mailbox_id: UUID
    message_id: str


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
    file_tries: int
    crashes: int


@dataclass(frozen=True, slots=True, repr=False)
class Conclusion:
    """What became of a message. `domain`: the counterpart's. `asked_ids`: of people who could be meant, and somebody
    has to say so; `asked_why`: what makes one of them likelier. `notes`: what else there was, and what stayed out.
    `waiting`: keyed digests (ledger.Marks) of people whose appearing in Salesforce would change it."""

    verdict: Verdict
    thread_id: str = ""
    arrived_at: datetime | None = None
    domain: str = ""
    error_code: str = ""
    activity_id: str = ""
    record_ids: Sequence[str] = ()
    asked_ids: Sequence[str] = ()
    asked_why: Mapping[str, Sequence[Ranked]] = field(default_factory=dict)
    notes: Mapping[Note, int] = field(default_factory=dict)
    written: Sequence[Written] = ()
    joined: Joined | None = None
    waiting: Sequence[bytes] = ()

    def __post_init__(self) -> None:
        """Raises ValueError where an address would be stored, or why somebody is likelier who is not asked about."""
        if "@" in self.domain:
            raise ValueError("a decision would hold an address")
        if not set(self.asked_why) <= set(self.asked_ids):
            raise ValueError("a decision would hold reasons of people whom it does not ask about")


@dataclass(frozen=True, slots=True)
class About:
    """By what a person knows a message again that failed. `domain`: the counterpart's."""

    thread_id: str = ""
    arrived_at: datetime | None = None
    domain: str = ""


NOTHING_KNOWN = About()


def conclude(ended: Sequence[tuple[Task, Conclusion]]) -> list[Task]:
    """Store what became of some messages of one mailbox, all or none; returns those that were still ours to store."""
    with transaction.atomic():
        replies = _replies_to([(task, conclusion) for task, conclusion in ended if conclusion.written])
        if replies:
            hold(Job.objects.filter(pk__in=[*(task.id for task, _ in ended), *replies]))
        ours = _end([task for task, _ in ended], Job.State.DONE)
        kept = [(task, conclusion) for task, conclusion in ended if task.id in ours]
        for _, conclusion in kept:
            for written in conclusion.written:
                ledger.settle(written)
        ledger.join(conclusion.joined for _, conclusion in kept if conclusion.joined)
        news = _news(kept)
        _decide(news)
        _leave([task for task, conclusion in news if conclusion.verdict.outcome is Outcome.FAILED])
        _look_again([task for task, conclusion in kept if conclusion.verdict.rule in BY_PLACE])
        again = Job.objects.filter(pk__in=replies, state=Job.State.DONE)
        again.update(state=Job.State.DUE, next_at=Now(), created_at=Now())
    return [task for task, _ in kept]


def conclude_asked(asked: AskedFor, conclusion: Conclusion) -> None:
    """The same for what a person had saved. A job that waits or runs goes on, and changes nothing of it (`_news`); one
    that was given up has its end; and where sync was never told of the message there is one that is done, so that both
    are forgotten together."""
    with transaction.atomic():
        done = Job(
            organization_id=asked.organization_id,
            mailbox_id=asked.mailbox_id,
            message_id=asked.message_id,
            state=Job.State.DONE,
        )
        Job.objects.bulk_create([done], ignore_conflicts=True)
        list(_jobs_of(asked).select_for_update())  # whoever ends it just now has done so, or sees what is decided here
        put_down(asked)
        for written in conclusion.written:
            ledger.settle(written)
        ledger.join([conclusion.joined] if conclusion.joined else [])
        _decide(_news([(asked, conclusion)]))


def put_down(asked: Place) -> bool:
    """Whether it was given up or set aside, and is tried no more."""
    mine = _jobs_of(asked).filter(state__in=[Job.State.DEAD, Job.State.SET_ASIDE])
    return bool(mine.update(state=Job.State.DONE, **Job.UNCOUNTED))


def _jobs_of(asked: Place) -> QuerySet[Job]:
    return Job.objects.filter(mailbox_id=asked.mailbox_id, message_id=asked.message_id)


def _leave(tasks: Sequence[Task]) -> None:
    """What cannot be read is its person's to try again or to ignore, as what was given up is."""
    if tasks:
        Job.objects.filter(pk__in=[task.id for task in tasks]).update(state=Job.State.DEAD)


def _look_again(tasks: Sequence[Task]) -> None:
    """Whoever was told of again meanwhile may lie somewhere else by now."""
    if tasks:
        told = Job.objects.filter(pk__in=[task.id for task in tasks], is_told_again=True)
        told.update(state=Job.State.DUE, next_at=Now())


def _replies_to(saved: Sequence[tuple[Task, Conclusion]]) -> list[UUID]:
    """Jobs of what answers these, where that was looked at before they were there: beside them, or, in a listing,
    before."""
    since = {each.thread_id: each.arrived_at for _, each in saved if each.thread_id and each.arrived_at}
    if not since:
        return []
    mailbox_id = saved[0][0].mailbox_id
    left = Decision.objects.filter(mailbox_id=mailbox_id, rule=Rule.NOT_A_REPLY, thread_id__in=since)
    rows = left.exclude(arrived_at=None).only("message_id", "thread_id", "arrived_at")
    later = [row.message_id for row in rows if row.arrived_at and row.arrived_at >= since[row.thread_id]]
    done = Job.objects.filter(mailbox_id=mailbox_id, message_id__in=later, state=Job.State.DONE)
    return list(done.values_list("pk", flat=True)) if later else []


def give_up(task: Task, conclusion: Conclusion) -> bool:
    """The same for a job that is tried no more until a person asks; nor then, where its mail is in Salesforce. Whether
    it was still ours."""
    with transaction.atomic():
        is_ours = bool(_end([task], Job.State.DEAD))
        if is_ours:
            ledger.release(task.lease)
            news = _news([(task, conclusion)])
            _decide(_remembering(news))
            if not news:
                put_down(task)
    return is_ours


def set_aside(places: Sequence[P], why: Verdict) -> set[str]:
    """Decide of these, all of one mailbox, that they have killed their worker; whom they wait for stays. Returns ids of
    those that are in Salesforce by an earlier look, of which nothing changes."""
    news = _remembering(_news([(each, Conclusion(why)) for each in places]))
    record([_row(place, conclusion) for place, conclusion in news])
    return {each.message_id for each in places} - {place.message_id for place, _ in news}


def _remembering(failed: Sequence[tuple[P, Conclusion]]) -> Sequence[tuple[P, Conclusion]]:
    """With what an earlier look has found out, where this one did not come so far: by that a person knows it again."""
    if not failed:
        return failed
    rows = Decision.objects.filter(
        mailbox_id=failed[0][0].mailbox_id, message_id__in=[at.message_id for at, _ in failed]
    )
    known = {row.message_id: row for row in rows}
    return [(at, _completed(each, known.get(at.message_id))) for at, each in failed]


def _completed(each: Conclusion, known: Decision | None) -> Conclusion:
    if known is None:
        return each
    thread_id, arrived_at = each.thread_id or known.thread_id, each.arrived_at or known.arrived_at
    return replace(each, thread_id=thread_id, arrived_at=arrived_at, domain=each.domain or known.domain)


def _end(tasks: Sequence[Task], state: Job.State) -> set[UUID]:
    """Ids of those that were still ours to end."""
    leases = {task.lease for task in tasks}
    mine = Job.objects.filter(pk__in=[task.id for task in tasks], lease_by__in=leases, state=Job.State.RUNNING)
    found = set(hold(mine))
    counts = Job.UNCOUNTED if state == Job.State.DONE else {}
    Job.objects.filter(pk__in=found).update(state=state, lease_by=None, lease_until=None, **counts)
    return found


def _news(ended: Sequence[tuple[P, Conclusion]]) -> Sequence[tuple[P, Conclusion]]:
    """Without what would hide that a mail is in Salesforce, with whom it stands there by somebody's wish, or when it
    was taken out, by which `putting_back` finds it: a look that saves nothing changes none of it."""
    idle = {task.message_id: each.verdict for task, each in ended if _saves_nothing(each)}
    if not idle:
        return ended
    rows = Decision.objects.filter(mailbox_id=ended[0][0].mailbox_id, message_id__in=idle)
    is_there = Q(outcome=Outcome.SYNCED) & ~Q(activity_id="")
    there = list(rows.filter(is_there | Q(rule=Rule.TAKEN_BACK)).values_list("message_id", "rule"))
    stays = {name for name, rule in there if _outlasts(rule, idle[name])}
    return [(task, each) for task, each in ended if task.message_id not in stays]


def _saves_nothing(each: Conclusion) -> bool:
    return each.verdict.outcome is not Outcome.SYNCED or not (each.written or each.notes.get(Note.CHOSEN))


def _outlasts(rule: str, later: Verdict) -> bool:
    """Whether what is decided, of a mail that is there or was taken back, stays. That it is taken back is said once it
    is (`corrected`): a look may come before, and it may turn out that it cannot be."""
    if rule == Rule.TAKEN_BACK or later.rule is Rule.TAKEN_BACK:
        return later.rule is Rule.TAKEN_BACK
    return later.outcome is not Outcome.SYNCED or later.rule is Rule.SAVED_ELSEWHERE or rule == Rule.RELINKED


def _decide(ended: Sequence[tuple[Place, Conclusion]]) -> None:
    if not ended:
        return
    record([_row(task, conclusion) for task, conclusion in ended])
    _wait(ended)


def record(rows: Sequence[Decision]) -> None:
    """One for each message: a later one replaces an earlier. In a fixed order, so that two writers never wait for each
    other."""
    ordered = sorted(rows, key=lambda row: (row.mailbox_id, row.message_id))
    Decision.objects.bulk_create(
        ordered, update_conflicts=True, unique_fields=["mailbox", "message_id"], update_fields=_FIELDS
    )


def _row(task: Place, conclusion: Conclusion) -> Decision:
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
        asked_ids=list(conclusion.asked_ids),
        asked_why={id_: [each.value for each in why] for id_, why in conclusion.asked_why.items()},
        notes=dict(conclusion.notes),
        decided_at=Now(),
    )


def _wait(ended: Sequence[tuple[Place, Conclusion]]) -> None:
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
