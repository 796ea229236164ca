"""Mail from before the day that sync was switched on, where somebody asks for it; and how far that has come."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Least, Now

from sync.models import Job, Listing, SyncedMailbox


class RunningAlready(RuntimeError):
    """One at a time and mailbox."""


@dataclass(frozen=True, slots=True)
class Progress:
    """`share`: of its span of time, 0 to 1, that was listed. `found`: messages of it, known ones among them. `left`:
    messages of the mailbox' listings that wait to be looked at."""

    id: UUID
    since: datetime
    until: datetime
    share: float
    found: int
    left: int
    is_listed: bool
    is_cancelled: bool


def start(mailbox: SyncedMailbox, since: datetime) -> Listing:
    """From `since` (aware) up to where the mailbox begins now, which is then moved back. Raises RunningAlready, and
    ValueError where there is nothing earlier."""
    until = mailbox.starts_at.replace(microsecond=0)
    since = since.replace(microsecond=0)
    if since >= until:
        raise ValueError("a backfill begins before sync does")
    try:
        with transaction.atomic():
            SyncedMailbox.objects.filter(pk=mailbox.pk).update(starts_at=Least(F("starts_at"), since))
            return Listing.objects.create(
                mailbox=mailbox, kind=Listing.Kind.BACKFILL, since=since, until=until, reached=until
            )
    except IntegrityError:
        raise RunningAlready from None


def cancel(mailbox: SyncedMailbox) -> bool:
    """What was found is not looked at any more; what was saved stays. Whether there was one."""
    with transaction.atomic():
        running = Listing.objects.filter(mailbox=mailbox, kind=Listing.Kind.BACKFILL, ended_at=None)
        was_there = running.update(is_cancelled=True, ended_at=Now())
        if was_there:
            Job.objects.filter(mailbox=mailbox, is_live=False, state=Job.State.DUE).delete()
    return bool(was_there)


def progress(mailbox: SyncedMailbox) -> Progress | None:
    """Of the last one."""
    row = Listing.objects.filter(mailbox=mailbox, kind=Listing.Kind.BACKFILL).order_by("-created_at").first()
    if row is None:
        return None
    whole = (row.until - row.since).total_seconds()
    share = (row.until - row.reached).total_seconds() / whole if whole else 1.0
    waiting = Job.objects.filter(mailbox=mailbox, is_live=False).exclude(state__in=[Job.State.DONE, Job.State.DEAD])
    is_listed = row.ended_at is not None and not row.is_cancelled
    return Progress(row.pk, row.since, row.until, share, row.found, waiting.count(), is_listed, row.is_cancelled)
