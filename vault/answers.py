"""The provider's raw answers to refreshes: sealed and committed first, understood afterwards (docs/vault.md 6).

Whatever crashes in between, the next access settles what was kept. Never logs an answer."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import Error, connections, transaction
from django.db.models.functions import Now

from organizations import audit, epochs
from providers.base import TokenSet
from providers.errors import HostNotAllowed, ProviderError, Transient
from vault import cipher, dialects, grants, incidents, keys, revocation, sealing, spool, states, underway
from vault.cipher import Place
from vault.errors import KeyGone, TokenTampered
from vault.grants import Grant
from vault.models import Attempt, Connection, State

log = logging.getLogger("sidebar.vault")

# Outcomes of an attempt. UNKNOWN: sent, and no answer ever arrived. RESTORED: stands for the attempts that a restored
# database has forgotten (suspicion.py).
RENEWED, REFUSED, FAILED, UNKNOWN, RESTORED = "renewed", "refused", "failed", "unknown", "restored"
UNUSABLE, QUARANTINED, REPLACED, TAMPERED = "unusable", "quarantined", "replaced", "tampered"
#: How long an answer is held in memory while the database does not take it. A lease lasts longer (renewal.py).
PATIENCE = 30.0
#: States in which a late answer may still become the grant of its connection.
_REVIVABLE = (*states.USABLE, State.NEEDS_RECONNECT)
_ROUNDS, _LONGEST_SCOPE = 3, 120


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
    """Commit a sealed answer: at once, or within 30 s, or to the spool (V5), at once where this process is to end.

    Raises Transient after spooling."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            _commit(attempt_id, blob)
        except Error:  # away, full, or read-only
            connections["default"].close()
        else:
            return
        if time.monotonic() > until or underway.renewals.is_closing:
            break
        time.sleep(0.25)
    spool.write(attempt_id, blob)
    raise Transient("Our database does not answer.", retry_after=10.0)


def _commit(attempt_id: UUID, blob: bytes) -> None:
    """Also where the attempt was given up meanwhile: a slow holder's answer is still an answer (V6). Not where it is
    settled: another process of this host may have imported the same file."""
    unsettled = Attempt.objects.filter(pk=attempt_id, outcome__in=("", UNKNOWN))
    unsettled.update(sealed_answer=blob, ended_at=None, outcome="")


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

    Raises NeedsReconnect (quarantined, or does not open), Transient (nonsense with status 200, V9; keys away)."""
    attempt = Attempt.objects.select_related("connection").filter(pk=attempt_id).first()  # None: destroyed meanwhile
    if attempt is None or attempt.sealed_answer is None or attempt.ended_at is not None:
        return
    _open_keys(attempt.connection)
    tokens = _understand(attempt)
    if tokens is None:
        return
    verdict = _adopt_if_current(attempt, tokens)
    if verdict == QUARANTINED:
        _quarantine(attempt)
    if verdict == REPLACED:
        _weigh_late_answer(attempt, tokens)


def _open_keys(row: Connection) -> None:
    """Now, since a key service is asked over HTTP. A grant that does not open is no reason not to end a late one."""
    with suppress(TokenTampered, KeyGone):
        grants.open_keys(row.pk)
    keys.primary_key(row.organization_id)


def _understand(attempt: Attempt) -> TokenSet | None:
    """None where there is nothing to be used in it, and the grant is another by now."""
    provider = attempt.connection.provider
    try:
        body = sealing.unseal(bytes(attempt.sealed_answer or b""), _place(attempt.connection, attempt))
        return dialects.tokens_in(body, provider)
    except (TokenTampered, KeyGone) as error:
        log.error("the kept answer of attempt %s does not open: %s", attempt.pk, type(error).__name__)
        reason = f"What {dialects.label(provider)} answered does not open any more. An administrator has been told."
        _give_up(attempt, TAMPERED, reason, incidents.TAMPERED)
    except HostNotAllowed:  # V12
        reason = f"{dialects.label(provider)} named a host that is not allowed. An administrator has been told."
        _give_up(attempt, QUARANTINED, reason, incidents.QUARANTINED, "host_not_allowed")
    except ProviderError as error:
        _note_nonsense(attempt, error)
        raise
    return None


def _quarantine(attempt: Attempt) -> None:
    """V11: kept for a person to look at, never used."""
    named = dialects.label(attempt.connection.provider)
    reason = f"{named} answered for another person or host. An administrator has been told."
    _give_up(attempt, QUARANTINED, reason, incidents.QUARANTINED)


def _give_up(attempt: Attempt, outcome: str, reason: str, kind: str, cause: str = "") -> None:
    """An answer of no use: it may have cost us the refresh token, so the attempt and the connection end in one commit.

    Raises NeedsReconnect after it. Returns where the grant is another by now; the incident is recorded all the same."""
    with transaction.atomic():
        row = _lock(attempt)
        if row is None:
            return
        verdict = states.condemn(row.pk, attempt.generation, reason, cause=cause, result=outcome, incident=kind)
        if verdict is None:
            incidents.record(kind, row.organization_id, row)
        close(attempt, outcome)
    if verdict is not None:
        raise verdict


def _lock(attempt: Attempt) -> Connection | None:
    """The attempt's connection under its row lock; None where another process has settled the answer, or destroyed
    it."""
    row = Connection.objects.select_for_update().filter(pk=attempt.connection_id).first()
    pending = Attempt.objects.filter(pk=attempt.pk, ended_at__isnull=True, sealed_answer__isnull=False)
    return row if pending.exists() else None


def _note_nonsense(attempt: Attempt, error: ProviderError) -> None:
    with transaction.atomic():
        states.degrade(attempt.connection_id, attempt.generation, str(error))
        close(attempt, UNUSABLE)


def _adopt_if_current(attempt: Attempt, tokens: TokenSet) -> str:
    """One transaction, under the row lock: the generation decides whether this answer is still awaited."""
    with transaction.atomic():
        row = _lock(attempt)
        if row is None:
            return RENEWED
        if row.generation != attempt.generation or row.state not in states.USABLE:
            return REPLACED
        grant = grants.load(row)
        if not _is_same_person(tokens, grant, row.provider):
            return QUARANTINED
        _adopt(row, grant, _renewed(grant, tokens, attempt))
        close(attempt, RENEWED)
        return RENEWED


def _is_same_person(tokens: TokenSet, grant: Grant, provider: str) -> bool:
    return not tokens.identity or dialects.is_same_person(tokens.identity, grant.identity, provider)


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


def _adopt(row: Connection, old: Grant, new: Grant) -> None:
    """Make `new` the grant of a locked row: seal, bump, mend, audit; also a move to another host, which the allow-list
    has accepted (V12)."""
    grants.store(row, new)
    if new.scopes != old.scopes:
        row.scopes = [scope[:_LONGEST_SCOPE] for scope in new.scopes]
        row.save(update_fields=["scopes"])
    states.mend(row)
    if new.api_url != old.api_url:
        audit.record(row.organization_id, "task:renewal", "connection.host_changed", row.pk, host=new.api_url)
    token = grants.fingerprint(new.access_token)
    facts: dict[str, Any] = {"generation": row.generation, "fence": row.generation, "token": token}
    audit.record(row.organization_id, "task:renewal", "token.renewed", row.pk, **facts)


def _weigh_late_answer(attempt: Attempt, tokens: TokenSet) -> None:
    """The grant has moved on while this answer was on its way, and may do so again while we ask: then anew.

    Who changes it all the time is asked at the next access, for the answer stays."""
    for _ in range(_ROUNDS):
        if _weigh(attempt, tokens):
            return


def _weigh(attempt: Attempt, tokens: TokenSet) -> bool:
    """Replaced by a new sign-in, or ended: the late tokens are revoked (V14). Renewed or given up by someone else
    meanwhile (V6, V7): whichever token set still works is kept; revoking the other could end the family of both.

    False where the grant has moved on meanwhile."""
    row = Connection.objects.filter(pk=attempt.connection_id).first()
    if row is None:
        return True
    grant = grants.load_if_any(row)
    if grant is not None and not _is_same_person(tokens, grant, row.provider):
        _quarantine(attempt)
        return True
    if grant is None or grant.id != attempt.grant_id or row.state not in _REVIVABLE:
        _revoke_late(attempt, _late(row, grant, tokens))
        return True
    candidate = _renewed(grant, tokens, attempt)
    is_needed = not (row.state in states.USABLE and dialects.works(grant, row.provider))
    found = candidate if is_needed and dialects.works(candidate, row.provider) else None
    return _close_late(attempt, row, grant, found)


def _close_late(attempt: Attempt, seen: Connection, grant: Grant, candidate: Grant | None) -> bool:
    """Adopt the candidate, if there is one, unless the connection is not what it was when we looked."""
    with transaction.atomic():
        row = _lock(attempt)
        if row is None:
            return True
        if row.generation != seen.generation or row.state not in _REVIVABLE:
            return False
        if candidate is not None:
            _adopt(row, grant, candidate)
            epochs.bump("connection", row.pk)
        close(attempt, REPLACED)
        return True


def _revoke_late(attempt: Attempt, late: Grant) -> None:
    with transaction.atomic():
        row = _lock(attempt)
        if row is not None:
            revocation.discard(row, late)
            close(attempt, REPLACED)


def _late(row: Connection, current: Grant | None, tokens: TokenSet) -> Grant:
    """What is to be revoked: never a token of the grant that is there now. May call, for where an ended one lives."""
    if current is None:
        return dialects.grant_from(tokens, dialects.server_at(row.provider, row.login_url), "")
    return current.renewed(id=uuid4(), access_token=tokens.access_token, refresh_token=tokens.refresh_token)
