"""Keeps what a person may see and do (describe), compressed, one row per connection (C24). Never a record."""

import zlib
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from organizations import epochs
from organizations.ramcache import RamCache
from providers.salesforce.access import ObjectAccess as Seen
from providers.salesforce.access import ObjectRights
from vault.models import Connection, ObjectAccess
from vault.states import USABLE

#: What is older is fetched again by the next look-up; the daily task is usually there first.
LASTS = timedelta(hours=26)

_recent: RamCache[UUID, Seen] = RamCache(maxsize=500, ttl=300)
_recent.forget_on("connection", lambda connection_id, _: connection_id)


def save(connection_id: UUID, seen: Seen) -> None:
    """Keep what was fetched anew, unless the connection has been ended meanwhile.

    Where it is not what we had, cards go too: a field hidden in Salesforce must not stay visible in them."""
    with transaction.atomic():
        if not _lock(connection_id):
            return
        row = ObjectAccess.objects.filter(connection_id=connection_id).first()
        packed = _packed(seen)
        ObjectAccess.objects.update_or_create(
            connection_id=connection_id, defaults={"objects_json": packed, "fetched_at": Now()}
        )
        if row is not None and _unpacked(row.objects_json) != _unpacked(packed):
            epochs.bump("connection", connection_id)
            epochs.bump("cards", connection_id)
    _recent.drop(lambda name, _: name == connection_id)


def add(connection_id: UUID, rights: ObjectRights) -> None:
    """One more object, which does not make the others any younger: the daily refresh stays due."""
    with transaction.atomic():
        row = ObjectAccess.objects.filter(connection_id=connection_id).first() if _lock(connection_id) else None
        kept = _unpacked(row.objects_json) if row else None
        if row is not None and kept is not None:
            row.objects_json = _packed(kept.with_object(rights))
            row.save(update_fields=["objects_json"])
    _recent.drop(lambda name, _: name == connection_id)


def _lock(connection_id: UUID) -> bool:
    """False where the connection has been ended."""
    usable = Connection.objects.select_for_update().filter(pk=connection_id, state__in=USABLE)
    return usable.first() is not None


def _packed(seen: Seen) -> bytes:
    return zlib.compress(seen.to_json().encode(), 6)


def _unpacked(packed: bytes | memoryview) -> Seen | None:
    """None for what an earlier version of the product wrote."""
    try:
        return Seen.from_json(zlib.decompress(bytes(packed)))
    except (ValueError, zlib.error):
        return None


def load(connection_id: UUID) -> Seen | None:
    """None when there is none, it is too old, or an earlier version of the product wrote it."""
    try:
        return _recent.get_or_load(connection_id, lambda: _read(connection_id))
    except LookupError:
        return None


def _read(connection_id: UUID) -> Seen:
    row = ObjectAccess.objects.filter(connection_id=connection_id, fetched_at__gt=Now() - LASTS).first()
    seen = _unpacked(row.objects_json) if row else None
    if seen is None:
        raise LookupError
    return seen


class Store:
    """providers.salesforce.access.AccessStore for one connection."""

    def __init__(self, connection_id: UUID) -> None:
        self._connection_id = connection_id

    def load(self) -> Seen | None:
        return load(self._connection_id)

    def save(self, access: Seen) -> None:
        save(self._connection_id, access)

    def add(self, rights: ObjectRights) -> None:
        add(self._connection_id, rights)
