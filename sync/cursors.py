"""Which streams of a mailbox are followed, and from where: looked through when it is new, and once an hour."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from providers.mail import Mailbox
from sync import places
from sync.models import Listing, Stream, SyncedMailbox
from vault import clock

LOOK_EVERY = timedelta(hours=1)
#: Clocks differ, and a provider needs a moment to list what has arrived.
MARGIN = timedelta(minutes=5)


def are_due(mailbox: SyncedMailbox) -> bool:
    rows = SyncedMailbox.objects.filter(pk=mailbox.pk)
    return rows.filter(Q(folders_at=None) | Q(folders_at__lt=Now() - LOOK_EVERY)).exists()


def look_through(mailbox: SyncedMailbox, client: Mailbox) -> None:
    """Follow what is to be followed and forget the rest. What arrived in a new folder before we followed it is listed;
    its cursor is taken first, so that nothing falls between the two."""
    known_folders = places.of(mailbox.pk, client, fresh=True)
    names = client.streams(places.to_follow(mailbox.member, known_folders))
    known = set(Stream.objects.filter(mailbox=mailbox).values_list("name", flat=True))
    fresh = {name: client.cursor_now(name) for name in names if name not in known}
    with transaction.atomic():
        Stream.objects.filter(mailbox=mailbox).exclude(name__in=names).delete()
        Stream.objects.bulk_create(
            [Stream(mailbox=mailbox, name=name, cursor=cursor) for name, cursor in fresh.items()], ignore_conflicts=True
        )
        if fresh:
            open_listing(mailbox, Listing.Kind.NEW_FOLDER, mailbox.folders_at)
        SyncedMailbox.objects.filter(pk=mailbox.pk).update(folders_at=Now())


def open_listing(mailbox: SyncedMailbox, kind: Listing.Kind, last_seen: datetime | None) -> Listing:
    """From the last time that we know all of, or from the mailbox' start; with MARGIN at both ends. Whole seconds:
    providers count no less."""
    now = clock.now()
    since = mailbox.starts_at if last_seen is None else max(mailbox.starts_at, last_seen - MARGIN)
    since, until = since.replace(microsecond=0), (now + MARGIN).replace(microsecond=0)
    return Listing.objects.create(mailbox=mailbox, kind=kind, since=min(since, until), until=until, reached=until)
