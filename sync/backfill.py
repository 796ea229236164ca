"""Mail from before the day that sync was switched on, where somebody asks for it; and how far that has come."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, Min, OuterRef, Q
from django.db.models.functions import Least, Now

from organizations import policy
from organizations.policy import Merge, Scope, Toggle, Type
from sync.models import Decision, Job, Listing, SyncedMailbox
from sync.reasons import Rule
from vault import clock

#: No further back than this.
LONGEST = timedelta(days=3 * 365)
BACKFILL = policy.declare(
    Toggle(
        key="sync.backfill",
        kind=Merge.CAP,
        type=Type.BOOL,
        default=True,
        scope=Scope.ORGANIZATION,
        users_can_modify=False,
        label="Let people save earlier mail",
        help="Everybody may have mail saved that came before email sync was switched on, by the same rules.",
    )
)


class RunningAlready(RuntimeError):
    """One at a time and mailbox."""


class SwitchedOff(RuntimeError):
    """The organization allows none, or this mailbox is not synced."""


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
    """From `since` (aware) up to where the mailbox begins now, which is then moved back. Raises RunningAlready,
    SwitchedOff, and ValueError where there is nothing earlier, or it is earlier than LONGEST."""
    if not mailbox.is_on or not is_allowed(mailbox.organization_id):
        raise SwitchedOff
    until = mailbox.starts_at.replace(microsecond=0)
    since = since.replace(microsecond=0)
    if since >= until or since < clock.now() - LONGEST:
        raise ValueError("a backfill begins before sync does, and not too long before")
    try:
        with transaction.atomic():
            SyncedMailbox.objects.filter(pk=mailbox.pk).update(starts_at=Least(F("starts_at"), since))
            return Listing.objects.create(
                mailbox=mailbox, kind=Listing.Kind.BACKFILL, since=since, until=until, reached=until
            )
    except IntegrityError:
        raise RunningAlready from None


def is_allowed(organization_id: UUID) -> bool:
    return bool(policy.organization_value_of(BACKFILL.key, organization_id))


def cancel(mailbox: SyncedMailbox) -> bool:
    """What was found is not looked at any more; what was saved stays. The same span may be asked for again. Whether
    there was one."""
    with transaction.atomic():
        running = Listing.objects.filter(mailbox=mailbox, kind=Listing.Kind.BACKFILL, ended_at=None)
        row = running.select_for_update().first()
        if row is None:
            return False
        running.update(is_cancelled=True, ended_at=Now())
        SyncedMailbox.objects.filter(pk=mailbox.pk).update(starts_at=row.until)
        _drop_waiting(mailbox)
    return True


def _drop_waiting(mailbox: SyncedMailbox) -> None:
    """Nothing says which listing has brought a message: what others have brought lately, they bring again. Who was
    looked at before stays: he waits for another reason, but for those of before the beginning."""
    waiting = Job.objects.filter(mailbox=mailbox, is_live=False, state=Job.State.DUE)
    decided = Decision.objects.filter(mailbox=mailbox, message_id=OuterRef("message_id"))
    waiting.filter(Exists(decided.filter(rule=Rule.BEFORE_START))).update(state=Job.State.DONE)
    fresh = waiting.exclude(Exists(decided))
    first = fresh.aggregate(first=Min("created_at"))["first"]
    fresh.delete()
    if first is not None:
        others = Listing.objects.filter(mailbox=mailbox).exclude(kind=Listing.Kind.BACKFILL)
        lately = others.filter(Q(ended_at=None) | Q(ended_at__gte=first))
        lately.update(reached=F("until"), found=0, ended_at=None)
        SyncedMailbox.objects.filter(pk=mailbox.pk).update(counted_until=None)  # what silence.py has found


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
