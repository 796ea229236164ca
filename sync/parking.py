"""Mailboxes and organizations that have to wait, and why. Waiting is nobody's failure: jobs keep their tries."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from django.db import connection
from django.db.models import F
from django.db.models.functions import Greatest, Now

from providers.errors import ProviderError
from sync import retries
from sync.models import Pause, SyncedMailbox
from sync.retries import Answer, Ruling
from vault import clients
from vault.errors import VaultError

#: So many passing faults of one provider in a row are the mailbox' trouble, not the message's.
IN_A_ROW = 3
#: Until a person mends it.
MENDABLE = ("needs_reconnect", retries.SCOPE_MISSING)
_PAUSE = """
INSERT INTO sync_pause (organization_id, until, cause) VALUES (%s, now() + make_interval(secs => %s), %s)
ON CONFLICT (organization_id) DO UPDATE
SET until = greatest(sync_pause.until, EXCLUDED.until), cause = EXCLUDED.cause
"""


def park(mailbox_id: UUID, ruling: Ruling) -> None:
    """The longer of two waits counts."""
    until = Greatest(F("parked_until"), Now() + timedelta(seconds=ruling.wait))
    SyncedMailbox.objects.filter(pk=mailbox_id).update(
        parked_until=until, parked_for=ruling.cause, parked_at_provider=ruling.provider
    )


def pause(organization_id: UUID, ruling: Ruling) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_PAUSE, [organization_id, ruling.wait, ruling.cause])


def note_failure(mailbox: SyncedMailbox, ruling: Ruling) -> bool:
    """After any failure. Whether it was the mailbox' or the organization's, so that it does not count for the job."""
    if ruling.answer is Answer.PAUSE:
        pause(mailbox.organization_id, ruling)
        return True
    if ruling.answer is Answer.PARK:
        park(mailbox.pk, _told_apart(mailbox, ruling))
        return True
    return ruling.cause == "unreachable" and _is_a_series(mailbox, ruling)


def _told_apart(mailbox: SyncedMailbox, ruling: Ruling) -> Ruling:
    """Where all that was to be granted is, the provider refuses for another reason: connecting again would mend
    nothing, and finding it granted says nothing."""
    if ruling.cause == retries.SCOPE_MISSING and _has_grant(mailbox, ruling.provider):
        return replace(ruling, cause=retries.NOT_ALLOWED)
    return ruling


def _is_a_series(mailbox: SyncedMailbox, ruling: Ruling) -> bool:
    """One mail that fails by itself must not stop the others; a provider that is away must not use up their tries."""
    row = SyncedMailbox.objects.filter(pk=mailbox.pk).values_list("failures", "parked_at_provider").first()
    if row is None:
        return True
    failures = row[0] + 1 if row[1] == ruling.provider else 1
    SyncedMailbox.objects.filter(pk=mailbox.pk).update(failures=failures, parked_at_provider=ruling.provider)
    mailbox.failures, mailbox.parked_at_provider = failures, ruling.provider
    if failures < IN_A_ROW:
        return False
    wait = retries.back_off(failures, ruling.wait)
    park(mailbox.pk, Ruling(Answer.PARK, ruling.cause, wait=wait, provider=ruling.provider))
    return True


def note_success(mailbox: SyncedMailbox, *providers: str) -> None:
    """These have just answered. No query where none of them was in trouble when the row was read, or since by us. A
    wait that is not over was begun meanwhile by who was told to wait: it stays."""
    if mailbox.parked_at_provider not in providers:
        return
    mailbox.failures, mailbox.parked_at_provider = 0, ""
    troubled = SyncedMailbox.objects.filter(pk=mailbox.pk, parked_at_provider__in=providers)
    troubled.exclude(parked_until__gt=Now()).update(failures=0, parked_for="", parked_at_provider="", parked_until=None)


def unpark_mended() -> list[UUID]:
    """Mailboxes that waited for their person, who has done it. Asks no provider."""
    waiting = SyncedMailbox.objects.select_related("member").filter(
        is_on=True, member__is_active=True, parked_until__gt=Now(), parked_for__in=MENDABLE
    )
    mended = [row.pk for row in waiting if _is_mended(row)]
    SyncedMailbox.objects.filter(pk__in=mended, parked_for__in=MENDABLE).update(
        failures=0, parked_until=None, parked_for="", parked_at_provider="", poll_at=Now()
    )
    return mended


def _is_mended(row: SyncedMailbox) -> bool:
    return _has_grant(row, row.parked_at_provider)


def _has_grant(row: SyncedMailbox, provider: str) -> bool:
    """Salesforce refusing a right is found out by trying: its wait runs out by itself. Another account of his mends
    nothing here (access.mailbox_of)."""
    feature = "" if provider == retries.SALESFORCE else "email"
    try:
        found = clients.connection_of(row.member, provider, feature)
    except (ProviderError, VaultError):
        return False
    return provider == retries.SALESFORCE or found.id == row.connection_id


def forget_old_pauses() -> None:
    Pause.objects.filter(until__lt=Now()).delete()
