"""Jobs of one mailbox: who has one, for how long, how often it was tried, and what follows a failure.

A try is counted as a crash before it begins and counted back when it ends, so that a mail which kills its worker is
known by the second time, set aside, and keeps nobody else from being looked at (sync.md 7)."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from django.contrib.postgres.functions import RandomUUID
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.expressions import Combinable
from django.db.models.functions import Greatest, Now

from sync import conclusions, ledger, parking, retries
from sync.conclusions import About, Conclusion, Task
from sync.locks import hold
from sync.models import Job, SyncedMailbox
from sync.reasons import Rule, Verdict, verdict
from sync.retries import Answer, Ruling

#: People are asked about for so many mails at once.
BATCH = 40
LEASE = timedelta(seconds=60)
#: Waits of a mail that has killed its worker twice, three times; after the last it is given up. Up to twice as long, so
#: that those which were in hand together do not come back together.
SET_ASIDE = (timedelta(minutes=10), timedelta(hours=1))
POISON = 2
#: Seconds, and up to twice as many, that one which was in hand when a worker died waits for another such one's turn.
PUT_OFF = 5.0
#: Whatever fails for so long is given up, though nothing counted.
LONGEST = timedelta(days=3)
_WAITING = (Job.State.DUE, Job.State.SET_ASIDE)
_LEFT_BEHIND = Q(state=Job.State.RUNNING, lease_until__lt=Now())


def due(mailbox_id: UUID | None = None) -> QuerySet[Job]:
    """Those whose time has come, those of a killed worker among them."""
    rows = Job.objects.filter(Q(state__in=_WAITING, next_at__lte=Now()) | _LEFT_BEHIND)
    return rows.filter(mailbox_id=mailbox_id) if mailbox_id else rows


def _always() -> bool:
    return True


def claim(mailbox_id: UUID, most: int = BATCH, *, may_be_suspect: Callable[[], bool] = _always) -> list[Task]:
    """Jobs that are ours now, each counted as begun. Live mail first; what has crashed, or failed more than once (a
    provider's passing fault fails a whole batch), comes alone, so that it takes no neighbour along. `may_be_suspect`:
    asked before one that has crashed is taken; where not, all such are put off (suspects.py)."""
    set_aside_poison(mailbox_id)
    with transaction.atomic():
        ordered = due(mailbox_id).order_by("-is_live", "next_at")
        found = list(ordered.select_for_update(skip_locked=True)[:most])
        rows = _alone(found)
        if rows and rows[0].crashes and not may_be_suspect():
            _put_off([row for row in found if row.crashes])
            rows = _alone([row for row in found if not row.crashes])
        mine = Job.objects.filter(pk__in=[row.pk for row in rows])
        mine.update(
            state=Job.State.RUNNING,
            lease_by=RandomUUID(),
            lease_until=Now() + LEASE,
            crashes=F("crashes") + 1,
            is_told_again=False,
        )
        leases = {key: lease for key, lease in mine.values_list("pk", "lease_by") if lease}
    return [_task(row, leases[row.pk]) for row in rows]


def _put_off(rows: Sequence[Job]) -> None:
    """A little later, and nothing else of them changes."""
    mine = Job.objects.filter(pk__in=[row.pk for row in rows])
    mine.filter(state=Job.State.RUNNING).update(state=Job.State.DUE, lease_by=None, lease_until=None)
    mine.update(next_at=Now() + timedelta(seconds=_spread(PUT_OFF)))


def _spread(seconds: float) -> float:
    return seconds * random.uniform(1.0, 2.0)  # noqa: S311  spreads, hides nothing


def _alone(rows: list[Job]) -> list[Job]:
    suspect = [row for row in rows if row.crashes or max(row.tries, row.file_tries) > 1]
    return suspect[:1] if suspect and suspect[0] is rows[0] else [row for row in rows if row not in suspect]


def _task(row: Job, lease: UUID) -> Task:
    whose = (row.organization_id, row.mailbox_id, row.message_id)
    return Task(row.pk, lease, *whose, row.is_live, row.was_chosen, row.tries, row.file_tries, row.crashes + 1)


def prolong(tasks: Sequence[Task]) -> None:
    """These, and whatever they are writing."""
    if tasks:
        _change(tasks, lease_until=Now() + LEASE)
        ledger.prolong([task.lease for task in tasks])


def _mine(*tasks: Task) -> QuerySet[Job]:
    ids, leases = [task.id for task in tasks], {task.lease for task in tasks}
    return Job.objects.filter(pk__in=ids, lease_by__in=leases, state=Job.State.RUNNING)


def _change(tasks: Sequence[Task], **changes: object) -> None:
    """In the order of `intake` and `conclusions`, so that none of them waits for another."""
    with transaction.atomic():
        mine = _mine(*tasks)
        hold(mine)
        mine.update(**changes)


def looked_at(tasks: Sequence[Task]) -> None:
    """Their headings have killed nobody: those that wait for their turn are no suspects any more."""
    _change(tasks, crashes=F("crashes") - 1)


def begin(task: Task) -> bool:
    """Committed before the dangerous part. False where it is not ours any more."""
    return bool(_mine(task).update(crashes=F("crashes") + 1, lease_until=Now() + LEASE))


def put_back(tasks: Sequence[Task], *, were_begun: bool = True) -> None:
    """Untouched: the worker has other things to do, or their provider has."""
    ledger.release(*(task.lease for task in tasks))
    crashes = F("crashes") - 1 if were_begun else F("crashes")
    _change(tasks, state=Job.State.DUE, lease_by=None, lease_until=None, crashes=crashes)


def fail(
    mailbox: SyncedMailbox,
    tasks: Sequence[Task],
    ruling: Ruling,
    at_last: Conclusion | None = None,
    *,
    about: Callable[[Task], About],
) -> bool:
    """After a failure of all of `tasks` at once. Whether the mailbox has to wait now. `at_last`: how it ends where it
    is tried no more, and all but a part of it was done."""
    if ruling.cause == retries.NOT_ALLOWED and _is_open_to_others(tasks):
        ruling = replace(ruling, answer=Answer.GIVE_UP, cause="refused")
    is_elsewhere, is_there = parking.note_failure(mailbox, ruling), at_last is not None
    counts = not is_elsewhere and ruling.cause != retries.IN_OTHER_HANDS
    for task in tasks:
        is_refused = ruling.answer is Answer.GIVE_UP and len(tasks) == 1
        if is_refused and not is_there and not task.file_tries:
            ledger.let_go(task.lease)  # all of it was refused: a colleague may write it at once
        if is_refused or _is_over(task, ruling, counts=counts, is_there=is_there):
            _end(task, at_last, _failed(about(task), ruling, _refused(ruling) if is_refused else _gave_up(task)))
        elif is_elsewhere:
            _wait(task, ruling)
        else:
            _try_again(task, ruling, counts=counts, is_there=is_there)
    return is_elsewhere


def _is_open_to_others(tasks: Sequence[Task]) -> bool:
    """Whether one of these was refused before, and its mailbox has been read since: then it is these that the provider
    refuses, of which each is tried alone, and the mailbox need not wait."""
    tried = Job.objects.filter(Job.TRIED, pk__in=[task.id for task in tasks])
    return tried.filter(mailbox__streams__read_at__gt=F("next_at")).exists()


def _end(task: Task, at_last: Conclusion | None, failed: Conclusion) -> None:
    if at_last is None:
        conclusions.give_up(task, failed)
    else:
        conclusions.conclude([(task, at_last)])


def _failed(about: About, ruling: Ruling, why: Verdict) -> Conclusion:
    return Conclusion(why, about.thread_id, about.arrived_at, about.domain, ruling.error_code)


def _refused(ruling: Ruling) -> Verdict:
    return verdict(Rule.REFUSED, provider=ruling.provider.capitalize(), code=ruling.error_code or "no_code")


def _gave_up(task: Task) -> Verdict:
    return verdict(Rule.GAVE_UP, tries=str(task.tries + task.file_tries + 1))


def _is_over(task: Task, ruling: Ruling, *, counts: bool, is_there: bool) -> bool:
    tries, most = (task.file_tries, retries.FILE_TRIES) if is_there else (task.tries, retries.TRIES)
    if counts and tries + 1 >= most:
        return True
    if ruling.cause == retries.IN_OTHER_HANDS:  # which end by themselves (ledger)
        return False
    is_waiting = ruling.answer in (Answer.PARK, Answer.PAUSE)
    tried = Job.TRIED if is_there else Q(tries__gt=0)
    old = Job.objects.filter(tried, pk=task.id, created_at__lt=Now() - LONGEST)
    return not is_waiting and old.exists()


def _wait(task: Task, ruling: Ruling) -> None:
    """For a provider or a person: it is due at once, as the mailbox is what waits. What the mail provider refused is
    known again by its one try (`_is_open_to_others`)."""
    ledger.release(task.lease)
    is_refused = ruling.cause == retries.NOT_ALLOWED
    _due_again(task, timedelta(0), tries=Greatest(F("tries"), 1) if is_refused else F("tries"))


def _try_again(task: Task, ruling: Ruling, *, counts: bool, is_there: bool) -> None:
    """Waiting for a colleague is no try. Where only files are left, all that comes before them has worked."""
    ledger.release(task.lease)
    times, cap, counted = 1, retries.CAP, dict[str, Combinable | int]()
    if counts and is_there:
        times, cap, counted = task.file_tries + 1, retries.FILE_CAP, {"file_tries": F("file_tries") + 1, "tries": 0}
    elif counts:
        times, counted = task.tries + 1, {"tries": F("tries") + 1}
    _due_again(task, timedelta(seconds=retries.back_off(times, ruling.wait, cap)), **counted)


def _due_again(task: Task, wait: timedelta, **counted: Combinable | int) -> None:
    _mine(task).update(
        state=Job.State.DUE,
        lease_by=None,
        lease_until=None,
        crashes=F("crashes") - 1,
        next_at=Now() + wait,
        **counted,
    )


def set_aside_poison(mailbox_id: UUID) -> list[UUID]:
    """Those that have killed their worker again: visible at once, tried alone much later, then given up."""
    with transaction.atomic():
        rows = list(
            Job.objects.select_for_update(skip_locked=True)
            .filter(_LEFT_BEHIND, mailbox_id=mailbox_id, crashes__gte=POISON)
            .order_by("pk")
        )
        there = conclusions.set_aside(rows, verdict(Rule.SET_ASIDE))
        for row in rows:
            _set_aside(row, is_there=row.message_id in there)
    return [row.pk for row in rows]


def _set_aside(row: Job, *, is_there: bool) -> None:
    """Of what is in Salesforce by an earlier look nobody has to be asked in the end."""
    times = row.crashes - POISON
    is_over = times >= len(SET_ASIDE)
    wait = timedelta(seconds=0.0 if is_over else _spread(SET_ASIDE[times].total_seconds()))
    Job.objects.filter(pk=row.pk).update(
        state=Job.State.DEAD if is_over else Job.State.SET_ASIDE,
        next_at=Now() + wait,
        lease_by=None,
        lease_until=None,
    )
    if is_over and is_there:
        conclusions.put_down(row)


def again(mailbox_id: UUID, message_ids: Sequence[str]) -> int:
    """Look at these once more, as if they had just come: asked for by a person, or because something has changed that
    decided about them. What is under way stays so. Returns how many."""
    rest = [Job.State.DONE, Job.State.DEAD, Job.State.SET_ASIDE]
    rows = Job.objects.filter(mailbox_id=mailbox_id, message_id__in=message_ids, state__in=rest)
    with transaction.atomic():
        hold(rows)
        return rows.update(state=Job.State.DUE, next_at=Now(), created_at=Now(), **Job.UNCOUNTED)
