"""Unsealed access tokens, in RAM only, 300 seconds at most, each with an audit row written first (docs/vault.md 7)."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from math import inf
from uuid import UUID

from django.db import DatabaseError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from organizations import audit, epochs
from organizations.ramcache import RamCache
from providers.base import Access, Secret
from vault import grants, proof, purposes
from vault.errors import OwnTrouble
from vault.grants import Grant
from vault.models import Connection

log = logging.getLogger("sidebar.vault")

LEASE_SECONDS = 300.0
#: Seconds for which leases that are held stay good once another could not be recorded (V21).
GRACE = 5.0
#: What PostgreSQL says when it takes no row: disk full, read-only, no right to insert, a failing disk.
_TAKES_NO_ROW = frozenset({"53100", "25006", "42501", "58030"})
_unrecorded_since: float | None = None
_USED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Lease:
    """Leave to use one access token for one purpose."""

    access: Access
    page_url: str  # origin of the provider's own pages, for links
    generation: int
    organization_id: UUID
    member_id: UUID
    good_until: float = inf  # by this process' own clock that nobody can set (time.monotonic)


#: Keyed by (connection, purpose), so that the audit log has a row for each purpose.
_leases: RamCache[tuple[UUID, str], Lease] = RamCache(maxsize=10_000, ttl=LEASE_SECONDS)
_leases.forget_on("connection", lambda key, _: key[0])
_leases.forget_on("member", lambda _, lease: lease.member_id)
_leases.forget_on("organization", lambda _, lease: lease.organization_id)


def held(connection_id: UUID, purpose: str, rejected: Secret | None) -> Lease | None:
    """The lease this process still holds, unless it is for the token that the provider just refused. No query.

    None, too, while this process would not hear of a revocation: then the database is asked, or nobody (I7)."""
    lease = _unexpired((connection_id, purpose)) if _may_hold() else None
    if lease is None or (rejected is not None and grants.same(lease.access.token, rejected)):
        return None
    return lease


def _unexpired(key: tuple[UUID, str]) -> Lease | None:
    """A lease never outlives its token."""
    lease = _leases.get(key)
    if lease is None or time.monotonic() < lease.good_until:
        return lease
    _leases.drop(lambda _, each: each is lease)
    return None


def _may_hold() -> bool:
    """Not where we would not hear of a revocation, nor once the audit log has taken no row for GRACE seconds (V21)."""
    return epochs.is_prompt() and (_unrecorded_since is None or time.monotonic() - _unrecorded_since < GRACE)


def drop_token(connection_id: UUID, token: Secret) -> None:
    """Forget this process' leases of one refused token; those of its successor stay."""
    _leases.drop(lambda key, lease: key[0] == connection_id and grants.same(lease.access.token, token))


def forget(connection_id: UUID, purpose: str) -> None:
    """Whoever asks next reads what is stored."""
    _leases.drop(lambda key, _: key == (connection_id, purpose))


def write(connection: Connection, grant: Grant, purpose: str, seconds_left: float = inf) -> Lease:
    """Record the lease, then hand it out; what cannot be recorded is not handed out (V21). Raises OwnTrouble."""
    good_until = time.monotonic() + seconds_left
    with _recording(connection), transaction.atomic():
        note_use(connection.pk, purpose)  # before the audit: everywhere a connection's row is locked first
        audit.record(
            connection.organization_id,
            purposes.actor(purpose) or f"member:{connection.member_id}",
            "token.leased",
            connection.pk,
            purpose=purpose,
            generation=connection.generation,
            token=grants.fingerprint(grant.access_token),
        )
    access = Access(grant.access_token, grant.api_url)
    whose = (connection.organization_id, connection.member_id)
    return Lease(access, grant.page_url, connection.generation, *whose, good_until)


@contextmanager
def _recording(connection: Connection) -> Iterator[None]:
    """Notes whether the database still takes rows. One that is away altogether is the epoch poll's business."""
    global _unrecorded_since
    try:
        yield
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", None) not in _TAKES_NO_ROW:
            raise
        _unrecorded_since = _unrecorded_since or time.monotonic()
    else:
        _unrecorded_since = None
        return
    log.error("the audit log takes no entry, so no token is handed out")
    text = "Our audit log takes no entry just now, so nothing is done in your name."
    raise OwnTrouble(text, provider=connection.provider, retry_after=10.0)


def take(connection_id: UUID, purpose: str, load: Callable[[], Lease]) -> Lease:
    """The held lease, or what `load()` returns, kept unless a revocation came in between. Waits for nobody: who has
    several callers at once sees to it (tokens.py)."""
    key = (connection_id, purpose)
    if not _may_hold():
        return load()
    return _unexpired(key) or _leases.load(key, load)


def note_use(connection_id: UUID, purpose: str) -> None:
    """At most one write a minute and connection: this is for people's eyes (last use), not for the audit."""
    if not purposes.is_use(purpose):
        return
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=Now() - _USED_EVERY) | ~Q(last_used_for=purpose)
    Connection.objects.filter(stale, pk=connection_id).update(last_used_at=Now(), last_used_for=purpose)


#: Connections whose last success this process has written down within the last minute.
_noted: RamCache[UUID, bool] = RamCache(maxsize=10_000, ttl=_USED_EVERY.total_seconds())
_noted.forget_on("connection", lambda key, _: key)


def note_success(connection_id: UUID) -> None:
    """The provider has just answered this connection: what people see as "last proven to work"."""
    _noted.get_or_load(connection_id, lambda: _write_success(connection_id))


def _write_success(connection_id: UUID) -> bool:
    proof.note(connection_id)
    return True
