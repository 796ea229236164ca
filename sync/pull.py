"""Reads what has changed in a mailbox: a page at a time, its jobs and its cursor in one transaction (sync.md 4).

The cursor never moves on what becomes of a message, and never without its jobs."""

import logging
import time
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from providers.errors import CursorExpired, NotFound, ProviderError
from providers.mail import Mailbox
from sync import access, cursors, holds, intake, intervals, parking, places, resync, retries, tallies
from sync.models import Stream, SyncedMailbox
from vault import clock
from vault.errors import VaultError

log = logging.getLogger("sidebar.sync")

PURPOSE = "sync.pull"
#: Seconds of one turn, as work.SLICE: another mailbox' single mail waits for a turn of each kind, and has ten seconds
#: even where there is but one worker (bench/sync.py).
SLICE = 2.0
PAGE = 100
#: Who has read a part wakes himself up again; so long after, his call is lost, and the sweep makes another.
LOST = timedelta(seconds=50)


class Overtaken(Exception):
    """Another process has stored the page that follows this cursor."""


def want(mailbox_id: UUID) -> bool:
    """A hint that something has changed. Whether the caller is the first to say so since the last poll began: only
    then a poll is to be enqueued (BI-C3, FT33)."""
    rows = SyncedMailbox.objects.filter(pk=mailbox_id, is_on=True, poll_wanted_at=None)
    return bool(rows.update(poll_wanted_at=Now()))


def pull(mailbox_id: UUID) -> bool:
    """Read for one turn. Whether there is more to read now. Raises nothing of a provider's: what is wrong stands in
    the mailbox' row."""
    token = holds.take(mailbox_id, "polling")
    if token is None:
        return False
    try:
        return _pull(mailbox_id, token)
    finally:
        holds.let_go(mailbox_id, "polling", token)


def _pull(mailbox_id: UUID, token: UUID) -> bool:
    SyncedMailbox.objects.filter(pk=mailbox_id).update(poll_wanted_at=None)
    row = SyncedMailbox.objects.select_related("member", "connection").get(pk=mailbox_id)
    try:
        client = access.mailbox_of(row, PURPOSE)
        has_more = _read(row, client, token)
    except Overtaken:
        return False
    except (ProviderError, VaultError) as error:
        note_failure(row, error)
        return False
    _done(row, client.provider, has_more=has_more)
    return has_more


def note_failure(row: SyncedMailbox, error: Exception) -> None:
    """Look again later; a mailbox that has to wait is left alone until then (holds.free)."""
    ruling = retries.rule(error, row.connection.provider)
    parking.note_failure(row, ruling)
    log.info("mailbox %s could not be read: %s", row.pk, type(error).__name__)
    wait = retries.back_off(row.failures + 1, ruling.wait)
    SyncedMailbox.objects.filter(pk=row.pk).update(poll_at=clock.after(wait))


def _done(row: SyncedMailbox, provider: str, *, has_more: bool) -> None:
    parking.note_success(row, provider)
    if has_more:
        SyncedMailbox.objects.filter(pk=row.pk).update(poll_at=Now() + LOST)
        return
    after = intervals.of(row)
    SyncedMailbox.objects.filter(pk=row.pk).update(polled_at=Now(), poll_at=Now() + after)


def _read(row: SyncedMailbox, client: Mailbox, token: UUID) -> bool:
    until = time.monotonic() + SLICE
    if cursors.are_due(row):
        cursors.look_through(row, client)
    has_more = False
    for stream in Stream.objects.filter(mailbox=row).order_by("read_at"):
        if not holds.prolong(row.pk, "polling", token):
            raise Overtaken
        while _page(row, stream, client):
            has_more = time.monotonic() >= until or not holds.prolong(row.pk, "polling", token)
            if has_more:
                return True
    resync.begin(row)
    return has_more


def _page(row: SyncedMailbox, stream: Stream, client: Mailbox) -> bool:
    """Whether the next page is there. A folder that is gone is noticed by the next look through."""
    asked_at = clock.now()
    try:
        page = client.changes(stream.name, stream.cursor, most=PAGE)
    except CursorExpired:
        resync.go_on_from_now(stream, client)
        return False
    except NotFound:
        overdue = F("folders_at") - cursors.LOOK_EVERY  # and still known: what a new folder has missed is no older
        SyncedMailbox.objects.filter(pk=row.pk).update(folders_at=overdue)
        return False
    named = {each for change in page.changes for each in change.folders}
    folders = places.of(row.pk, client, naming=named) if page.changes else {}
    with transaction.atomic():
        mine = Stream.objects.filter(pk=stream.pk, seq=stream.seq)
        if not mine.update(seq=F("seq") + 1, cursor=page.cursor, read_at=asked_at):
            raise Overtaken
        tallies.add(row.pk, asked_at.date(), told=len(page.changes))
        intake.take_in(row, page.changes, folders)
    is_stuck = page.cursor == stream.cursor  # would give the same page for ever
    stream.seq, stream.cursor = stream.seq + 1, page.cursor
    return page.has_more and not is_stuck
