"""Carries a mailbox' jobs out: claimed, looked at by their headings all at once, then one by one.

Every step commits by itself; wherever it is cut off, the next worker goes on from there, and keys make a repeated
write no second record."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from providers.errors import ProviderError
from providers.mail import Mailbox
from sync import access, conclusions, holds, jobs, parking, retries
from sync.conclusions import Conclusion, Task
from sync.models import SyncedMailbox
from vault.errors import VaultError

log = logging.getLogger("sidebar.sync")

PURPOSE = "sync.read"
#: Seconds of one turn: another mailbox' single mail waits for no more than this and what is under way (F3).
SLICE = 2.0


class Carrier(Protocol):
    """What is done with messages, apart from when and how often. Made anew for each batch: what `look` has learnt (the
    headings, the people that Salesforce knows) may be kept for `carry_out`, in RAM, until the batch ends.

    May raise whatever a provider's or the vault's door raises; anything else counts as a fault of ours."""

    def look(self, tasks: Sequence[Task]) -> Mapping[UUID, Conclusion]:
        """Task id -> conclusion, for those that their headings alone decide; the others are carried out."""
        ...

    def carry_out(self, task: Task) -> Conclusion:
        """One message as a whole. Claims its ledger entry for `task.lease` before it writes; whatever it has written
        comes back in `Conclusion.written`."""
        ...


CarrierFor = Callable[[SyncedMailbox, Mailbox], Carrier]


def work(mailbox_id: UUID, carrier_for: CarrierFor) -> bool:
    """One turn. Whether there is more to do now. What goes wrong is the job's or the mailbox', and stands there."""
    token = holds.take(mailbox_id, "working")
    if token is None:
        return False
    try:
        with holds.beating(lambda: holds.prolong(mailbox_id, "working", token)):
            return _work(mailbox_id, carrier_for)
    finally:
        holds.let_go(mailbox_id, "working", token)


def _work(mailbox_id: UUID, carrier_for: CarrierFor) -> bool:
    SyncedMailbox.objects.filter(pk=mailbox_id).update(hinted_at=None)  # whoever has jobs for it calls again
    row = SyncedMailbox.objects.select_related("member", "connection").get(pk=mailbox_id)
    until = time.monotonic() + SLICE
    while time.monotonic() < until:
        tasks = jobs.claim(mailbox_id)
        if not tasks:
            return False
        if not _batch(row, tasks, carrier_for, until):
            return False
    return jobs.due(mailbox_id).exists()


def _batch(row: SyncedMailbox, tasks: list[Task], carrier_for: CarrierFor, until: float) -> bool:
    """Whether the mailbox may go on."""
    left = list(tasks)
    with holds.beating(lambda: jobs.prolong(left)):
        try:
            carrier = carrier_for(row, access.mailbox_of(row, PURPOSE))
            decided = carrier.look(tasks)
        except Exception as error:  # noqa: BLE001  whatever one mail brings about is no end of the others
            return not _failed(row, tasks, error)
        conclusions.conclude([(task, decided[task.id]) for task in tasks if task.id in decided])
        parking.note_success(row, row.connection.provider)
        left[:] = [task for task in tasks if task.id not in decided]
        return _one_by_one(row, left, carrier, until, was_alone=len(tasks) == 1)


def _one_by_one(row: SyncedMailbox, left: list[Task], carrier: Carrier, until: float, *, was_alone: bool) -> bool:
    """A single mail is still counted as begun; of several none was carried out so far."""
    if not was_alone and left:
        jobs.looked_at(left)
    while left:
        if time.monotonic() >= until and not was_alone:
            jobs.put_back(left, were_begun=False)
            return True
        task = left.pop(0)
        if (was_alone or jobs.begin(task)) and _carried_out(row, task, carrier):
            jobs.put_back(left, were_begun=False)
            return False
    return True


def _carried_out(row: SyncedMailbox, task: Task, carrier: Carrier) -> bool:
    """Whether the mailbox has to wait now."""
    with holds.beating(lambda: jobs.prolong([task])):
        try:
            conclusion = carrier.carry_out(task)
        except Exception as error:  # noqa: BLE001  see _batch
            return _failed(row, [task], error)
    if conclusions.conclude([(task, conclusion)]):
        answered = [row.connection.provider, *([retries.SALESFORCE] if conclusion.written else [])]
        parking.note_success(row, *answered)
    return False


def _failed(row: SyncedMailbox, tasks: Sequence[Task], error: Exception) -> bool:
    """The name of an error and no more: its text may quote what it met."""
    is_known = isinstance(error, ProviderError | VaultError)
    log.log(logging.INFO if is_known else logging.ERROR, "a mail could not be carried out: %s", type(error).__name__)
    return jobs.fail(row, tasks, retries.rule(error, row.connection.provider))
