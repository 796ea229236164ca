"""Settles the answers that were kept: makes each its connection's grant, or says why not (docs/vault.md 6).

Whatever crashed in between, the next access does it. One that comes late is weighed: what works is kept, what nobody
wants any more is revoked."""

from collections.abc import Callable
from contextlib import suppress
from uuid import UUID, uuid4

from django.db import transaction

from organizations import epochs
from providers.base import Secret, TokenSet
from vault import answers, clock, dialects, grants, keys, quarantine, revocation, states
from vault.errors import KeyGone, TokenTampered
from vault.grants import Grant
from vault.models import Attempt, Connection, State

#: States in which a late answer may still become the grant of its connection.
_REVIVABLE = (*states.USABLE, State.NEEDS_RECONNECT)
_ROUNDS = 3
#: What becomes of late tokens, done to the locked row of their connection.
Verdict = Callable[[Connection], object]


def settle_pending(connection_id: UUID) -> None:
    """Settle every answer of this connection that was kept but not yet understood, the newest first: the others are
    measured by what it brings."""
    answers.import_spool()
    pending = Attempt.objects.filter(connection_id=connection_id, ended_at__isnull=True, sealed_answer__isnull=False)
    for attempt_id in pending.order_by("-started_at").values_list("id", flat=True):
        settle(attempt_id)


def settle(attempt_id: UUID) -> None:
    """Understand a kept answer and make it the connection's grant, or say why not.

    Raises NeedsReconnect (quarantined, or does not open), Transient (nonsense with status 200, V9; keys away)."""
    attempt = Attempt.objects.select_related("connection").filter(pk=attempt_id).first()  # None: destroyed meanwhile
    if attempt is None or attempt.sealed_answer is None or attempt.ended_at is not None:
        return
    _open_keys(attempt.connection)
    tokens = answers.understand(attempt)
    if tokens is None:
        _release_if_over(attempt)
        return
    verdict = answers.adopt_if_current(attempt, tokens)
    if verdict == answers.QUARANTINED:
        answers.quarantine(attempt)
    if verdict == answers.UNUSABLE:
        raise answers.unusable(attempt.connection.provider)
    if verdict == answers.REPLACED:
        _weigh_late_answer(attempt, tokens)


def _open_keys(row: Connection) -> None:
    """Now, since a key service is asked over HTTP. A grant that does not open is no reason not to end a late one."""
    with suppress(TokenTampered, KeyGone):
        grants.open_keys(row.pk)
    keys.primary_key(row.organization_id)


def _weigh_late_answer(attempt: Attempt, tokens: TokenSet) -> None:
    """The grant has moved on while this answer was on its way, and may do so again while we ask: then anew.

    Who changes it all the time is asked at the next access, for the answer stays."""
    for _ in range(_ROUNDS):
        if _weigh(attempt, tokens):
            return


def _weigh(attempt: Attempt, tokens: TokenSet) -> bool:
    """Replaced by a new sign-in, or ended: the late tokens are revoked (V14). Renewed or given up by someone else
    meanwhile (V6, V7): whichever token set still works is kept.

    False where the grant has moved on meanwhile."""
    row = Connection.objects.filter(pk=attempt.connection_id).first()
    if row is None:
        return True
    grant = grants.load_if_any(row)
    if grant is not None and not answers.is_same_person(tokens, grant, row.provider):
        answers.quarantine(attempt)
        return True
    if grant is None or grant.id != attempt.grant_id or row.state not in _REVIVABLE:
        _revoke_late(attempt, _late(row, grant, tokens))
        return True
    return _close_late(attempt, row, _what_becomes_of(row, grant, attempt, tokens))


def _what_becomes_of(row: Connection, grant: Grant, attempt: Attempt, tokens: TokenSet) -> Verdict:
    """What to do under the row lock with late tokens of the very grant that is stored. Asks the provider.

    Where the grant may be used, they are of one family with it: wiped only, since revoking them could end that (I6).
    Where it was given up, a refresh token that we do not store may live on there, known to nobody: revoked."""
    is_usable, candidate = row.state in states.USABLE, answers.renewed(grant, tokens, attempt)
    if is_usable and dialects.works(grant, row.provider, row.subject):
        return _wiped
    if dialects.works(candidate, row.provider, row.subject):
        return lambda locked: _adopt_late(locked, grant, candidate, attempt)
    if is_usable or tokens.refresh_token is None or _is_stored(tokens.refresh_token, grant):
        return _wiped
    late = _late(row, grant, tokens)
    return lambda locked: revocation.discard(locked, late)


def _is_stored(token: Secret, grant: Grant) -> bool:
    return grant.refresh_token is not None and grants.same(token, grant.refresh_token)


def _close_late(attempt: Attempt, seen: Connection, then: Verdict) -> bool:
    """Do as was found right, unless the connection is not what it was when we looked."""
    with transaction.atomic():
        row = answers.lock(attempt)
        if row is None:
            return True
        if _has_moved(seen, row):
            return False
        then(row)
        answers.close(attempt, answers.REPLACED)
        return True


def _has_moved(seen: Connection, row: Connection) -> bool:
    """A refusal leaves the generation as it is."""
    was_usable, is_usable = seen.state in states.USABLE, row.state in states.USABLE
    return row.generation != seen.generation or row.state not in _REVIVABLE or was_usable != is_usable


def _wiped(_: Connection) -> None:
    """Closing the attempt is all."""


def _adopt_late(row: Connection, grant: Grant, candidate: Grant, attempt: Attempt) -> None:
    answers.adopt(row, grant, candidate, attempt)
    epochs.bump("connection", row.pk)


def _revoke_late(attempt: Attempt, late: Grant) -> None:
    with transaction.atomic():
        row = answers.lock(attempt)
        if row is not None:
            revocation.discard(row, late)
            answers.close(attempt, answers.REPLACED)


def _release_if_over(attempt: Attempt) -> None:
    """Nothing is kept of a connection that has ended meanwhile: its organization may be on its way out (C37)."""
    if quarantine.over().filter(pk=attempt.pk).exists():
        release(attempt.connection_id)


def release(connection_id: UUID) -> None:
    """Put down for revocation, and wipe, what was kept apart of the same person (V12). Where its connection changes
    meanwhile, the next sweep does it."""
    seen = Connection.objects.get(pk=connection_id)
    _open_keys(seen)
    quarantine.open_keys(connection_id)
    like = grants.load_if_any(seen) or _late(seen, None, TokenSet(Secret(""), None, (), ""))
    with transaction.atomic():
        row = Connection.objects.select_for_update().filter(pk=connection_id).first()
        if row is None or row.generation != seen.generation:
            return
        for late in quarantine.take_out(row, like):
            revocation.discard(row, late)


def _late(row: Connection, current: Grant | None, tokens: TokenSet) -> Grant:
    """What is to be revoked: never a token of the grant that is there now. May call, for where an ended one lives."""
    if current is None:
        return dialects.grant_from(tokens, dialects.server_at(row.provider, row.login_url), "", clock.now())
    return current.renewed(id=uuid4(), access_token=tokens.access_token, refresh_token=tokens.refresh_token)
