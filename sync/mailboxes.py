"""Which mailboxes are synced: those of members who have connected one and have email sync switched on."""

from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from organizations.models import Member
from sync.models import Listing, Stream, SyncedMailbox
from vault import policies
from vault.models import Connection
from vault.states import USABLE, WAITS_FOR_PERSON

PROVIDERS = ("google", "microsoft")


def follow_settings() -> None:
    """Begin with mailboxes whose people have switched it on, stop with the others. Asks no provider."""
    wanted = set(_wanted())
    there = dict(SyncedMailbox.objects.values_list("connection_id", "is_on"))
    for connection_id in wanted:
        if not there.get(connection_id):
            switch_on(connection_id)
    for connection_id in {each for each, is_on in there.items() if is_on} - wanted:
        if not _keeps_waiting(connection_id):
            switch_off(connection_id)


def _wanted() -> list[UUID]:
    rows = Connection.objects.select_related("member").filter(
        provider__in=PROVIDERS, state__in=USABLE, member__is_active=True, organization__ending_since=None
    )
    return [row.pk for row in rows.iterator() if is_wanted(row.member)]


def is_wanted(member: Member) -> bool:
    return policies.syncs_mail(member)


def _keeps_waiting(connection_id: UUID) -> bool:
    """A grant that its provider has ended is no decision against sync: the mailbox goes on where it was once it is
    connected again. To disconnect is one."""
    row = Connection.objects.select_related("member").filter(pk=connection_id, member__is_active=True).first()
    return row is not None and row.state in WAITS_FOR_PERSON and is_wanted(row.member)


def switch_on(connection_id: UUID) -> SyncedMailbox:
    """From now on (email.start): what came while it was off is left to a backfill."""
    with transaction.atomic():
        row = Connection.objects.select_for_update(of=("self",)).get(pk=connection_id)
        whose = {"organization_id": row.organization_id, "member_id": row.member_id}
        mailbox, is_new = SyncedMailbox.objects.get_or_create(connection=row, defaults=whose)
        if not is_new and not mailbox.is_on:
            Stream.objects.filter(mailbox=mailbox).delete()
            Listing.objects.filter(mailbox=mailbox, ended_at=None).update(ended_at=Now(), is_cancelled=True)
            again = {"is_on": True, "starts_at": Now(), "folders_at": None, "poll_at": Now(), "subscribe_at": Now()}
            SyncedMailbox.objects.filter(pk=mailbox.pk).update(**again, **whose, parked_until=None, parked_for="")
    return SyncedMailbox.objects.get(pk=mailbox.pk)


def switch_off(connection_id: UUID) -> None:
    SyncedMailbox.objects.filter(connection_id=connection_id).update(is_on=False, subscribe_at=Now())
