"""The silence alarm: what a provider has, by its own list, against what it has told us of (product.md F1).

Cursors, pushes and polls may all be well and still say nothing of a message; only a list that owes nothing to them
shows it. Whatever was missed is taken in, so that an alarm costs delay and no mail."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from providers.errors import ProviderError
from providers.mail import Change, Heading, Mailbox
from sync import access, intake, listing, parking, places, pull, tallies
from sync.models import Job, Listing, Stream, SyncedMailbox
from vault import clock
from vault.errors import VaultError

log = logging.getLogger("sidebar.sync")

PURPOSE = "sync.compare"
EVERY = timedelta(hours=6)
#: After a comparison that could not be made now, or had nothing to compare yet.
AGAIN = timedelta(minutes=15)
#: A provider may take so long to tell of a message that it has.
GRACE = timedelta(hours=1)
#: What a mailbox that was away for longer has missed was listed when it came back (resync.LONGEST).
LONGEST = timedelta(days=3)
#: What a mailbox gives headings for at once (providers.mail).
_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Span:
    """`counted_until`: as it stood when the span was chosen; whoever finds another stores nothing."""

    since: datetime
    until: datetime
    counted_until: datetime | None


def compare(mailbox_id: UUID) -> bool:
    """One span of time. Whether another one waits, which nobody could compare before. Raises nothing of a provider's:
    what could not be compared now is due again soon."""
    begun_at = clock.now()
    pull.pull(mailbox_id)  # what is on its way is not missed
    row = SyncedMailbox.objects.select_related("member", "connection").get(pk=mailbox_id)
    has_read_all = row.polled_at is not None and row.polled_at >= begun_at
    span = _span(row) if has_read_all and not _is_being_listed(row) else None
    if span is None or not _tried(row, span):
        SyncedMailbox.objects.filter(pk=row.pk).update(count_at=Now() + AGAIN)
        return False
    return span.until + EVERY <= clock.now() - GRACE


def _tried(row: SyncedMailbox, span: Span) -> bool:
    try:
        _compare(row, access.mailbox_of(row, PURPOSE), span)
    except (ProviderError, VaultError) as error:
        pull.note_failure(row, error)
        return False
    parking.note_success(row, row.connection.provider)
    return True


def _span(row: SyncedMailbox) -> Span | None:
    """Within one day, so that its numbers are that day's. None where nothing is left to compare."""
    now = clock.now()
    since = max(row.counted_until or row.starts_at, row.starts_at, now - LONGEST)
    midnight = since.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    until = min(now - GRACE, midnight).replace(microsecond=0)
    return Span(since, until, row.counted_until) if since < until else None


def _is_being_listed(row: SyncedMailbox) -> bool:
    """A listing is about to bring what is missing. A backfill brings only what is older than all that was compared."""
    has_expired = Stream.objects.filter(mailbox=row).exclude(missed_since=None).exists()
    rows = listing.open_ones().filter(mailbox=row)
    return has_expired or (rows.exclude(kind=Listing.Kind.BACKFILL) if row.counted_until else rows).exists()


def _compare(row: SyncedMailbox, client: Mailbox, span: Span) -> None:
    listed, missed = 0, list[str]()
    for page in listing.pages(client, span.since, span.until):
        listed += len(page.message_ids)
        missed += _missed(row, client, page.message_ids)
    with transaction.atomic():
        mine = SyncedMailbox.objects.filter(pk=row.pk, counted_until=span.counted_until)
        if not mine.update(counted_until=span.until):
            return
        tallies.add(row.pk, span.since.date(), listed=listed, missed=len(missed))
        intake.take_in_listed(row, missed)
    if missed:
        log.warning("mailbox %s was not told of %d messages", row.pk, len(missed))


def _missed(row: SyncedMailbox, client: Mailbox, ids: Collection[str]) -> list[str]:
    """Of these ids the messages in chosen folders of which nobody has told us; of other folders nobody has to."""
    known = set(Job.objects.filter(mailbox=row, message_id__in=ids).values_list("message_id", flat=True))
    unknown = [each for each in ids if each not in known]
    found = [heading for at in range(0, len(unknown), _AT_ONCE) for heading in _there(client, unknown[at:][:_AT_ONCE])]
    named = {each for heading in found for each in heading.folders}
    folders = places.of(row.pk, client, naming=named) if found else {}
    return places.in_chosen(row.member, [Change(each.id, folders=each.folders) for each in found], folders)


def _there(client: Mailbox, ids: Sequence[str]) -> list[Heading]:
    return [each for each in client.headings(ids).values() if each is not None and not each.is_draft]
