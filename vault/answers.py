"""The provider's raw answers to refreshes: sealed and committed first, understood afterwards (docs/vault.md 6).

Whatever crashes in between, the next access settles what was kept. Never logs an answer."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import Error, connections, transaction
from django.db.models.functions import Now

from organizations import audit, epochs
from providers.base import TokenSet
from providers.errors import HostNotAllowed, ProviderError, Transient
from vault import cipher, dialects, grants, incidents, keys, revocation, sealing, spool, states
from vault.cipher import Place
from vault.errors import KeyGone, TokenTampered
from vault.grants import Grant
from vault.models import Attempt, Connection, State

log = logging.getLogger("sidebar.vault")

# Outcomes of an attempt. UNKNOWN: sent, and no answer ever arrived. RESTORED: stands for the attempts that a restored
# database has forgotten (suspicion.py).
RENEWED, REFUSED, FAILED, UNKNOWN, RESTORED = "renewed", "refused", "failed", "unknown", "restored"
UNUSABLE, QUARANTINED, REPLACED, TAMPERED = "unusable", "quarantined", "replaced", "tampered"
#: How long an answer is held in memory while the database does not take it.
PATIENCE = 30.0


def _place(connection: Connection, attempt: Attempt) -> Place:
    return Place(
        organization_id=connection.organization_id,
        table="vault_attempt",
        row_id=attempt.id,
        column="sealed_answer",
        provider=connection.provider,
        generation=attempt.generation,
    )


@sealing.column(Attempt, "sealed_answer")
def place_of(attempt: Attempt) -> Place:
    return _place(attempt.connection, attempt)


def sealer(connection: Connection, attempt: Attempt) -> Callable[[bytes], bytes]:
    """A function that seals this attempt's answer without needing the key store any more."""
    key, place = keys.primary_key(connection.organization_id), _place(connection, attempt)
    return lambda body: cipher.seal(body, place, key)


def keep(attempt_id: UUID, blob: bytes) -> None:
    """Commit a sealed answer: at once, or within 30 s, or to the spool (V5). Raises Transient after spooling."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            _commit(attempt_id, blob)
        except Error:  # away, full, or read-only
            connections["default"].close()
            time.sleep(0.25)
        else:
            return
    spool.write(attempt_id, blob)
    raise Transient("Our database does not answer.", retry_after=10.0)


def _commit(attempt_id: UUID, blob: bytes) -> None:
    """Also where the attempt was given up meanwhile: a slow holder's answer is still an answer (V6)."""
    Attempt.objects.filter(pk=attempt_id).update(sealed_answer=blob, ended_at=None, outcome="")


def import_spool() -> int:
    """Take over what an outage left on disk; returns how many answers."""
    count = 0
    for attempt_id, blob in spool.waiting():
        _commit(attempt_id, blob)
        spool.remove(attempt_id)
        count += 1
    return count


def settle_pending(connection_id: UUID) -> None:
    """Settle every answer of this connection that was kept but not yet understood."""
    import_spool()
    pending = Attempt.objects.filter(connection_id=connection_id, ended_at__isnull=True, sealed_answer__isnull=False)
    for attempt_id in pending.order_by("started_at").values_list("id", flat=True):
        settle(attempt_id)


def close(attempt: Attempt, outcome: str) -> None:
    """Ends the attempt; wipes its answer, unless it is kept for a person to look at."""
    keep_answer = outcome in (QUARANTINED, TAMPERED)
    changes = {} if keep_answer else {"sealed_answer": None}
    Attempt.objects.filter(pk=attempt.pk).update(outcome=outcome, ended_at=Now(), **changes)


def settle(attempt_id: UUID) -> None:
    """Understand a kept answer and make it the connection's grant, or say why not.

    Raises NeedsReconnect (quarantined), Transient (nonsense with status 200, V9)."""
    attempt = Attempt.objects.select_related("connection").filter(pk=attempt_id).first()  # None: destroyed meanwhile
    if attempt is None or attempt.sealed_answer is None or attempt.ended_at is not None:
        return
    tokens = _understand(attempt)
    if tokens is None:
        return
    verdict = _adopt_if_current(attempt, tokens)
    if verdict == QUARANTINED:
        named = dialects.label(attempt.connection.provider)
        reason = f"{named} answered for another person or host. An administrator has been told."
        _refuse_for_good(attempt, reason)
    if verdict == REPLACED:
        _weigh_late_answer(attempt, tokens)


def _understand(attempt: Attempt) -> TokenSet | None:
    """None where the answer does not open any more."""
    try:
        body = sealing.unseal(bytes(attempt.sealed_answer or b""), _place(attempt.connection, attempt))
    except (TokenTampered, KeyGone) as error:
        log.error("the kept answer of attempt %s does not open: %s", attempt.pk, type(error).__name__)
        close(attempt, TAMPERED)
        return None
    try:
        return dialects.tokens_in(body, attempt.connection.provider)
    except HostNotAllowed:
        _quarantine(attempt)
        return None
    except ProviderError as error:
        _note_nonsense(attempt, error)
        raise


def _quarantine(attempt: Attempt) -> None:
    """An API host that is not allowed (V12): kept for a person to look at, never used."""
    close(attempt, QUARANTINED)
    named = dialects.label(attempt.connection.provider)
    reason = f"{named} named a host that is not allowed. An administrator has been told."
    _refuse_for_good(attempt, reason, "host_not_allowed")


def _refuse_for_good(attempt: Attempt, reason: str, cause: str = "") -> None:
    kind, at = incidents.QUARANTINED, (attempt.connection_id, attempt.generation)
    states.refuse(*at, reason, cause=cause, result=QUARANTINED, incident=kind)


def _note_nonsense(attempt: Attempt, error: ProviderError) -> None:
    with transaction.atomic():
        close(attempt, UNUSABLE)
        states.degrade(attempt.connection_id, attempt.generation, str(error))


def _adopt_if_current(attempt: Attempt, tokens: TokenSet) -> str:
    """One transaction, under the row lock: the generation decides whether this answer is still awaited."""
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=attempt.connection_id)
        if not Attempt.objects.filter(pk=attempt.pk, ended_at__isnull=True, sealed_answer__isnull=False).exists():
            return RENEWED  # another process has settled it
        if row.generation != attempt.generation or row.state not in states.USABLE:
            return REPLACED
        grant = grants.load(row)
        if tokens.identity and not dialects.is_same_person(tokens.identity, grant.identity, row.provider):
            close(attempt, QUARANTINED)
            return QUARANTINED
        _note_move(row, grant, tokens)
        _adopt(row, _renewed(grant, tokens, attempt))
        close(attempt, RENEWED)
        return RENEWED


def _note_move(row: Connection, grant: Grant, tokens: TokenSet) -> None:
    """An organization has moved to another host, which the allow-list has accepted (V12)."""
    if tokens.api_url and tokens.api_url != grant.api_url:
        audit.record(row.organization_id, "task:renewal", "connection.host_changed", row.pk, host=tokens.api_url)


def _renewed(grant: Grant, tokens: TokenSet, attempt: Attempt) -> Grant:
    """Its end is counted from before the call, by the database's clock: at most a call too early, never late (V22)."""
    lifetime = tokens.lifetime
    return grant.renewed(
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token or grant.refresh_token,  # RFC 6749 section 6: none sent, old one stays (V10)
        api_url=tokens.api_url or grant.api_url,
        scopes=tokens.scopes or grant.scopes,
        expires_at=None if lifetime is None else attempt.started_at + timedelta(seconds=lifetime),
    )


def _adopt(row: Connection, new: Grant) -> None:
    """Make `new` the grant of a locked row: seal, bump, mend, audit."""
    grants.store(row, new)
    states.mend(row)
    token = grants.fingerprint(new.access_token)
    facts: dict[str, Any] = {"generation": row.generation, "fence": row.generation, "token": token}
    audit.record(row.organization_id, "task:renewal", "token.renewed", row.pk, **facts)


def _weigh_late_answer(attempt: Attempt, tokens: TokenSet) -> None:
    """The grant has moved on while this answer was on its way.

    Replaced by a new sign-in, or ended: the late tokens are revoked (V14). Renewed or given up by someone else
    meanwhile (V6, V7): whichever token set still works is kept; revoking the other could end the family of both."""
    row = Connection.objects.get(pk=attempt.connection_id)
    grant = grants.load_if_any(row)
    if grant is None or grant.id != attempt.grant_id:
        _revoke_late(row, grant, tokens, attempt)
    elif not (row.state in states.USABLE and dialects.works(grant, row.provider)):
        candidate = _renewed(grant, tokens, attempt)
        if dialects.works(candidate, row.provider):
            _adopt_candidate(row, candidate)
    close(attempt, REPLACED)


def _adopt_candidate(seen: Connection, candidate: Grant) -> None:
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=seen.pk)
        if row.generation == seen.generation and row.state in (*states.USABLE, State.NEEDS_RECONNECT):
            _adopt(row, candidate)
            epochs.bump("connection", row.pk)


def _revoke_late(row: Connection, current: Grant | None, tokens: TokenSet, attempt: Attempt) -> None:
    late = _renewed(current, tokens, attempt).renewed(id=uuid4()) if current else _grant_at(row, tokens)
    with transaction.atomic():
        revocation.discard(row, late)


def _grant_at(row: Connection, tokens: TokenSet) -> Grant:
    """Nothing is connected any more that would say where this grant ends."""
    return dialects.grant_from(tokens, dialects.server_at(row.provider, row.login_url), "")
