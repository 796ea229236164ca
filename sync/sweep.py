"""What is due and nobody has been told of: the queue may lose messages, the tables do not (sync.md 1). Every 30 s.

Chooses and marks; to wake workers up is the tasks' part."""

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from sync import appearing, holds, jobs, listing, silence, subscriptions
from sync.models import Subscription, SyncedMailbox, Waiting

#: A worker that was woken up has begun by then, or the message was lost.
PATIENCE = timedelta(seconds=25)
#: Chosen in one run; the rest is due again at the next.
BATCH = 2_000


def to_poll() -> list[UUID]:
    """Their time has come, or a hint that they have changed was lost."""
    lost = Q(poll_wanted_at__lt=Now() - PATIENCE)
    rows = _unheld("polling").filter(Q(poll_at__lte=Now()) | lost)
    return _marked(rows, poll_at=Now() + 2 * PATIENCE, poll_wanted_at=None)


def is_wanted(mailbox_id: UUID) -> bool:
    """Whether somebody has said since its last poll began that it has changed, and nobody is at it: who was told met
    whoever was reading then."""
    return _unheld("polling").filter(pk=mailbox_id, poll_wanted_at__isnull=False).exists()


def to_work() -> list[UUID]:
    """Mailboxes that have jobs which are due, those of a killed worker among them."""
    is_due = Exists(jobs.due().filter(mailbox=OuterRef("pk")))
    rows = _unheld("working").filter(Q(hinted_at=None) | Q(hinted_at__lt=Now() - PATIENCE))
    return _marked(rows.filter(is_due), hinted_at=Now())


def to_work_of(mailbox_id: UUID) -> list[UUID]:
    """The same for one, which has just got jobs; nothing where a worker is on its way already, or at it: that one asks
    again when it is done."""
    rows = _unheld("working").filter(Q(hinted_at=None) | Q(hinted_at__lt=Now() - PATIENCE), pk=mailbox_id)
    return _marked(rows, hinted_at=Now()) if jobs.due(mailbox_id).exists() else []


def to_list() -> list[UUID]:
    open_ones = listing.open_ones().filter(mailbox=OuterRef("pk"))
    return list(_unheld("listing").filter(Exists(open_ones)).values_list("pk", flat=True)[:BATCH])


def to_subscribe() -> list[UUID]:
    """Where a subscription is to be made or renewed, or to be ended because sync was switched off."""
    is_left = Exists(Subscription.objects.filter(mailbox=OuterRef("pk")))
    ends = SyncedMailbox.objects.filter(is_left, is_on=False, member__is_active=True)
    due = (holds.free().filter(connection__provider__in=subscriptions.reaching()) | ends).filter(
        subscribe_at__lte=Now()
    )
    return _marked(due, subscribe_at=Now() + timedelta(minutes=10))


def to_compare() -> list[UUID]:
    """Where it is time to see whether the provider has told us of everything."""
    return _marked(_unheld("polling").filter(count_at__lte=Now()), count_at=Now() + silence.EVERY)


def to_ask() -> list[UUID]:
    """Where mail waits for somebody to appear in Salesforce, and it is time to ask who has."""
    is_awaited = Exists(Waiting.objects.filter(decision__mailbox=OuterRef("pk"), until__gt=Now()))
    return _marked(holds.free().filter(is_awaited, ask_at__lte=Now()), ask_at=Now() + appearing.EVERY)


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
