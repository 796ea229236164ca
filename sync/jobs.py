"""Jobs of one mailbox: who has one, for how long, how often it was tried, and what follows a failure.

A try is counted as a crash before it begins and counted back when it ends, so that a mail which kills its worker is
known by the second time, set aside, and keeps nobody else from being looked at (sync.md 7)."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from sync import conclusions, ledger, parking, retries
from sync.conclusions import Conclusion, Task
from sync.models import Decision, Job, SyncedMailbox
from sync.reasons import Rule, outcome_of, verdict
from sync.retries import Answer, Ruling

#: Headings are fetched for so many at once (providers.mail).
BATCH = 20
LEASE = timedelta(seconds=60)
#: Waits of a mail that has killed its worker twice, three times; after the last it is given up.
SET_ASIDE = (timedelta(minutes=10), timedelta(hours=1))
POISON = 2
#: Whatever fails for so long is given up, though nothing counted.
LONGEST = timedelta(days=3)
_WAITING = (Job.State.DUE, Job.State.SET_ASIDE)
_LEFT_BEHIND = Q(state=Job.State.RUNNING, lease_until__lt=Now())


def due(mailbox_id: UUID | None = None) -> QuerySet[Job]:
    """Those whose time has come, those of a killed worker among them."""
    rows = Job.objects.filter(Q(state__in=_WAITING, next_at__lte=Now()) | _LEFT_BEHIND)
    return rows.filter(mailbox_id=mailbox_id) if mailbox_id else rows


def claim(mailbox_id: UUID, most: int = BATCH) -> list[Task]:
    """Jobs that are ours now, each counted as begun. Live mail first; what has failed or crashed comes alone, so that
    it takes no neighbour along."""
    set_aside_poison(mailbox_id)
    with transaction.atomic():
        ordered = due(mailbox_id).order_by("-is_live", "next_at")
        rows = list(ordered.select_for_update(skip_locked=True)[:most])
        rows = _alone(rows)
        lease = uuid4()
        Job.objects.filter(pk__in=[row.pk for row in rows]).update(
            state=Job.State.RUNNING,
            lease_by=lease,
            lease_until=Now() + LEASE,
            crashes=F("crashes") + 1,
            is_told_again=False,
        )
    return [_task(row, lease) for row in rows]


def _alone(rows: list[Job]) -> list[Job]:
    suspect = [row for row in rows if row.crashes or row.tries]
    return suspect[:1] if suspect and suspect[0] is rows[0] else [row for row in rows if row not in suspect]


def _task(row: Job, lease: UUID) -> Task:
    whose = (row.organization_id, row.mailbox_id, row.message_id)
    return Task(row.pk, lease, *whose, row.is_live, row.was_chosen, row.tries, row.crashes + 1)


def prolong(tasks: Sequence[Task]) -> None:
    for lease in {task.lease for task in tasks}:
        Job.objects.filter(lease_by=lease, state=Job.State.RUNNING).update(lease_until=Now() + LEASE)


def _mine(*tasks: Task) -> QuerySet[Job]:
    ids, leases = [task.id for task in tasks], {task.lease for task in tasks}
    return Job.objects.filter(pk__in=ids, lease_by__in=leases, state=Job.State.RUNNING)


def looked_at(tasks: Sequence[Task]) -> None:
    """Their headings have killed nobody: those that wait for their turn are no suspects any more."""
    _mine(*tasks).update(crashes=F("crashes") - 1)


def begin(task: Task) -> bool:
    """Committed before the dangerous part. False where it is not ours any more."""
    return bool(_mine(task).update(crashes=F("crashes") + 1, lease_until=Now() + LEASE))


def put_back(tasks: Sequence[Task], *, were_begun: bool = True) -> None:
    """Untouched: the worker has other things to do, or their provider has."""
    for task in tasks:
        ledger.release(task.lease)
    crashes = F("crashes") - 1 if were_begun else F("crashes")
    _mine(*tasks).update(state=Job.State.DUE, lease_by=None, lease_until=None, crashes=crashes)


def fail(mailbox: SyncedMailbox, tasks: Sequence[Task], ruling: Ruling) -> bool:
    """After a failure of all of `tasks` at once. Whether the mailbox has to wait now."""
    is_elsewhere = parking.note_failure(mailbox, ruling)
    for task in tasks:
        if ruling.answer is Answer.GIVE_UP and len(tasks) == 1:
            conclusions.give_up(task, _refused(ruling))
        elif _is_over(task, ruling, counts=not is_elsewhere):
            conclusions.give_up(task, _gave_up(task, ruling))
        else:
            _try_again(task, ruling, counts=not is_elsewhere)
    return is_elsewhere


def _refused(ruling: Ruling) -> Conclusion:
    code = ruling.error_code or "no_code"
    return Conclusion(verdict(Rule.REFUSED, provider=ruling.provider.capitalize(), code=code), error_code=code)


def _gave_up(task: Task, ruling: Ruling) -> Conclusion:
    return Conclusion(verdict(Rule.GAVE_UP, tries=str(task.tries + 1)), error_code=ruling.error_code)


def _is_over(task: Task, ruling: Ruling, *, counts: bool) -> bool:
    if counts and task.tries + 1 >= retries.TRIES:
        return True
    is_waiting = ruling.answer in (Answer.PARK, Answer.PAUSE)
    return not is_waiting and Job.objects.filter(pk=task.id, created_at__lt=Now() - LONGEST, tries__gt=0).exists()


def _try_again(task: Task, ruling: Ruling, *, counts: bool) -> None:
    """What waits for somebody else (a provider, a person) is due at once: the mailbox is what waits."""
    ledger.release(task.lease)
    wait = timedelta(seconds=retries.back_off(task.tries + 1, ruling.wait) if counts else 0.0)
    _mine(task).update(
        state=Job.State.DUE,
        lease_by=None,
        lease_until=None,
        crashes=F("crashes") - 1,
        tries=F("tries") + (1 if counts else 0),
        next_at=Now() + wait,
    )


def set_aside_poison(mailbox_id: UUID) -> list[UUID]:
    """Those that have killed their worker again: visible at once, tried alone much later, then given up."""
    with transaction.atomic():
        rows = list(
            Job.objects.select_for_update(skip_locked=True)
            .filter(_LEFT_BEHIND, mailbox_id=mailbox_id, crashes__gte=POISON)
            .order_by("pk")
        )
        for row in rows:
            _set_aside(row)
        conclusions.record([_poisonous(row) for row in rows])
    return [row.pk for row in rows]


def _set_aside(row: Job) -> None:
    times = row.crashes - POISON
    is_over = times >= len(SET_ASIDE)
    wait = timedelta(0) if is_over else SET_ASIDE[times]
    Job.objects.filter(pk=row.pk).update(
        state=Job.State.DEAD if is_over else Job.State.SET_ASIDE,
        next_at=Now() + wait,
        lease_by=None,
        lease_until=None,
    )


def _poisonous(row: Job) -> Decision:
    return Decision(
        organization_id=row.organization_id,
        mailbox_id=row.mailbox_id,
        message_id=row.message_id,
        outcome=outcome_of(Rule.SET_ASIDE),
        rule=Rule.SET_ASIDE,
        decided_at=Now(),
    )


def again(mailbox_id: UUID, message_ids: Sequence[str]) -> int:
    """Look at these once more, as if they had just come: asked for by a person, or because something has changed that
    decided about them. What is under way stays so. Returns how many."""
    rest = [Job.State.DONE, Job.State.DEAD, Job.State.SET_ASIDE]
    rows = Job.objects.filter(mailbox_id=mailbox_id, message_id__in=message_ids, state__in=rest)
    return rows.update(state=Job.State.DUE, tries=0, crashes=0, next_at=Now(), created_at=Now())
