"""Unsealed access tokens, in RAM only, 300 seconds at most, each with an audit row written first (docs/vault.md 7)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from organizations import audit, epochs
from organizations.ramcache import RamCache
from providers.base import Access, Secret
from vault import grants
from vault.grants import Grant
from vault.models import Connection

LEASE_SECONDS = 300.0
_USED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Lease:
    """Leave to use one access token for one purpose."""

    access: Access
    page_url: str  # origin of the provider's own pages, for links
    generation: int
    organization_id: UUID
    member_id: UUID


#: Keyed by (connection, purpose), so that the audit log has a row for each purpose.
_leases: RamCache[tuple[UUID, str], Lease] = RamCache(maxsize=10_000, ttl=LEASE_SECONDS)
_leases.forget_on("connection", lambda key, _: key[0])
_leases.forget_on("member", lambda _, lease: lease.member_id)
_leases.forget_on("organization", lambda _, lease: lease.organization_id)


def held(connection_id: UUID, purpose: str, rejected: Secret | None) -> Lease | None:
    """The lease this process still holds, unless it is for the token that the provider just refused. No query.

    None, too, while this process would not hear of a revocation: then the database is asked, or nobody (I7)."""
    lease = _leases.get((connection_id, purpose)) if epochs.is_fresh() else None
    if lease is None or (rejected is not None and grants.same(lease.access.token, rejected)):
        return None
    return lease


def drop_token(connection_id: UUID, token: Secret) -> None:
    """Forget this process' leases of one refused token; those of its successor stay."""
    _leases.drop(lambda key, lease: key[0] == connection_id and grants.same(lease.access.token, token))


def write(connection: Connection, grant: Grant, purpose: str) -> Lease:
    """Record the lease, then hand it out; what cannot be recorded is not handed out (V21)."""
    with transaction.atomic():
        note_use(connection.pk, purpose)  # before the audit: everywhere a connection's row is locked first
        audit.record(
            connection.organization_id,
            f"member:{connection.member_id}",
            "token.leased",
            connection.pk,
            purpose=purpose,
            generation=connection.generation,
            token=grants.fingerprint(grant.access_token),
        )
    access = Access(grant.access_token, grant.api_url)
    return Lease(access, grant.page_url, connection.generation, connection.organization_id, connection.member_id)


def take(connection_id: UUID, purpose: str, load: Callable[[], Lease]) -> Lease:
    """The held lease, or what `load()` returns, kept unless a revocation came in between."""
    return _leases.get_or_load((connection_id, purpose), load) if epochs.is_fresh() else load()


def note_use(connection_id: UUID, purpose: str) -> None:
    """At most one write a minute and connection: this is for people's eyes (last use), not for the audit."""
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=Now() - _USED_EVERY) | ~Q(last_used_for=purpose)
    Connection.objects.filter(stale, pk=connection_id).update(last_used_at=Now(), last_used_for=purpose)


#: Connections whose last success this process has written down within the last minute.
_noted: RamCache[UUID, bool] = RamCache(maxsize=10_000, ttl=_USED_EVERY.total_seconds())


def note_success(connection_id: UUID) -> None:
    """The provider has just answered this connection: what people see as "last proven to work"."""
    _noted.get_or_load(connection_id, lambda: _write_success(connection_id))


def _write_success(connection_id: UUID) -> bool:
    Connection.objects.filter(pk=connection_id).update(last_success_at=Now())
    return True
