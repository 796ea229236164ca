"""Writes opens and clicks of one member's tracked mails onto their activities in Salesforce, all that are due at once.

Told are counts and a time; who it was, and what he followed, stays with tracking."""

import logging
from collections.abc import Mapping, Sequence
from uuid import UUID
from zoneinfo import ZoneInfo

from organizations.models import Member
from organizations.registries import Seen, seen_counters
from providers import activities
from providers.activities import Activities, Logged, Note
from providers.base import Priority
from providers.errors import ProviderError
from sync import noted, policies, retries
from sync.models import LedgerEntry
from sync.noted import Claimed
from sync.writing import UNSEEN
from vault import clients
from vault.errors import VaultError
from vault.models import SALESFORCE

log = logging.getLogger("sidebar.sync")

PURPOSE = "sync.note"


def note(member_id: UUID) -> bool:
    """Whether there may be more to be noted now."""
    member = Member.objects.filter(pk=member_id, is_active=True).first()
    lease, mails = noted.claim(member_id)
    if member is None or not mails:
        return False
    try:
        _Noting(member, lease).all_of(mails)
    except (ProviderError, VaultError) as error:
        _put_off(lease, mails, error)
    return len(mails) == noted.AT_ONCE


def _put_off(lease: UUID, mails: Sequence[Claimed], error: Exception) -> None:
    """A throttled organization, or a grant that ended, says nothing about these mails: not one of their tries."""
    ruling = retries.rule(error, SALESFORCE)
    for mail in mails:
        if ruling.answer is retries.Answer.GIVE_UP:
            noted.unchanged(lease, mail)
        else:
            noted.later(lease, mail, retries.back_off(mail.tries, ruling.wait), counts=ruling.counts)


class _Noting:
    def __init__(self, member: Member, lease: UUID) -> None:
        self._member, self._lease = member, lease

    def all_of(self, mails: Sequence[Claimed]) -> None:
        if not policies.notes_seen(self._member):
            for mail in mails:
                noted.forget(self._lease, mail)
            return
        entries, totals = self._entries(mails), _counted(mails)
        wanted = [mail for mail in mails if self._is_wanted(mail, entries, totals)]
        if wanted:
            self._write(wanted, entries, totals)

    def _is_wanted(self, mail: Claimed, entries: Mapping[bytes, LedgerEntry], totals: Mapping[UUID, Seen]) -> bool:
        entry, seen = entries.get(mail.message_mark), totals.get(mail.mail_id)
        if entry is not None and entry.undone_at is not None:
            self._take_back(mail)
        elif seen is None:  # tracking keeps it no more
            noted.forget(self._lease, mail)
        elif (seen.opens, seen.clicks) == (mail.opens, mail.clicks):
            noted.unchanged(self._lease, mail)
        elif entry is not None:
            return True
        elif mail.is_old:
            noted.unchanged(self._lease, mail)
        else:
            noted.later(self._lease, mail, noted.WINDOW.total_seconds(), counts=False)
        return False

    def _entries(self, mails: Sequence[Claimed]) -> dict[bytes, LedgerEntry]:
        """Of several under one Message-ID the first that was written: others have forged it."""
        rows = LedgerEntry.objects.filter(
            organization_id=self._member.organization_id, message_mark__in=[mail.message_mark for mail in mails]
        )
        rows = rows.exclude(salesforce_id__in=["", UNSEEN]).order_by("-written_at", "-pk")
        return {bytes(row.message_mark): row for row in rows}

    def _write(
        self, mails: Sequence[Claimed], entries: Mapping[bytes, LedgerEntry], totals: Mapping[UUID, Seen]
    ) -> None:
        zone = self._member.zone
        notes = [_note(mail, entries[mail.message_mark], totals[mail.mail_id], zone) for mail in mails]
        for mail, result in zip(mails, self._activities().note_seen(notes), strict=True):
            if isinstance(result, ProviderError):
                _put_off(self._lease, [mail], result)
            else:
                noted.noted(self._lease, mail, totals[mail.mail_id], result)

    def _take_back(self, mail: Claimed) -> None:
        """What may not be deleted stays, and is asked about no more."""
        try:
            if mail.beside_id:
                self._activities().delete(Logged("Task", mail.beside_id), key="")
        except ProviderError as error:
            if retries.rule(error, SALESFORCE).answer is not retries.Answer.GIVE_UP:
                raise
            log.info("what was noted of a mail stays in Salesforce: %s", type(error).__name__)
        noted.forget(self._lease, mail)

    def _activities(self) -> Activities:
        connection = clients.salesforce_connection_of(self._member)
        prefers_task = policies.prefers_task(self._member)
        return clients.activities_for(connection, PURPOSE, priority=Priority.BACKGROUND, prefers_task=prefers_task)


def _counted(mails: Sequence[Claimed]) -> dict[UUID, Seen]:
    ids = [mail.mail_id for mail in mails]
    return {mail_id: seen for _, counted in seen_counters for mail_id, seen in counted(ids).items()}


def _note(mail: Claimed, entry: LedgerEntry, seen: Seen, zone: ZoneInfo) -> Note:
    logged = Logged(entry.object_name, entry.salesforce_id, was_there=True)
    told = activities.Seen(seen.opens, seen.clicks, seen.last_at.astimezone(zone) if seen.last_at else None)
    return Note(logged, entry.key, told, mail.beside_id, is_repeat=mail.tries > 1)
