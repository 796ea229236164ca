"""How a synced mailbox is doing, in words. "Up to date" needs proof: a look at it that is newer than two intervals."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone

from organizations.models import Member
from sync import backfill, intervals
from sync.backfill import Progress
from sync.models import Job, Pause, SyncedMailbox
from sync.reasons import filled
from vault import dialects

_WAITS: Mapping[str, str] = {
    "needs_reconnect": "It waits until you connect {provider} again.",
    "scope_missing": "It waits for a right at {provider}: connect again and allow it, or ask your administrator.",
    "throttled": "{provider} asks for a pause; it goes on by itself.",
    "unreachable": "{provider} does not answer just now; it is tried again by itself.",
    "own_trouble": "Something on our side is in the way; it is tried again by itself.",
    "ending": "Your organization's data is being deleted.",
}
_ELSE = "It is tried again by itself."
_MENDABLE = ("needs_reconnect", "scope_missing")


@dataclass(frozen=True, slots=True)
class Standing:
    """`tone`: "good", "warn" or "bad"; "" where nothing is to be said for or against it. `polled_at`: when it was last
    looked at without a fault."""

    mailbox: SyncedMailbox
    provider: str
    tone: str
    words: str
    sentence: str
    polled_at: datetime | None
    waiting: int
    backfill: Progress | None


def of(rows: QuerySet[SyncedMailbox]) -> list[Standing]:
    """A handful of queries for each; meant for pages of them."""
    found = rows.select_related("member", "connection", "organization").order_by("member__name", "pk")
    return [_of(row) for row in found]


def mine(member: Member) -> QuerySet[SyncedMailbox]:
    return SyncedMailbox.objects.filter(member=member, organization_id=member.organization_id)


def everybodys(administrator: Member) -> QuerySet[SyncedMailbox]:
    if not administrator.is_administrator:
        return SyncedMailbox.objects.none()
    return SyncedMailbox.objects.filter(organization_id=administrator.organization_id)


def _of(row: SyncedMailbox) -> Standing:
    tone, words, sentence = _judged(row)
    waiting = Job.objects.filter(mailbox=row).exclude(state__in=[Job.State.DONE, Job.State.DEAD]).count()
    label = dialects.label(row.connection.provider)
    return Standing(row, label, tone, words, sentence, row.polled_at, waiting, backfill.progress(row))


def _judged(row: SyncedMailbox) -> tuple[str, str, str]:
    now = timezone.now()
    if not row.is_on:
        return "", "Off", "Email sync is switched off, or the mailbox is not connected any more."
    if row.parked_until is not None and row.parked_until > now:
        return _waits(row.parked_for, row.parked_at_provider)
    pause = Pause.objects.filter(organization_id=row.organization_id, until__gt=now).first()
    if pause is not None:
        return _waits(pause.cause, "salesforce")
    if row.polled_at is None:
        return "warn", "Beginning", "It is being looked at for the first time."
    if row.polled_at < now - 2 * intervals.of(row):
        return "bad", "Standing still", "It has not been looked at for longer than it should. Tell your operator."
    return "good", "Up to date", ""


def _waits(cause: str, provider: str) -> tuple[str, str, str]:
    label = dialects.label(provider) if provider else "The provider"
    sentence = filled(_WAITS.get(cause, _ELSE), {"provider": label})
    return ("bad", "Needs you", sentence) if cause in _MENDABLE else ("warn", "Waiting", sentence)
