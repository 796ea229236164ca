"""Sync's part in destroying an organization: mailboxes, cursors, jobs, decisions, the ledger and its key."""

from collections.abc import Iterator, Mapping
from uuid import UUID

from django.db.models import Model, QuerySet

from organizations.registries import Eraser, erasers
from sync.models import (
    Conversation,
    Correction,
    CorrectionStep,
    Decision,
    Job,
    LedgerEntry,
    Listing,
    NotedMail,
    Notice,
    Pause,
    Pepper,
    Stream,
    Subscription,
    SyncedMailbox,
    Tally,
    Waiting,
)

#: Rows deleted in one transaction.
BATCH = 1_000


def _kinds(organization_id: UUID) -> dict[str, QuerySet[Model]]:
    """Those first that others are built on. No query is made yet."""
    own, through = {"organization_id": organization_id}, {"mailbox__organization_id": organization_id}
    return {
        "awaited people": Waiting.objects.filter(**own),
        "decisions on mail": Decision.objects.filter(**own),
        "jobs": Job.objects.filter(**own),
        "tracked mails to be noted": NotedMail.objects.filter(**own),
        "steps of corrections": CorrectionStep.objects.filter(correction__organization_id=organization_id),
        "corrections": Correction.objects.filter(**own),
        "ledger entries": LedgerEntry.objects.filter(**own),
        "conversations": Conversation.objects.filter(**through),
        "subscriptions": Subscription.objects.filter(**through),
        "notices": Notice.objects.filter(**own),
        "tallies": Tally.objects.filter(**through),
        "listings": Listing.objects.filter(**through),
        "cursors": Stream.objects.filter(**through),
        "synced mailboxes": SyncedMailbox.objects.filter(**own),
        "pauses": Pause.objects.filter(**own),
        "keys of digests": Pepper.objects.filter(**own),
    }


def names(organization_id: UUID) -> Iterator[UUID]:
    """Tasks name mailboxes, and members whose mail was opened."""
    yield from NotedMail.objects.filter(organization_id=organization_id).values_list("member_id", flat=True).distinct()
    yield from SyncedMailbox.objects.filter(organization_id=organization_id).values_list("pk", flat=True)


def count(organization_id: UUID) -> Mapping[str, int]:
    return {kind: rows.count() for kind, rows in _kinds(organization_id).items()}


def erase(organization_id: UUID) -> None:
    """A job under way finds its row gone and stores nothing (conclusions.py)."""
    for rows in _kinds(organization_id).values():
        while batch := list(rows.values_list("pk", flat=True)[:BATCH]):
            rows.model.objects.filter(pk__in=batch).delete()  # type: ignore[attr-defined]


erasers.register("sync")(Eraser(count, erase, names))
