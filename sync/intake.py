"""A page of messages becomes jobs. Inside the caller's transaction, which also moves the cursor: both or neither."""

from collections.abc import Collection, Mapping
from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now

from providers.mail import Change, Folder
from sync import places
from sync.locks import hold
from sync.models import Decision, Job, SyncedMailbox
from sync.reasons import BY_PLACE, Rule

#: Due as if it had been so long ago: before a backfill's jobs, which may have waited for weeks.
AHEAD, _NONE = timedelta(days=365), timedelta(0)


def take_in(mailbox: SyncedMailbox, changes: Collection[Change], folders: Mapping[str, Folder]) -> None:
    """Told of as they happened. The same one may come any number of times. `folders`: all of the mailbox, by id."""
    there = [change.message_id for change in changes if not change.is_gone]
    _add(mailbox, there, is_live=True)
    _hold(mailbox, there)
    chosen = places.in_chosen(mailbox.member, changes, folders)
    Job.objects.filter(mailbox=mailbox, message_id__in=chosen, was_chosen=False).update(was_chosen=True)
    decided = Decision.objects.filter(mailbox=mailbox, message_id__in=there, rule__in=BY_PLACE)
    moved = Job.objects.filter(mailbox=mailbox, state=Job.State.DONE, message_id__in=decided.values("message_id"))
    moved.update(state=Job.State.DUE, next_at=Now(), created_at=Now())
    under_way = Job.objects.filter(mailbox=mailbox, state=Job.State.RUNNING, message_id__in=there)
    under_way.update(is_told_again=True)


def _hold(mailbox: SyncedMailbox, message_ids: Collection[str]) -> None:
    """Until the caller commits nobody ends a look at these: whoever is at it is told again, or has ended. In the order
    of `conclusions`, so that neither waits for the other."""
    hold(Job.objects.filter(mailbox=mailbox, message_id__in=message_ids))


def take_in_listed(mailbox: SyncedMailbox, message_ids: Collection[str], *, is_urgent: bool = True) -> None:
    """Of these nothing new is known: who was looked at stays so, unless a mailbox that begins earlier by now was what
    decided. `is_urgent`: all but a backfill's, which wait for these."""
    early = Decision.objects.filter(mailbox=mailbox, message_id__in=message_ids, rule=Rule.BEFORE_START)
    rows = Job.objects.filter(mailbox=mailbox, state=Job.State.DONE, message_id__in=early.values("message_id"))
    with transaction.atomic():
        _add(mailbox, message_ids, is_live=False, ahead=AHEAD if is_urgent else _NONE)
        _hold(mailbox, message_ids)
        rows.update(state=Job.State.DUE, is_live=False, next_at=Now(), created_at=Now())


def _add(mailbox: SyncedMailbox, message_ids: Collection[str], *, is_live: bool, ahead: timedelta = _NONE) -> None:
    """In a fixed order, so that two who take in the same never wait for each other."""
    about = {"organization_id": mailbox.organization_id, "mailbox": mailbox, "is_live": is_live}
    rows = [Job(**about, message_id=each, next_at=Now() - ahead) for each in sorted(set(message_ids))]
    Job.objects.bulk_create(rows, ignore_conflicts=True)
