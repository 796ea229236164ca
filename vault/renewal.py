"""Renews a grant at its provider, once, whatever crashes meanwhile: the algorithm of docs/vault.md 5 and 6."""

import os
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from organizations import audit
from providers.base import Secret
from providers.errors import NeedsReconnect, ProviderError, RateLimited, Transient
from providers.http import TOTAL_SECONDS
from providers.oauth import Client, RawAnswer
from vault import answers, dialects, grants, incidents, keys, purposes, settling, states, suspicion, underway
from vault.cipher import SealingKey
from vault.errors import ConnectRequired, OwnTrouble
from vault.flights import Flights
from vault.grants import Grant
from vault.models import Attempt, Connection, Credential, State

#: Longer than the provider call, and than its answer is held in memory while the database does not take it: nobody may
#: present the same refresh token while we hold its successor (I3).
LEASE = timedelta(seconds=50)
_MARGIN = 5.0
if LEASE.total_seconds() < TOTAL_SECONDS + answers.PATIENCE + _MARGIN:
    raise AssertionError("a renewal's lease would end before what it protects")
#: How long a request waits for someone else's renewal before it answers 503.
DEADLINE = 8.0
#: A token renewed so lately is refused for a reason that renewing does not mend.
RECENT = timedelta(seconds=2)
#: The purpose of a renewal that nobody waits for.
AHEAD = "vault.renewal"
#: What the audit log says before a refresh token is sent.
PRESENTED = "token.presented"

_flights: Flights[UUID, None] = Flights(DEADLINE)


@dataclass(frozen=True, slots=True)
class Begun:
    """We hold the lease, and the attempt is on record."""

    connection: Connection
    attempt: Attempt
    grant: Grant
    client: Client | None  # None: no longer configured, which is said where it would be used
    seal: Callable[[bytes], bytes]


class Instead(Enum):
    """Why we do not renew ourselves. NOT_SAFE: only ahead of need."""

    ALREADY_NEWER = 1
    SOMEONE_ELSE_DOES = 2
    NOT_SAFE = 3


def renew(connection_id: UUID, beyond: int, purpose: str = AHEAD) -> None:
    """Return once the grant is newer than generation `beyond`; at most one provider call runs at a time (I1).

    `purpose`: what the token is wanted for, as the audit log tells it; of several who ask at once, the first one's.
    Raises NeedsReconnect (a definite verdict), Transient, ConnectRequired; TokenTampered, KeyGone, KekUnusable."""
    _flights.run(connection_id, lambda: _renew(connection_id, beyond, purpose))


def renew_ahead(connection_id: UUID, beyond: int) -> None:
    """As `renew`, for a token that nobody has refused yet: nothing is presented, and nothing said, where that could end
    the grant (`suspicion.may_renew_ahead`), also if it has come to that a moment ago (V3)."""
    _flights.run(connection_id, lambda: _renew(connection_id, beyond, only_if_safe=True))


def _renew(connection_id: UUID, beyond: int, purpose: str = AHEAD, *, only_if_safe: bool = False) -> None:
    if suspicion.is_behind():
        suspicion.look()
    until = time.monotonic() + DEADLINE
    repeated = False
    while time.monotonic() < until:
        try:
            if _try(connection_id, beyond, purpose, only_if_safe=only_if_safe):
                return
        except Transient as error:
            if repeated or not _may_repeat(connection_id, error):
                raise
            repeated = True
        else:
            time.sleep(0.02 + secrets.randbelow(21) / 1_000)
    raise _still_under_way(connection_id)


def _try(connection_id: UUID, beyond: int, purpose: str = AHEAD, *, only_if_safe: bool = False) -> bool:
    """True once there is nothing left to do; False where someone else is at it. A deployment waits for us."""
    settling.settle_pending(connection_id)
    if _is_held(connection_id, beyond):
        return False
    with underway.renewals.guarded():
        begun = _begin(connection_id, beyond, purpose, only_if_safe=only_if_safe)
        if isinstance(begun, Begun):
            _carry_out(begun)
    return begun is not Instead.SOMEONE_ELSE_DOES


def _is_held(connection_id: UUID, beyond: int) -> bool:
    """Whoever waits looks every few hundredths of a second: one query, and no key, is enough to see no change."""
    held = Connection.objects.filter(pk=connection_id, generation=beyond, lease_until__gte=Now())
    return held.filter(state=State.REFRESHING).exists()


def is_recent(row: Connection) -> bool:
    """Whether this generation came of a renewal in this moment: renewing again would bring no better token.

    Not one from before a wait that is over by now, which was to try again."""
    last = Attempt.objects.filter(connection=row, generation=row.generation - 1, outcome=answers.RENEWED)
    last = last.filter(ended_at__gte=Now() - RECENT)
    return (last.filter(ended_at__gte=row.retry_at) if row.retry_at else last).exists()


def _may_repeat(connection_id: UUID, error: Transient) -> bool:
    """Whether a call that nobody answered may be made once more at once: not at Salesforce, which takes it for a
    thief's (V3)."""
    return error.outcome_unknown and _is_lenient(Connection.objects.get(pk=connection_id))


def _is_lenient(row: Connection) -> bool:
    return dialects.of(row.provider).sends_unknown_again


def _still_under_way(connection_id: UUID) -> OwnTrouble:
    provider = Connection.objects.values_list("provider", flat=True).get(pk=connection_id)
    text = f"The connection to {dialects.label(provider)} is being renewed."
    return OwnTrouble(text, provider=provider, retry_after=2.0)


def _holder() -> str:
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(4)}"


def _begin(connection_id: UUID, beyond: int, purpose: str = AHEAD, *, only_if_safe: bool = False) -> Begun | Instead:
    """Take the lease, write the attempt and say so in the audit log, in one commit (I8). Only the database's clock
    counts (V7, V22)."""
    client, key = _opened(connection_id)
    with transaction.atomic():
        if not _take_lease(connection_id, beyond, only_if_safe=only_if_safe):
            return _why_not(connection_id, beyond, only_if_safe=only_if_safe)
        row = Connection.objects.get(pk=connection_id)
        grant = grants.load(row)
        if grant.refresh_token is not None:
            attempt = _new_attempt(row, grant, grant.refresh_token, purpose)
            return Begun(row, attempt, grant, client, answers.sealer(row, attempt, key))
    text = "You granted no lasting access, so this connection has run out."
    states.refuse(connection_id, beyond, text, cause="no_refresh_token")
    return Instead.ALREADY_NEWER


def _take_lease(connection_id: UUID, beyond: int, *, only_if_safe: bool) -> bool:
    """One statement: whoever took it, or left a doubt, since we looked has changed the row."""
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=Now())
    due = Q(retry_at__isnull=True) | Q(retry_at__lte=Now())
    rows = Connection.objects.filter(free, due, pk=connection_id, generation=beyond, state__in=states.USABLE)
    taken = suspicion.may_renew_ahead(rows) if only_if_safe else rows
    return bool(taken.update(lease_by=_holder(), lease_until=Now() + LEASE, state=State.REFRESHING))


def _opened(connection_id: UUID) -> tuple[Client | None, SealingKey]:
    """All that needs a key, before anything is committed: without it nothing may be sent, or there would be no way to
    keep the answer. A key service is asked over HTTP, and that has no place in a transaction."""
    row = Connection.objects.get(pk=connection_id)
    states.require_usable(row)
    grants.open_keys(connection_id)
    with suppress(Credential.DoesNotExist):
        return dialects.client_of(grants.load(row), row.provider), keys.primary_key(row.organization_id)
    raise ConnectRequired(row.provider)  # disconnected this moment


def _new_attempt(row: Connection, grant: Grant, refresh_token: Secret, purpose: str) -> Attempt:
    _close_lost(row)
    attempt = Attempt.objects.create(connection=row, grant_id=grant.id, generation=row.generation, started_at=Now())
    who = purposes.actor(purpose) or f"member:{row.member_id}"
    audit.record(
        row.organization_id,
        who,
        PRESENTED,
        row.pk,
        attempt=str(attempt.pk),
        purpose=purpose,
        generation=row.generation,
        token=grants.fingerprint(refresh_token),
    )
    return attempt


def _close_lost(row: Connection) -> None:
    """An older attempt still open has lost its holder: nobody knows whether it reached the provider."""
    open_ones = Attempt.objects.filter(connection=row, ended_at__isnull=True, sealed_answer__isnull=True)
    open_ones.update(ended_at=Now(), outcome=answers.UNKNOWN)


def give_up_lost(connection_id: UUID) -> None:
    """The holder of the lease has died, and the access token still works: say early what that may mean (V3)."""
    with transaction.atomic():
        lost = Connection.objects.select_for_update().filter(state=State.REFRESHING, lease_until__lt=Now())
        row = lost.filter(pk=connection_id).first()
        if row is not None:
            _close_lost(row)
            text = "A renewal of this connection was interrupted."
            states.degrade(row.pk, row.generation, text, may_be_lost=not _is_lenient(row), again=True)
            Connection.objects.filter(pk=row.pk, renew_at__isnull=False).update(renew_at=Now())  # where it is safe


def _why_not(connection_id: UUID, beyond: int, *, only_if_safe: bool = False) -> Instead:
    row = Connection.objects.annotate(clock=Now()).get(pk=connection_id)
    states.require_usable(row)
    if row.generation != beyond:
        return Instead.ALREADY_NEWER
    wait = (row.retry_at - row.clock).total_seconds() if row.retry_at else 0.0
    if wait > 0:
        reason = row.reason or f"{dialects.label(row.provider)} does not answer."
        raise Transient(reason, provider=row.provider, retry_after=wait)
    if only_if_safe and not suspicion.may_renew_ahead(Connection.objects.filter(pk=connection_id)).exists():
        return Instead.NOT_SAFE
    return Instead.SOMEONE_ELSE_DOES


def _carry_out(begun: Begun) -> None:
    """The provider call, outside any transaction; then keep the answer before looking at it (I2)."""
    try:
        answer = dialects.refresh(begun.grant, begun.connection.provider, begun.client)
    except ProviderError as error:
        _note_failure(begun, error)
        raise
    if answer.status == 200:
        answers.keep(begun.attempt.id, begun.seal(answer.body.reveal().encode()))
        settling.settle(begun.attempt.id)
    else:
        _note_refusal(begun, _error_in(answer, begun.connection))


def _error_in(answer: RawAnswer, row: Connection) -> ProviderError:
    """A 5xx may be the word of a gateway that gave up waiting while the provider behind it rotated (RFC 9110, 15.6.3
    and 15.6.5; proxies say 503 too), so where re-use is punished it counts like no answer at all. Not so 429, which
    is said instead of an answer (RFC 6585, 4)."""
    error = dialects.error_in(answer, row.provider)
    if isinstance(error, Transient) and answer.status >= 500 and not _is_lenient(row):
        error.outcome_unknown = True
    return error


def _note_failure(begun: Begun, error: ProviderError) -> None:
    """Passing trouble: back off, never dead (V9). What is unknown is remembered: it says what invalid_grant means."""
    lost = isinstance(error, Transient) and error.outcome_unknown
    lenient = _is_lenient(begun.connection)
    asked = error.retry_after if isinstance(error, (RateLimited, Transient)) else 0.0
    at = (begun.connection.pk, begun.attempt.generation)
    with transaction.atomic():
        answers.close(begun.attempt, answers.UNKNOWN if lost else answers.FAILED)
        states.degrade(
            *at,
            str(error),
            asked,
            cause=error.code,
            may_be_lost=lost and not lenient,
            again=lost and lenient,
            attempt=begun.attempt.pk,
        )


def _note_refusal(begun: Begun, error: ProviderError) -> None:
    if not isinstance(error, NeedsReconnect):
        _note_failure(begun, error)
        raise error
    reason, incident = _rotation_lost(begun, str(error))
    at = (begun.connection.pk, begun.attempt.generation)
    with transaction.atomic():  # a refused attempt whose connection is not would have its token presented again
        verdict = states.condemn(*at, reason, cause=error.code, incident=incident, attempt=begun.attempt.pk)
        answers.close(begun.attempt, answers.REFUSED)
    if verdict is not None:
        raise verdict


def _rotation_lost(begun: Begun, said: str) -> tuple[str, str]:
    """What an unknown renewal before this refusal says about it, and the kind of incident that it is (V13, V20)."""
    named = dialects.label(begun.connection.provider)
    earlier = Attempt.objects.filter(connection=begun.connection, generation=begun.attempt.generation)
    outcomes = set(earlier.filter(grant_id=begun.grant.id).values_list("outcome", flat=True))
    if answers.RESTORED in outcomes:
        text = f"Our database was restored from a backup, and {named} does not accept what it held."
        return text, incidents.RESTORED
    if answers.UNKNOWN not in outcomes:
        return said, ""
    lost = f"A renewal was interrupted, and {named} has ended the connection for safety."
    return said if _is_lenient(begun.connection) else lost, incidents.REUSE
