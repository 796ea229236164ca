"""Carries listings out: a window of time after the other, from the newest back. A page token is no cursor: a window
that was cut short is listed again, and what it had brought is known by then."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from providers.errors import ProviderError
from providers.mail import Mailbox
from sync import access, holds, intake, jobs, parking, pull
from sync.models import Listing, SyncedMailbox
from vault.errors import VaultError

log = logging.getLogger("sidebar.sync")

PURPOSE = "sync.listing"
WINDOW = timedelta(days=1)
PAGE = 100
#: So many jobs that wait are enough: listing goes on when they are fewer.
ENOUGH = 5_000


def proceed(mailbox_id: UUID) -> bool:
    """One window of the oldest listing that is open. Whether there is more to list now."""
    token = holds.take(mailbox_id, "listing")
    if token is None:
        return False
    try:
        return _proceed(mailbox_id, token)
    finally:
        holds.let_go(mailbox_id, "listing", token)


def _proceed(mailbox_id: UUID, token: UUID) -> bool:
    row = SyncedMailbox.objects.select_related("member", "connection").get(pk=mailbox_id)
    listing = open_ones().filter(mailbox=row).order_by("created_at").first()
    if listing is None or jobs.due(row.pk).count() >= ENOUGH:
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


def open_ones() -> QuerySet[Listing]:
    return Listing.objects.filter(ended_at=None, is_cancelled=False)


def _window(row: SyncedMailbox, listing: Listing, client: Mailbox, token: UUID) -> bool:
    """False where somebody else has it by now."""
    until = listing.reached
    since = max(listing.since, until - WINDOW)
    found, page, is_first = 0, "", True
    while is_first or page:
        listed = client.listed(since, until, page=page, most=PAGE)
        with transaction.atomic():
            intake.take_in_listed(row, listed.message_ids)
        found, page, is_first = found + len(listed.message_ids), listed.next_page, False
        if not holds.prolong(row.pk, "listing", token):
            return False
    _reached(listing, since, found)
    return True


def _reached(listing: Listing, since: datetime, found: int) -> None:
    mine = Listing.objects.filter(pk=listing.pk, reached=listing.reached)
    mine.update(reached=since, found=F("found") + found)
    Listing.objects.filter(pk=listing.pk, reached__lte=F("since")).update(ended_at=Now())
