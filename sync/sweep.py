"""What is due and nobody has been told of: the queue may lose messages, the tables do not (sync.md 1). Every 30 s.

Chooses and marks; to wake workers up is the tasks' part."""

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from sync import holds, jobs, listing, mailboxes, subscriptions
from sync.models import Subscription, SyncedMailbox

#: A worker that was woken up has begun by then, or the message was lost.
PATIENCE = timedelta(seconds=25)
#: Chosen in one run; the rest is due again at the next.
BATCH = 2_000


def to_poll() -> list[UUID]:
    """Their time has come, or a hint that they have changed was lost."""
    lost = Q(poll_wanted_at__lt=Now() - PATIENCE)
    rows = _unheld("polling").filter(Q(poll_at__lte=Now()) | lost)
    return _marked(rows, poll_at=Now() + 2 * PATIENCE, poll_wanted_at=None)


def to_work() -> list[UUID]:
    """Mailboxes that have jobs which are due, those of a killed worker among them."""
    is_due = Exists(jobs.due().filter(mailbox=OuterRef("pk")))
    rows = _unheld("working").filter(Q(hinted_at=None) | Q(hinted_at__lt=Now() - PATIENCE))
    return _marked(rows.filter(is_due), hinted_at=Now())


def to_work_of(mailbox_id: UUID) -> list[UUID]:
    """The same for one, which has just got jobs; nothing where a worker is on its way already."""
    rows = holds.free().filter(Q(hinted_at=None) | Q(hinted_at__lt=Now() - PATIENCE), pk=mailbox_id)
    return _marked(rows, hinted_at=Now()) if jobs.due(mailbox_id).exists() else []


def to_list() -> list[UUID]:
    open_ones = listing.open_ones().filter(mailbox=OuterRef("pk"))
    return list(_unheld("listing").filter(Exists(open_ones)).values_list("pk", flat=True)[:BATCH])


def to_subscribe() -> list[UUID]:
    """Where a subscription is to be made or renewed, or to be ended because sync was switched off."""
    providers = [each for each in mailboxes.PROVIDERS if subscriptions.address_for(each)]
    due = Q(subscribe_at__lte=Now(), connection__provider__in=providers)
    is_left = Exists(Subscription.objects.filter(mailbox=OuterRef("pk")))
    ends = SyncedMailbox.objects.filter(is_left, is_on=False, member__is_active=True)
    return _marked(holds.free().filter(due) | ends, subscribe_at=Now() + timedelta(minutes=10))


def _unheld(what: str) -> QuerySet[SyncedMailbox]:
    held = Q(**{f"{what}_until__gt": Now()})
    return holds.free().exclude(held)


def _marked(rows: QuerySet[SyncedMailbox], **changes: object) -> list[UUID]:
    """Of two sweeps at once each takes others."""
    with transaction.atomic():
        ids = list(
            rows.select_for_update(skip_locked=True, of=("self",)).order_by("pk").values_list("pk", flat=True)[:BATCH]
        )
        SyncedMailbox.objects.filter(pk__in=ids).update(**changes)
    return ids
