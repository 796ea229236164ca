"""Carries listings out: a window of time after the other, from the newest back, and a shorter one where a day has more
than one turn should list. A page token is no cursor: a window that was cut short is listed again, and what it had
brought is known by then."""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from providers.errors import ProviderError
from providers.mail import Listed, Mailbox
from sync import access, holds, intake, jobs, parking, pull
from sync.models import Listing, SyncedMailbox
from vault.errors import VaultError

log = logging.getLogger("sidebar.sync")

PURPOSE = "sync.listing"
WINDOW, SHORTEST = timedelta(days=1), timedelta(minutes=1)
PAGE = 100
#: Messages of one window, about; one with more than twice as many is given up for a shorter one.
IN_A_WINDOW = 1_000
#: So many jobs that wait are enough: a backfill's listing goes on when they are fewer.
ENOUGH = 5_000


def proceed(mailbox_id: UUID) -> bool:
    """One window of the listing whose turn it is (`_first`). Whether there is more to list now."""
    token = holds.take(mailbox_id, "listing")
    if token is None:
        return False
    try:
        return _proceed(mailbox_id, token)
    finally:
        holds.let_go(mailbox_id, "listing", token)


def _proceed(mailbox_id: UUID, token: UUID) -> bool:
    row = SyncedMailbox.objects.select_related("member", "connection").get(pk=mailbox_id)
    listing = _first(row)
    if listing is None or (is_backfill(listing) and jobs.due(row.pk).count() >= ENOUGH):
        return False
    try:
        client = access.mailbox_of(row, PURPOSE)
        if not _window(row, listing, client, token):
            return False
    except (ProviderError, VaultError) as error:
        pull.note_failure(row, error)
        return False
    parking.note_success(row, client.provider)
    return open_ones().filter(mailbox=row).exists()


def _first(row: SyncedMailbox) -> Listing | None:
    """The oldest, but a backfill of years waits for what is new and was missed, as its jobs do (intake)."""
    rows = open_ones().filter(mailbox=row).alias(is_backfill=Q(kind=Listing.Kind.BACKFILL))
    return rows.order_by("is_backfill", "created_at").first()


def is_backfill(listing: Listing) -> bool:
    return listing.kind == Listing.Kind.BACKFILL


def open_ones() -> QuerySet[Listing]:
    return Listing.objects.filter(ended_at=None, is_cancelled=False)


def _window(row: SyncedMailbox, listing: Listing, client: Mailbox, token: UUID) -> bool:
    """False where somebody else has it by now."""
    span = _usual(listing)
    while True:
        since, found = max(listing.since, listing.reached - span), 0
        for listed in pages(client, since, listing.reached):
            with transaction.atomic():
                intake.take_in_listed(row, listed.message_ids, is_urgent=not is_backfill(listing))
            found += len(listed.message_ids)
            if not holds.prolong(row.pk, "listing", token):
                return False
            if not listed.next_page:
                _reached(listing, since, found)
                return True
            if found > 2 * IN_A_WINDOW and span > SHORTEST:
                break
        span = _whole((listing.reached - since) / 4)


def pages(client: Mailbox, since: datetime, until: datetime) -> Iterator[Listed]:
    """All pages of a span of time, at least one."""
    page, is_first = "", True
    while is_first or page:
        listed = client.listed(since, until, page=page, most=PAGE)
        page, is_first = listed.next_page, False
        yield listed


def _usual(listing: Listing) -> timedelta:
    """As long as has IN_A_WINDOW messages, going by those that were listed so far."""
    if listing.found <= IN_A_WINDOW:
        return WINDOW
    return min(WINDOW, _whole((listing.until - listing.reached) * (IN_A_WINDOW / listing.found)))


def _whole(span: timedelta) -> timedelta:
    """Providers count in seconds."""
    return max(SHORTEST, timedelta(seconds=int(span.total_seconds())))


def _reached(listing: Listing, since: datetime, found: int) -> None:
    mine = Listing.objects.filter(pk=listing.pk, reached=listing.reached)
    mine.update(reached=since, found=F("found") + found)
    Listing.objects.filter(pk=listing.pk, reached__lte=F("since")).update(ended_at=Now())
