"""A cursor that the provider takes no more (sync.md 11): a new one, and a bounded listing of what may have been missed.

Nothing is wiped: what is known already is absorbed by its job, and what is in Salesforce by its key. At most one an
hour and mailbox, all its expired streams together."""

from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from providers.mail import Mailbox
from sync import cursors
from sync.models import Listing, Stream, SyncedMailbox
from vault import clock

EVERY = timedelta(hours=1)
#: What a mailbox that was away for longer has missed is a backfill's business.
LONGEST = timedelta(days=30)


def _allowed(mailbox: SyncedMailbox) -> Q:
    return Q(pk=mailbox.pk) & (Q(resynced_at=None) | Q(resynced_at__lte=Now() - EVERY))


def begin(mailbox: SyncedMailbox, client: Mailbox) -> bool:
    """Whether a listing was begun. The new cursors are taken first, so that nothing falls between them and it."""
    expired = list(Stream.objects.filter(mailbox=mailbox).exclude(expired_at=None))
    if not expired or not SyncedMailbox.objects.filter(_allowed(mailbox)).exists():
        return False
    fresh = [(stream, client.cursor_now(stream.name)) for stream in expired]
    last_read = max(min(stream.read_at for stream in expired), clock.now() - LONGEST)
    with transaction.atomic():
        if not SyncedMailbox.objects.filter(_allowed(mailbox)).update(resynced_at=Now()):
            return False
        for stream, cursor in fresh:
            mine = Stream.objects.filter(pk=stream.pk, seq=stream.seq)
            mine.update(cursor=cursor, seq=F("seq") + 1, expired_at=None, read_at=Now())
        cursors.open_listing(mailbox, Listing.Kind.RESYNC, last_read)
    return True
