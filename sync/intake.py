"""A page of messages becomes jobs. Inside the caller's transaction, which also moves the cursor: both or neither."""

from collections.abc import Collection, Mapping

from django.db.models.functions import Now

from providers.mail import Change, Folder
from sync import places
from sync.models import Decision, Job, SyncedMailbox
from sync.reasons import BY_PLACE


def take_in(mailbox: SyncedMailbox, changes: Collection[Change], folders: Mapping[str, Folder]) -> None:
    """Told of as they happened. The same one may come any number of times. `folders`: all of the mailbox, by id."""
    there = [change.message_id for change in changes if not change.is_gone]
    _add(mailbox, there, is_live=True)
    chosen = places.in_chosen(mailbox.member, changes, folders)
    Job.objects.filter(mailbox=mailbox, message_id__in=chosen, was_chosen=False).update(was_chosen=True)
    decided = Decision.objects.filter(mailbox=mailbox, message_id__in=there, rule__in=BY_PLACE)
    moved = Job.objects.filter(mailbox=mailbox, state=Job.State.DONE, message_id__in=decided.values("message_id"))
    moved.update(state=Job.State.DUE, next_at=Now(), created_at=Now())
    under_way = Job.objects.filter(mailbox=mailbox, state=Job.State.RUNNING, message_id__in=there)
    under_way.update(is_told_again=True)


def take_in_listed(mailbox: SyncedMailbox, message_ids: Collection[str]) -> None:
    """Of these nothing new is known: who was looked at stays so."""
    _add(mailbox, message_ids, is_live=False)


def _add(mailbox: SyncedMailbox, message_ids: Collection[str], *, is_live: bool) -> None:
    """In a fixed order, so that two who take in the same never wait for each other."""
    rows = [
        Job(organization_id=mailbox.organization_id, mailbox=mailbox, message_id=message_id, is_live=is_live)
        for message_id in sorted(set(message_ids))
    ]
    Job.objects.bulk_create(rows, ignore_conflicts=True)
