"""How a connection moves between its states (docs/vault.md 6), each move fenced by the generation it was decided on."""

import logging
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from organizations import audit, epochs, membership
from providers.errors import FreshTokenRefused, NeedsReconnect
from vault import causes, dialects, incidents
from vault.errors import ConnectRequired
from vault.models import Connection, Incident, State

log = logging.getLogger("sidebar.vault")

#: Only its person, by connecting, makes such a connection usable again.
WAITS_FOR_PERSON = (State.CONNECTING, State.NEEDS_RECONNECT)
#: A grant in one of these states may be used; what is wrong in the meantime is the renewal's business.
USABLE = (State.HEALTHY, State.REFRESHING, State.DEGRADED, State.SUSPECT)
_FIRST_WAIT, _LONGEST_WAIT = 2.0, 300.0
_REFUSED_FRESH = "token_refused"  # providers.errors.FreshTokenRefused
_BROKEN = "What is stored of this connection was changed or has lost its key, so it is not used."
_CROSSED = "Another connection of this account was being ended when it was made; we ask whether that ended it as well."
#: Longer than a provider takes to answer and to act on it.
_ASKED_AFTER = timedelta(seconds=20)
#: A grant in doubt that nobody uses is probed after this long.
_PROBED_AFTER = timedelta(minutes=15)


def require_usable(row: Connection) -> None:
    """Raises NeedsReconnect when only the person can mend it, ConnectRequired when there is nothing to mend."""
    if row.state == State.NEEDS_RECONNECT:
        reason = row.reason or f"{dialects.label(row.provider)} no longer accepts this connection."
        raise NeedsReconnect(reason, provider=row.provider)
    if row.state not in USABLE:
        raise ConnectRequired(row.provider)


def release(row: Connection) -> None:
    row.lease_by, row.lease_until = "", None


def mend(row: Connection) -> None:
    """The provider has just accepted this grant. Saves; call under the row lock."""
    release(row)
    row.state, row.reason, row.cause = State.HEALTHY, "", ""
    row.failures, row.retry_at, row.probe_at = 0, None, None
    row.save(update_fields=["state", "reason", "cause", "failures", "retry_at", "probe_at", "lease_by", "lease_until"])
    Connection.objects.filter(pk=row.pk).update(last_success_at=Now())
    if row.provider == dialects.SIGNS_IN:
        membership.confirm(row.member_id)


def renewed(row: Connection) -> None:
    """The token endpoint has just renewed this grant. Saves; call under the row lock.

    Whether the new token is accepted where it is used is another question: where that was in doubt, it stays so, with
    its back-off, until a use or a probe has shown it (else an API in trouble would have us renew at every call)."""
    if row.cause != _REFUSED_FRESH:
        mend(row)
        return
    release(row)
    row.state = State.DEGRADED
    row.save(update_fields=["state", "lease_by", "lease_until"])
    if row.provider == dialects.SIGNS_IN:
        membership.confirm(row.member_id)


def question(connection_id: UUID, generation: int) -> None:
    """An earlier grant of the account was being ended when this one was made, which may have ended both: said so, and
    the token endpoint is asked as soon as that must be over (I10); its verdict is the one that counts (I6)."""
    mine = Connection.objects.filter(pk=connection_id, generation=generation, state=State.HEALTHY)
    with transaction.atomic():
        row = mine.select_for_update().first()
        if row is None:
            return
        mine.update(state=State.DEGRADED, reason=_CROSSED, renew_at=Now() + _ASKED_AFTER)
        audit.record(
            row.organization_id, "task:sign_in", "connection.questioned", row.pk, "degraded", generation=generation
        )
        epochs.bump("connection", connection_id)


def doubt(connection_id: UUID, generation: int, error: FreshTokenRefused) -> None:
    """An API refuses a token that was renewed a moment ago: degraded, and no further renewal before `retry_at`.

    Told once in that time, however many calls meet it; nothing is done where the grant has moved on meanwhile. A
    renewal under way goes on, and finds the doubt when it is done (`renewed`)."""
    with transaction.atomic():
        row = Connection.objects.select_for_update().annotate(clock=Now()).get(pk=connection_id)
        waits = row.cause == _REFUSED_FRESH and row.retry_at is not None and row.retry_at > row.clock
        if row.generation != generation or row.state not in USABLE or waits:
            return
        wait = timedelta(seconds=min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(row.failures, 10)))
        mine = Connection.objects.filter(pk=connection_id)
        mine.update(
            reason=str(error)[:200],
            cause=_REFUSED_FRESH,
            failures=F("failures") + (1 if row.failures < 1_000 else 0),
            retry_at=Now() + wait,
            probe_at=Now() + _PROBED_AFTER,
        )
        mine.filter(state=State.HEALTHY).update(state=State.DEGRADED)
        audit.record(
            row.organization_id, "task:renewal", "token.refused_fresh", row.pk, "refused", generation=generation
        )
        epochs.bump("connection", row.pk)  # so that the next success is written down at once, and not in a minute


def seal_broken(connection_id: UUID) -> str:
    """What is stored of a grant does not open in its place (V19): an incident once for each generation, and the truth
    shown at once, each time; a probe looks again. No provider has said that the grant is dead (I6). Returns whose it
    is."""
    with transaction.atomic():
        row = Connection.objects.select_for_update().filter(pk=connection_id).first()
        if row is None:
            return ""
        if row.state not in USABLE:
            return row.provider
        shown, known = _show_broken(row), Incident.objects.filter(connection=row, generation=row.generation)
        is_new = not known.filter(kind=incidents.TAMPERED).exists()
        if is_new:
            incidents.record(incidents.TAMPERED, row.organization_id, row)
        if not (is_new or shown):
            return row.provider
        epochs.bump("connection", row.pk)
    log.error("what is stored of connection %s does not open any more", connection_id)
    return row.provider


def _show_broken(row: Connection) -> bool:
    """False where that is shown already. A renewal under way goes on, since it has read the grant before; not so one
    whose holder has died."""
    mine = Connection.objects.filter(pk=row.pk)
    found = mine.exclude(cause=causes.SEAL_BROKEN)
    told = found.update(reason=_BROKEN, cause=causes.SEAL_BROKEN, probe_at=Now())
    idle = mine.exclude(state=State.REFRESHING, lease_until__gte=Now())
    return bool(idle.exclude(state=State.DEGRADED).update(state=State.DEGRADED) or told)


def degrade(
    connection_id: UUID,
    generation: int,
    reason: str,
    asked: float = 0.0,
    *,
    cause: str = "",
    may_be_lost: bool = False,
    again: bool = False,
    attempt: UUID | None = None,
) -> None:
    """Passing trouble: wait longer each time, at most five minutes, and never give up (I6).

    `cause`: ProviderError.code. `asked`: seconds that the provider wants us to wait at least.
    `again`: the first time there is no wait at all. `attempt`: whose result this is."""
    row = Connection.objects.select_for_update().get(pk=connection_id)
    if row.generation != generation or row.state not in USABLE:
        return
    doubling = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(row.failures, 10))
    seconds = 0.0 if again and not row.failures else max(doubling, asked)
    told = f"{reason} You may have to connect again." if may_be_lost else reason
    Connection.objects.filter(pk=connection_id).update(
        state=State.DEGRADED,
        reason=told[:200],
        cause=cause,
        failures=F("failures") + (1 if row.failures < 1_000 else 0),
        retry_at=Now() + timedelta(seconds=seconds),
        lease_by="",
        lease_until=None,
    )
    facts = _facts(generation, attempt)
    audit.record(row.organization_id, "task:renewal", "token.renewal_failed", row.pk, "failed", **facts)


def _facts(generation: int, attempt: UUID | None) -> dict[str, Any]:
    return {"generation": generation, **({"attempt": str(attempt)} if attempt else {})}


def refuse(
    connection_id: UUID, generation: int, reason: str, *, cause: str = "", result: str = "refused", incident: str = ""
) -> None:
    """`condemn` in a transaction of its own. Raises NeedsReconnect after its commit, unless the grant has moved on."""
    with transaction.atomic():
        error = condemn(connection_id, generation, reason, cause=cause, result=result, incident=incident)
    if error is not None:
        raise error


def condemn(
    connection_id: UUID,
    generation: int,
    reason: str,
    *,
    cause: str = "",
    result: str = "refused",
    incident: str = "",
    attempt: UUID | None = None,
) -> NeedsReconnect | None:
    """The provider's definite verdict on the newest grant: only connecting again helps.

    In the caller's transaction; returns what to raise after its commit. `incident`: the kind to record, where it is
    more than one person's business. None, and nothing done, when the grant has moved on meanwhile: the verdict is
    about an older token then (V8)."""
    row = Connection.objects.select_for_update().get(pk=connection_id)
    if row.generation != generation or row.state not in USABLE:
        return None
    release(row)
    row.state, row.reason, row.cause = State.NEEDS_RECONNECT, reason[:200], cause
    row.save(update_fields=["state", "reason", "cause", "lease_by", "lease_until"])
    if row.provider == dialects.SIGNS_IN:
        membership.unconfirm(row.member_id)  # before the audit: everywhere a person's rows are locked first
    facts = _facts(generation, attempt)
    audit.record(row.organization_id, "task:renewal", "connection.needs_reconnect", row.pk, result, **facts)
    if incident:
        incidents.record(incident, row.organization_id, row)
    epochs.bump("connection", row.pk)
    epochs.bump("cards", row.pk)
    transaction.on_commit(lambda: log.warning("connection %s needs its person to connect again", row.pk))
    return NeedsReconnect(row.reason, provider=row.provider)
