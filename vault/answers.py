"""The provider's raw answers to refreshes: sealed and committed first, understood afterwards (docs/vault.md 6).

What becomes of one is decided in settling.py. Never logs an answer."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from organizations import audit, epochs
from organizations.ramcache import RamCache
from providers.base import Secret, TokenSet
from providers.errors import HostNotAllowed, Transient
from vault import cipher, clock, dialects, frames, grants, incidents, keys, patience, sealing, spool, states
from vault.cipher import Place, SealingKey
from vault.errors import KeyGone, OwnTrouble, TokenTampered
from vault.grants import Grant
from vault.models import Attempt, Connection

log = logging.getLogger("sidebar.vault")

# Outcomes of an attempt. UNKNOWN: sent, and no answer ever arrived. RESTORED: stands for the attempts that a restored
# database has forgotten (suspicion.py).
RENEWED, REFUSED, FAILED, UNKNOWN, RESTORED = "renewed", "refused", "failed", "unknown", "restored"
UNUSABLE, QUARANTINED, REPLACED, TAMPERED = "unusable", "quarantined", "replaced", "tampered"
FOREIGN = "foreign"  # was quarantined, and is a stranger's (quarantine.py)
#: How long an answer is held in memory while the database does not take it. A lease lasts longer (renewal.py).
PATIENCE = 30.0
#: How long one may wait on a disk: until then its key stays (rotation.py), and afterwards it is deleted unread.
SPOOLED = timedelta(days=7)
_LONGEST_SCOPE = 120
#: Answers on disk of which the database has just known nothing: asked about once a minute, not at each access.
_unknown: RamCache[UUID, bool] = RamCache(maxsize=10_000, ttl=60.0)


def _place(connection: Connection, attempt: Attempt) -> Place:
    return Place(
        organization_id=connection.organization_id,
        table="vault_attempt",
        row_id=attempt.id,
        column="sealed_answer",
        provider=connection.provider,
        generation=attempt.generation,
        owner=str(connection.pk),
    )


@sealing.column(Attempt, "sealed_answer")
def place_of(attempt: Attempt) -> Place:
    return _place(attempt.connection, attempt)


def sealer(connection: Connection, attempt: Attempt, key: SealingKey | None = None) -> Callable[[bytes], bytes]:
    """A function that seals this attempt's answer without needing the key store any more. `key`: opened before."""
    opened, place = key or keys.primary_key(connection.organization_id), _place(connection, attempt)
    return frames.emptied(lambda body: cipher.seal(body, place, opened))


def keep(attempt_id: UUID, blob: bytes) -> None:
    """Commit a sealed answer: within 30 s, however long the database would take, or to the spool (V5); within two
    where this process is to end. What the database takes afterwards all the same is that very answer.

    Raises Transient after spooling."""
    if patience.is_written(lambda: _commit(attempt_id, blob), PATIENCE):
        return
    try:
        spool.write(attempt_id, blob)
    except OSError as error:
        log.error("the answer of attempt %s could not be kept on disk either: %s", attempt_id, type(error).__name__)
    raise Transient("Our database does not answer.", retry_after=10.0)


def _commit(attempt_id: UUID, blob: bytes) -> None:
    """Also where the attempt was given up meanwhile: a slow holder's answer is still an answer (V6). Not where it is
    settled: another process of this host may have imported the same file."""
    unsettled = Attempt.objects.filter(pk=attempt_id, outcome__in=("", UNKNOWN))
    unsettled.update(sealed_answer=blob, ended_at=None, outcome="")


def import_spool() -> int:
    """Take over what an outage left on disk; returns how many answers. One that is too old may have lost its key.

    One of which this database knows nothing (it is another one, or an older backup) stays as long: who sets that right
    finds it again."""
    return sum(_take_over(*each) for each in spool.waiting() if not _unknown.get(each[0]))


def _take_over(attempt_id: UUID, blob: bytes) -> bool:
    began = Attempt.objects.filter(pk=attempt_id).values_list("started_at", flat=True).first()
    since = began or spool.written_at(attempt_id)
    if since is None:
        return False  # taken over by another process of this host
    is_too_old = since < clock.now() - SPOOLED
    if began is None and not is_too_old:
        _unknown.get_or_load(attempt_id, lambda: True)
        spool.tell(f"the answer of attempt {attempt_id} waits on a disk, and this database knows no such attempt")
        return False
    if is_too_old:
        log.error("the answer of attempt %s has waited on a disk for too long: deleted", attempt_id)
    else:
        _commit(attempt_id, blob)
    spool.remove(attempt_id)
    return not is_too_old


def close(attempt: Attempt, outcome: str) -> None:
    """Ends the attempt; wipes its answer, unless it is kept for a person to look at."""
    keep_answer = outcome in (QUARANTINED, TAMPERED)
    changes = {} if keep_answer else {"sealed_answer": None}
    Attempt.objects.filter(pk=attempt.pk).update(outcome=outcome, ended_at=Now(), **changes)


def wipe(attempt: Attempt) -> None:
    Attempt.objects.filter(pk=attempt.pk).update(sealed_answer=None)


def remnant(attempt: Attempt) -> TokenSet:
    """Refresh token and person of an answer that was kept apart, for ending it only. Raises TokenTampered, KeyGone."""
    return dialects.remnant_of(_opened(attempt), attempt.connection.provider)


def understand(attempt: Attempt) -> TokenSet | None:
    """None where there is nothing to be used in it, and the grant is another by now."""
    provider = attempt.connection.provider
    try:
        return dialects.tokens_in(_opened(attempt), provider)
    except (TokenTampered, KeyGone) as error:
        log.error("the kept answer of attempt %s does not open: %s", attempt.pk, type(error).__name__)
        reason = f"What {dialects.label(provider)} answered does not open any more. An administrator has been told."
        _give_up(attempt, TAMPERED, reason, incidents.TAMPERED)
    except HostNotAllowed:  # V12
        reason = f"{dialects.label(provider)} named a host that is not allowed. An administrator has been told."
        _give_up(attempt, QUARANTINED, reason, incidents.QUARANTINED, "host_not_allowed")
    except OwnTrouble:  # it stays for the next look
        raise
    except Transient as error:
        _note_nonsense(attempt, error)
        raise
    return None


def _opened(attempt: Attempt) -> Secret:
    return Secret(sealing.unseal(bytes(attempt.sealed_answer or b""), _place(attempt.connection, attempt)).decode())


def quarantine(attempt: Attempt) -> None:
    """V11: kept for a person to look at, never used."""
    named = dialects.label(attempt.connection.provider)
    reason = f"{named} answered for another person or host. An administrator has been told."
    _give_up(attempt, QUARANTINED, reason, incidents.QUARANTINED)


def _give_up(attempt: Attempt, outcome: str, reason: str, kind: str, cause: str = "") -> None:
    """An answer of no use: it may have cost us the refresh token, so the attempt and the connection end in one commit.

    Raises NeedsReconnect after it. Returns where the grant is another by now; the incident is recorded all the same."""
    with transaction.atomic():
        row = lock(attempt)
        if row is None:
            return
        at = (row.pk, attempt.generation)
        verdict = states.condemn(*at, reason, cause=cause, result=outcome, incident=kind, attempt=attempt.pk)
        if verdict is None:
            incidents.record(kind, row.organization_id, row)
        close(attempt, outcome)
    if verdict is not None:
        raise verdict


def lock(attempt: Attempt) -> Connection | None:
    """The attempt's connection under its row lock; None where another process has settled the answer, or destroyed
    it."""
    row = Connection.objects.select_for_update().filter(pk=attempt.connection_id).first()
    pending = Attempt.objects.filter(pk=attempt.pk, ended_at__isnull=True, sealed_answer__isnull=False)
    return row if pending.exists() else None


def _note_nonsense(attempt: Attempt, error: Transient) -> None:
    """A page of a gateway, say: the provider behind it may have rotated, so where re-use is punished it counts like no
    answer at all (V9)."""
    error.outcome_unknown = not dialects.of(attempt.connection.provider).sends_unknown_again
    with transaction.atomic():
        at = (attempt.connection_id, attempt.generation)
        states.degrade(*at, str(error), may_be_lost=error.outcome_unknown, attempt=attempt.pk)
        close(attempt, UNKNOWN if error.outcome_unknown else UNUSABLE)


def adopt_if_current(attempt: Attempt, tokens: TokenSet) -> str:
    """One transaction, under the row lock: the generation decides whether this answer is still awaited."""
    with transaction.atomic():
        row = lock(attempt)
        if row is None:
            return RENEWED
        if row.generation != attempt.generation or row.state not in states.USABLE:
            return REPLACED
        grant = grants.load(row)
        if not is_same_person(tokens, grant, row.provider):
            return QUARANTINED
        if not tokens.access_token:
            _keep_refresh_token(row, renewed(grant, tokens, attempt), attempt)
            close(attempt, UNUSABLE)
            return UNUSABLE
        adopt(row, grant, renewed(grant, tokens, attempt), attempt)
        close(attempt, RENEWED)
        return RENEWED


def _keep_refresh_token(row: Connection, new: Grant, attempt: Attempt) -> None:
    """All else in the answer was of no use, but the old one may be used up: the new one is what comes next (I2, I3)."""
    grants.store(row, new)
    facts: dict[str, Any] = {"generation": row.generation, "fence": row.generation, "attempt": str(attempt.pk)}
    audit.record(row.organization_id, "task:renewal", "token.rotated", row.pk, UNUSABLE, **facts)
    states.degrade(row.pk, row.generation, str(unusable(row.provider)), attempt=attempt.pk)


def unusable(provider: str) -> Transient:
    return Transient(f"{dialects.label(provider)}'s token endpoint gave no usable answer.", provider=provider)


def is_same_person(tokens: TokenSet, grant: Grant, provider: str) -> bool:
    return not tokens.identity or dialects.is_same_person(tokens.identity, grant.identity, provider)


def renewed(grant: Grant, tokens: TokenSet, attempt: Attempt) -> Grant:
    """Its end is counted from before the call, by the database's clock: at most a call too early, never late (V22).
    Without a new access token all that is said of the old one stays."""
    if not tokens.access_token:
        return grant.renewed(refresh_token=tokens.refresh_token)
    lifetime = tokens.lifetime
    return grant.renewed(
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token or grant.refresh_token,  # RFC 6749 section 6: none sent, old one stays (V10)
        api_url=tokens.api_url or grant.api_url,
        scopes=tokens.scopes or grant.scopes,
        expires_at=None if lifetime is None else attempt.started_at + timedelta(seconds=lifetime),
    )


def adopt(row: Connection, old: Grant, new: Grant, attempt: Attempt) -> None:
    """Make `new` the grant of a locked row: seal, bump, mend, audit; also other scopes, and a move to another host,
    which the allow-list has accepted (V12)."""
    grants.store(row, new)
    states.renewed(row)
    if new.scopes != old.scopes:
        _note_scopes(row, new)
    if new.api_url != old.api_url:
        audit.record(row.organization_id, "task:renewal", "connection.host_changed", row.pk, host=new.api_url)
    token = grants.fingerprint(new.access_token)
    facts: dict[str, Any] = {"generation": row.generation, "fence": row.generation, "token": token}
    audit.record(row.organization_id, "task:renewal", "token.renewed", row.pk, attempt=str(attempt.pk), **facts)


def _note_scopes(row: Connection, new: Grant) -> None:
    """Features are refused by them (`consent.require`), in every process."""
    row.scopes = [scope[:_LONGEST_SCOPE] for scope in new.scopes]
    row.save(update_fields=["scopes"])
    audit.record(row.organization_id, "task:renewal", "connection.scopes_changed", row.pk, scopes=row.scopes)
    epochs.bump("connection", row.pk)
