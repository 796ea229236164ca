"""Ends grants: denied here first, then at the provider until it confirms, then wiped (docs/vault.md 7, C17)."""

import contextlib
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.functions import Now

from organizations import audit, epochs, membership
from organizations.models import Member
from providers.errors import ProviderError, Transient
from vault import dialects, grants, outbound, quarantine, sealing, states, withdrawals
from vault.cipher import Place
from vault.errors import KekUnusable, KeyGone, TokenTampered
from vault.grants import Grant
from vault.models import ENDED, Connection, Credential, DiscardedGrant, ObjectAccess, State

_CLAIM = timedelta(minutes=1)
#: What the audit log says of a grant whose end was confirmed, could not be asked for (`dialects.may_revoke`: it is
#: wiped here, and the person withdraws his consent there), or that did not open.
CONFIRMED, NOT_OFFERED, UNREADABLE = "ok", "not_offered", "unreadable"
KEYS_AWAY = "keys_away"  # denied here; what opens the grant could not be had, so its provider hears of it later
STILL_USED = "still_used"  # its end would be that of the grant which has replaced it (dialects.may_revoke)
REVOKED = "grant.revoked"
ACTOR = "task:revocation"
_ELSEWHERE = "elsewhere"  # finished by another process, which alone knows how
_LONGEST_WAIT = timedelta(hours=6)


class Ending(StrEnum):
    """What became of a connection that was to be ended, so that nobody is told more than has happened. NOTHING is
    falsy."""

    CONFIRMED = "confirmed"  # the provider has ended the grant
    WAITING = "waiting"  # it has not confirmed that yet; we go on asking
    KEPT = "kept"  # wiped here; another connection lives by the same consent
    NOT_OFFERED = "not_offered"  # wiped here; there only the person can end it
    UNREADABLE = "unreadable"  # it did not open any more, so the provider could not be told
    OVER = "over"  # the connection held no grant any more
    NOTHING = ""  # there was no connection


def _place(row: DiscardedGrant, connection: Connection) -> Place:
    return Place(
        connection.organization_id,
        "vault_discardedgrant",
        row.id,
        "sealed",
        connection.provider,
        owner=str(connection.pk),
    )


@sealing.column(DiscardedGrant, "sealed")
def place_of(row: DiscardedGrant) -> Place:
    return _place(row, row.connection)


def discard(connection: Connection, grant: Grant) -> UUID:
    """Put a grant down for revocation, in the caller's transaction; `finish` it after the commit."""
    row = DiscardedGrant(connection=connection)
    row.sealed = sealing.seal(grant.to_json(), _place(row, connection))
    row.save()
    return row.id


_ENDINGS = {
    CONFIRMED: Ending.CONFIRMED,
    STILL_USED: Ending.KEPT,
    NOT_OFFERED: Ending.NOT_OFFERED,
    KeyGone.__name__: Ending.UNREADABLE,
    TokenTampered.__name__: Ending.UNREADABLE,
}


def disconnect(connection_id: UUID, actor: Member | str) -> Ending:
    """Deny every use from this commit on, then end the grant at the provider; returns what became of it.

    When the provider or a key service does not answer, `vault.tasks.finish_revocations` goes on trying."""
    had_one = Credential.objects.filter(connection_id=connection_id).exists()
    try:
        discarded = put_down(connection_id, actor)
    except (Transient, KekUnusable):
        return _put_off(connection_id, actor)
    return _finish_all(discarded, had_one=had_one)


def _finish_all(discarded: list[UUID] | None, *, had_one: bool) -> Ending:
    if discarded is None:
        return Ending.NOTHING
    if not discarded:
        return Ending.UNREADABLE if had_one else Ending.OVER
    results = [_result(discarded_id) for discarded_id in discarded]
    return _ENDINGS.get(results[-1], Ending.WAITING)


def _put_off(connection_id: UUID, actor: Member | str) -> Ending:
    """Nobody can open the grant just now, but its use ends all the same: it stays where it is, sealed, until the
    timetable can put it down (`carry_on`)."""
    with transaction.atomic():
        row = Connection.objects.select_for_update().select_related("member").filter(pk=connection_id).first()
        if row is None or not Credential.objects.filter(connection=row).exists():
            return Ending.NOTHING
        if row.state not in ENDED:
            _deny(row, State.REVOKING)
            _record(row, actor, KEYS_AWAY)
    return Ending.WAITING


def put_off() -> QuerySet[Connection]:
    """Ended here while their keys could not be had. An organization that is being destroyed sees to its own."""
    sealed = Exists(Credential.objects.filter(connection=OuterRef("pk")))
    return Connection.objects.filter(sealed, state__in=ENDED, organization__ending_since=None).order_by("?")


def carry_on(connection_id: UUID) -> None:
    """What `disconnect` could not do for want of a key; nothing where the person has connected again meanwhile.

    Raises Transient and KekUnusable as `put_down` does."""
    for discarded_id in put_down(connection_id, ACTOR, only_ended=True) or ():
        _result(discarded_id)


def put_down(
    connection_id: UUID, actor: Member | str, *, unopened: bool = False, only_ended: bool = False
) -> list[UUID] | None:
    """Deny every use from this commit on. Returns the grants to `finish`; None when nothing was connected.

    Raises Transient and KekUnusable where the keys cannot be had: a grant that nobody can open could not be ended.
    `unopened`: it is given up then, wiped here as UNREADABLE without its provider's knowing. `only_ended`: nothing is
    done where it is in use."""
    if not unopened:
        with contextlib.suppress(KeyGone, TokenTampered):
            grants.open_keys(connection_id)
        quarantine.open_keys(connection_id)
    with transaction.atomic():
        row = Connection.objects.select_for_update().select_related("member").filter(pk=connection_id).first()
        if row is None or (row.state in ENDED and not Credential.objects.filter(connection=row).exists()):
            return None
        if only_ended and row.state not in ENDED:
            return None
        grant = None if unopened else grants.load_if_any(row)
        row.generation += 1  # a renewal under way finds the grant moved on and discards what it gets (V14)
        _deny(row, State.REVOKING if grant else State.SHREDDED)
        sealed, _ = Credential.objects.filter(connection=row).delete()
        discarded = [discard(row, each) for each in (*quarantine.take_out(row, grant), grant)] if grant else []
        _record(row, actor, "ok" if grant or not sealed else UNREADABLE)
    return discarded


def _deny(row: Connection, state: State) -> None:
    """No use of a locked row's grant from the commit on. A renewal under way discards what it gets (V14)."""
    states.release(row)
    row.state = state
    row.reason = row.cause = row.account = ""
    row.save()
    ObjectAccess.objects.filter(connection=row).delete()
    if row.provider == dialects.SIGNS_IN:
        membership.unconfirm(row.member_id)


def _record(row: Connection, actor: Member | str, result: str) -> None:
    facts: dict[str, Any] = {"provider": row.provider, "fence": row.generation}
    audit.record(row.organization_id, actor, "connection.disconnected", row.pk, result, **facts)
    epochs.bump("connection", row.pk)
    epochs.bump("cards", row.pk)


def finish(discarded_id: UUID) -> bool:
    """Revoke one discarded grant at its provider and wipe it. False when it has to be tried again later."""
    return bool(_result(discarded_id))


def _result(discarded_id: UUID) -> str:
    """As the audit log tells it (CONFIRMED ...); "" when it has to be tried again later."""
    with outbound.sign_ins.place("revocation") as taken:
        return _finish(discarded_id) if taken else ""


def _finish(discarded_id: UUID) -> str:
    due = DiscardedGrant.objects.filter(pk=discarded_id, retry_at__lte=Now())
    if not due.update(retry_at=Now() + _CLAIM):  # another process is at it
        return ""
    row = DiscardedGrant.objects.select_related("connection").filter(pk=discarded_id).first()
    if row is None:  # another process has just finished it
        return _ELSEWHERE
    try:
        result = _end_at_provider(row)
    except (TokenTampered, KeyGone) as error:
        result = type(error).__name__  # nobody can read it any more, so nobody can revoke it either
    except (ProviderError, KekUnusable):
        _try_later(row)
        return ""
    _wipe(row, result)
    return result


def _end_at_provider(row: DiscardedGrant) -> str:
    provider = row.connection.provider
    if not dialects.of(provider).revokes:
        return NOT_OFFERED
    grant = Grant.from_json(sealing.unseal(bytes(row.sealed), _place(row, row.connection)))
    return CONFIRMED if withdrawals.end(grant, provider, row.connection.subject) else STILL_USED


def at_once(discarded_id: UUID) -> bool:
    """As `finish`, but without waiting for its turn: somebody stands by until it is done."""
    DiscardedGrant.objects.filter(pk=discarded_id).update(retry_at=Now())
    return finish(discarded_id)


def _try_later(row: DiscardedGrant) -> None:
    wait = min(_LONGEST_WAIT, timedelta(seconds=30) * 2 ** min(row.failures, 12))
    failures = F("failures") + (1 if row.failures < 1_000 else 0)
    DiscardedGrant.objects.filter(pk=row.pk).update(failures=failures, retry_at=Now() + wait)


def _wipe(row: DiscardedGrant, result: str) -> None:
    with transaction.atomic():
        connection = Connection.objects.select_for_update().filter(pk=row.connection_id).first()
        if connection is None or not DiscardedGrant.objects.filter(pk=row.pk).delete()[0]:
            return  # another process was faster
        about = {"provider": connection.provider}
        audit.record(connection.organization_id, ACTOR, REVOKED, connection.pk, result, **about)
        if not any(left.objects.filter(connection=connection).exists() for left in (DiscardedGrant, Credential)):
            Connection.objects.filter(pk=connection.pk, state=State.REVOKING).update(state=State.SHREDDED)


def due_ids() -> list[UUID]:
    """Discarded grants that it is time to try again."""
    return list(DiscardedGrant.objects.filter(retry_at__lte=Now()).order_by("retry_at").values_list("id", flat=True))
