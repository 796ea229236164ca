"""Carries a mailbox' jobs out, a batch at a time, for as long as its turn lasts (see `batch`)."""

import time
from uuid import UUID

from sync import access, batch, holds, jobs, suspects
from sync.carriers import CarrierFor
from sync.models import SyncedMailbox

PURPOSE = "sync.read"
#: Seconds of one turn: another mailbox' single mail waits for no more than this and what is under way (F3).
SLICE = 2.0


def work(mailbox_id: UUID, carrier_for: CarrierFor) -> bool:
    """One turn. Whether there is more to do now. What goes wrong is the job's or the mailbox', and stands there."""
    token = holds.take(mailbox_id, "working")
    if token is None:
        return False
    try:
        with holds.beating(lambda: holds.prolong(mailbox_id, "working", token)):
            return _work(mailbox_id, carrier_for, token)
    finally:
        holds.let_go(mailbox_id, "working", token)


def _work(mailbox_id: UUID, carrier_for: CarrierFor, token: UUID) -> bool:
    SyncedMailbox.objects.filter(pk=mailbox_id).update(hinted_at=None)  # whoever has jobs for it calls again
    row = SyncedMailbox.objects.select_related("member", "connection").get(pk=mailbox_id)
    until = time.monotonic() + SLICE
    while time.monotonic() < until and holds.prolong(mailbox_id, "working", token):
        if not _batch(row, carrier_for, until):
            return False
    return jobs.due(mailbox_id).exists()


def _batch(row: SyncedMailbox, carrier_for: CarrierFor, until: float) -> bool:
    """Whether there may be more to do, and the mailbox may go on."""
    with suspects.turn() as turn:
        tasks = jobs.claim(row.pk, may_be_suspect=turn.take)
        if not tasks:
            return False
        return batch.carry_out(row, tasks, lambda: carrier_for(row, access.mailbox_of(row, PURPOSE)), until)
