"""When a grant was last proven to work, and what may be said of it: healthy means within a day (docs/vault.md 6)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from vault import causes, clock, dialects
from vault.answers import RENEWED, REPLACED
from vault.models import Attempt, Connection, State

#: A proof is good for a day.
GOOD_FOR = timedelta(hours=24)
#: Said of what opens and works again, where a renewal has failed whose own words the broken seal has taken.
_NOT_RENEWED = "The last renewal of this connection failed."


@dataclass(frozen=True, slots=True)
class Shown:
    """What people are told of a connection: `state` with its reason, and when it last worked for certain."""

    state: State
    reason: str
    proven_at: datetime | None


def shown(row: Connection, at: datetime | None = None) -> Shown:
    """Healthy, also while it is being renewed, only where that was proven within a day; otherwise degraded, in words.
    `at`: the database's time."""
    state = State(row.state)
    if state is State.REFRESHING and row.cause == causes.SEAL_BROKEN:
        return Shown(State.DEGRADED, row.reason, row.last_success_at)
    if state not in (State.HEALTHY, State.REFRESHING) or is_proven(row, at):
        return Shown(state, row.reason, row.last_success_at)
    text = f"{dialects.label(row.provider)} could not be asked within the last day whether this connection works."
    return Shown(State.DEGRADED, text, row.last_success_at)


def is_proven(row: Connection, at: datetime | None = None) -> bool:
    return row.last_success_at is not None and row.last_success_at > (at or clock.now()) - GOOD_FOR


def note(connection_id: UUID, *, reopened: bool = False) -> None:
    """The provider has just accepted the access token. What was degraded for want of that is healthy again; where a
    renewal has failed, only a renewal mends it.

    `reopened`: that token was read from what is stored since it was told not to open. Any other may be from before,
    and mends no broken seal (V19)."""
    mine = Connection.objects.filter(pk=connection_id)
    mine.update(last_success_at=Now())
    degraded = mine.filter(state=State.DEGRADED)
    if not reopened:
        degraded = degraded.exclude(cause=causes.SEAL_BROKEN)
    failed = Attempt.objects.filter(connection=OuterRef("pk"), generation=OuterRef("generation")).exclude(
        outcome__in=(RENEWED, REPLACED)
    )
    degraded.filter(~Exists(failed)).update(state=State.HEALTHY, reason="", cause="", failures=0, retry_at=None)
    degraded.filter(cause=causes.SEAL_BROKEN).update(reason=_NOT_RENEWED, cause="")
