"""How a synced mailbox is doing, in words. "Up to date" needs proof: a look at it that is newer than two intervals,
none of its mail waiting for long, and no message that only the provider's own list told of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from organizations.models import Member
from sync import backfill, intervals, subscriptions, tallies
from sync.backfill import Progress
from sync.models import Decision, Job, Listing, Pause, Stream, SyncedMailbox, Tally
from sync.reasons import Outcome, filled
from vault import clock, dialects


class Trouble(StrEnum):
    """What may be wrong with a mailbox, as a code that is stored. WAITS: for something that passes, for long by now."""

    NEEDS_RECONNECT = "needs_reconnect"
    SCOPE_MISSING = "scope_missing"
    WAITS = "waits"
    STANDS_STILL = "stands_still"
    BEHIND = "behind"
    SILENCE = "silence"
    DEAD_LETTERS = "dead_letters"


_WAITS: Mapping[str, str] = {
    "needs_reconnect": "It waits until you connect {provider} again.",
    "scope_missing": "It waits for a right at {provider}: connect again and allow it, or ask your administrator.",
    "api_disabled": "{provider} does not let you use its API; it goes on once an administrator has allowed that.",
    "not_allowed": "{provider} does not let us read it, though all rights were given: its administrator may know why. "
    "It is tried again every 15 minutes.",
    "throttled": "{provider} asks for a pause; it goes on by itself.",
    "unreachable": "{provider} does not answer just now; it is tried again by itself.",
    "own_trouble": "Something on our side is in the way; it is tried again by itself.",
    "ending": "Your organization's data is being deleted.",
}
_ELSE = "It is tried again by itself."
_MENDABLE: Mapping[str, Trouble] = {
    "needs_reconnect": Trouble.NEEDS_RECONNECT,
    "scope_missing": Trouble.SCOPE_MISSING,
}
_STILL = "It has not been looked at for longer than it should. Tell your operator."
_RELISTED = "What came while its provider kept no account of changes is being listed, within an hour or so."
_BEHIND = "Emails have been waiting for over an hour. Tell your operator if that goes on."
_UNTOLD = (
    "{provider} does not tell us of new mail at once: it comes by regular looks only, every {often}. No mail is lost "
    "by that. Your operator can see why."
)
_SILENT = "{provider} did not tell us of all emails of the last two days: counting found {number} more."
_DEAD = "Emails of the last day that could not be saved: {number}. Look at them, and try again or ignore them."
#: Mailboxes of one page at most.
MOST = 100
#: Mail that came and was not looked at for so long is behind; a wait for something that passes is long by then.
BEHIND, LONG = timedelta(hours=1), timedelta(hours=4)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that may be said of a mailbox. `tone`: "good", "warn" or "bad"; "" for neither. `trouble`: None where
    nobody has to be told."""

    tone: str
    words: str
    sentence: str = ""
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """`polled_at`: when it was last looked at without a fault. `waiting`: messages. `days`: the newest first."""

    mailbox: SyncedMailbox
    provider: str
    tone: str
    words: str
    sentence: str
    polled_at: datetime | None
    waiting: int
    backfill: Progress | None
    days: Sequence[Tally] = ()


def of(rows: QuerySet[SyncedMailbox]) -> list[Standing]:
    """A handful of queries for each; meant for pages of them."""
    return _shown(rows.select_related("member", "connection", "organization").order_by("member__name", "pk"))


def page(
    rows: QuerySet[SyncedMailbox], *, after: UUID | None = None, most: int = MOST
) -> tuple[list[Standing], UUID | None]:
    """By id; where the next page begins, None after the last."""
    if after is not None:
        rows = rows.filter(pk__gt=after)
    found = list(rows.select_related("member", "connection", "organization").order_by("pk")[: most + 1])
    return _shown(found[:most]), found[most - 1].pk if len(found) > most else None


def _shown(rows: Iterable[SyncedMailbox]) -> list[Standing]:
    found = list(rows)
    days = tallies.latest([row.pk for row in found])
    return [_of(row, days[row.pk]) for row in found]


def mine(member: Member) -> QuerySet[SyncedMailbox]:
    return SyncedMailbox.objects.filter(member=member, organization_id=member.organization_id)


def everybodys(administrator: Member) -> QuerySet[SyncedMailbox]:
    if not administrator.is_administrator:
        return SyncedMailbox.objects.none()
    return SyncedMailbox.objects.filter(organization_id=administrator.organization_id)


def troubles(row: SyncedMailbox) -> list[Finding]:
    """Whatever its person and administrators should know of, the gravest first; of its single messages, too."""
    found = [_reading(row), _telling(row, tallies.latest([row.pk])[row.pk]), _messages(row)]
    return [each for each in found if each is not None and each.trouble is not None]


def hindrance(row: SyncedMailbox) -> str:
    """Why its mail is not looked at just now, in words; "" where nothing stands in the way."""
    found = _reading(row)
    return "" if found.tone == "good" else found.sentence


def _of(row: SyncedMailbox, days: Sequence[Tally]) -> Standing:
    judged = _reading(row)
    if judged.tone == "good":
        judged = _telling(row, days) or judged
    waiting = Job.objects.filter(mailbox=row).exclude(state__in=[Job.State.DONE, Job.State.DEAD]).count()
    label = dialects.label(row.connection.provider)
    said = (judged.tone, judged.words, judged.sentence)
    return Standing(row, label, *said, row.polled_at, waiting, backfill.progress(row), days)


def _reading(row: SyncedMailbox) -> Finding:
    """Whether it is read, and its mail looked at, in time."""
    now = timezone.now()
    if not row.is_on:
        return Finding("", "Off", "Email sync is switched off, or the mailbox is not connected any more.")
    if row.parked_until is not None and row.parked_until > now:
        return _waits(row, row.parked_for, row.parked_at_provider)
    pause = Pause.objects.filter(organization_id=row.organization_id, until__gt=now).first()
    if pause is not None:
        return _waits(row, pause.cause, "salesforce")
    if row.polled_at is None and row.starts_at > now - BEHIND:
        return Finding("warn", "Beginning", "It is being looked at for the first time.")
    if row.polled_at is None or row.polled_at < now - 2 * intervals.of(row):
        return Finding("bad", "Standing still", _STILL, Trouble.STANDS_STILL)
    if _is_relisted(row):
        return Finding("warn", "Catching up", _RELISTED)
    if late(Job.objects.filter(mailbox=row)).exists():
        return Finding("warn", "Behind", _BEHIND, Trouble.BEHIND)
    return Finding("good", "Up to date", _untold(row))


def _untold(row: SyncedMailbox) -> str:
    """Nothing is amiss with its mail; it only comes later than it could."""
    if not subscriptions.untold().filter(pk=row.pk).exists():
        return ""
    minutes = int(intervals.of(row).total_seconds()) // 60
    often = "minute" if minutes == 1 else f"{minutes} minutes"
    return filled(_UNTOLD, {"provider": dialects.label(row.connection.provider), "often": often})


def _is_relisted(row: SyncedMailbox) -> bool:
    """Its changes are not told, or not all of them, until an expired cursor's listing has ended (resync.py)."""
    again = Listing.objects.filter(mailbox=row, kind=Listing.Kind.RESYNC, ended_at=None)
    return again.exists() or Stream.objects.filter(mailbox=row).exclude(missed_since=None).exists()


def late(rows: QuerySet[Job]) -> QuerySet[Job]:
    """New mail that nobody has looked at for too long; what was tried and waits for its next try is none."""
    untried = rows.filter(~Job.TRIED, state=Job.State.DUE, is_live=True)
    return untried.filter(created_at__lt=Now() - BEHIND, next_at__lt=Now())


def _waits(row: SyncedMailbox, cause: str, provider: str) -> Finding:
    label = dialects.label(provider) if provider else "The provider"
    sentence = filled(_WAITS.get(cause, _ELSE), {"provider": label})
    if cause in _MENDABLE:
        return Finding("bad", "Needs you", sentence, _MENDABLE[cause])
    is_long = (row.polled_at or row.starts_at) < timezone.now() - LONG
    return Finding("warn", "Waiting", sentence, Trouble.WAITS if is_long and cause != "ending" else None)


def _telling(row: SyncedMailbox, days: Sequence[Tally]) -> Finding | None:
    """What the provider has kept to itself (silence.py), today and yesterday."""
    missed = sum(each.missed for each in days if each.day >= clock.now().date() - timedelta(days=1))
    if not missed or not row.is_on:
        return None
    named = {"provider": dialects.label(row.connection.provider), "number": str(missed)}
    return Finding("warn", "Missed some", filled(_SILENT, named), Trouble.SILENCE)


def _messages(row: SyncedMailbox) -> Finding | None:
    count = failed(Decision.objects.filter(mailbox=row)).count()
    return Finding("warn", "Failed", filled(_DEAD, {"number": str(count)}), Trouble.DEAD_LETTERS) if count else None


def failed(rows: QuerySet[Decision]) -> QuerySet[Decision]:
    return rows.filter(outcome=Outcome.FAILED, decided_at__gt=Now() - timedelta(days=1))
