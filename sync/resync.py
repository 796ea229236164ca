"""A cursor that the provider takes no more (sync.md 11): a new one at once, and a bounded listing of what may
have been missed.

Nothing is wiped: what is known already is absorbed by its job, and what is in Salesforce by its key. At most one
listing an hour and mailbox, for all its streams together: one that expires just after another waits, and is told of
meanwhile."""

from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Greatest, Now

from providers.mail import Mailbox
from sync import cursors
from sync.models import Listing, Stream, SyncedMailbox
from vault import clock

EVERY = timedelta(hours=1)
#: A mailbox that was away for longer begins anew so long ago; what it has missed before is a backfill's business.
LONGEST = timedelta(days=30)


def _allowed(mailbox: SyncedMailbox) -> Q:
    return Q(pk=mailbox.pk) & (Q(resynced_at=None) | Q(resynced_at__lte=Now() - EVERY))


def go_on_from_now(stream: Stream, client: Mailbox) -> None:
    """Whatever comes from now on is told of; what was missed is remembered until it is listed."""
    asked_at = clock.now()
    fresh = client.cursor_now(stream.name)
    mine = Stream.objects.filter(pk=stream.pk, seq=stream.seq)
    since = Coalesce(F("missed_since"), F("read_at"))
    mine.update(cursor=fresh, seq=F("seq") + 1, missed_since=since, read_at=asked_at)


def begin(mailbox: SyncedMailbox) -> bool:
    """Whether a listing was begun. The new cursors were taken before, so that nothing falls between them and it."""
    expired = list(Stream.objects.filter(mailbox=mailbox).exclude(missed_since=None))
    if not expired or not SyncedMailbox.objects.filter(_allowed(mailbox)).exists():
        return False
    missed = [stream.missed_since for stream in expired if stream.missed_since]
    with transaction.atomic():
        if not SyncedMailbox.objects.filter(_allowed(mailbox)).update(resynced_at=Now()):
            return False
        for stream in expired:  # one that expired once more meanwhile has missed more since
            Stream.objects.filter(pk=stream.pk, missed_since=stream.missed_since).update(missed_since=None)
        since = max(min(missed), clock.now() - LONGEST)
        if since > min(missed):  # so that a backfill may be asked for what lies before
            SyncedMailbox.objects.filter(pk=mailbox.pk).update(starts_at=Greatest(F("starts_at"), since))
        cursors.open_listing(mailbox, Listing.Kind.RESYNC, since)
    return True
