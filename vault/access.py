"""Keeps what a person may see and do (describe), compressed, one row per connection (C24). Never a record."""

import zlib
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from organizations.ramcache import RamCache
from providers.salesforce.access import ObjectAccess as Seen
from vault.models import Connection, ObjectAccess
from vault.states import USABLE

#: What is older is fetched again by the next look-up; the daily task is usually there first.
LASTS = timedelta(hours=26)

_recent: RamCache[UUID, Seen] = RamCache(maxsize=500, ttl=300)
_recent.forget_on("connection", lambda connection_id, _: connection_id)


def save(connection_id: UUID, seen: Seen) -> None:
    """Keep it, unless the connection has been ended meanwhile."""
    packed = zlib.compress(seen.to_json().encode(), 6)
    with transaction.atomic():
        if not Connection.objects.select_for_update().filter(pk=connection_id, state__in=USABLE).exists():
            return
        ObjectAccess.objects.update_or_create(
            connection_id=connection_id, defaults={"objects_json": packed, "fetched_at": Now()}
        )
    _recent.drop(lambda name, _: name == connection_id)


def load(connection_id: UUID) -> Seen | None:
    """None when there is none, it is too old, or an earlier version of the product wrote it."""
    try:
        return _recent.get_or_load(connection_id, lambda: _read(connection_id))
    except (ObjectAccess.DoesNotExist, ValueError, zlib.error):
        return None


def _read(connection_id: UUID) -> Seen:
    row = ObjectAccess.objects.get(connection_id=connection_id, fetched_at__gt=Now() - LASTS)
    return Seen.from_json(zlib.decompress(bytes(row.objects_json)))


class Store:
    """providers.salesforce.access.AccessStore for one connection."""

    def __init__(self, connection_id: UUID) -> None:
        self._connection_id = connection_id

    def load(self) -> Seen | None:
        return load(self._connection_id)

    def save(self, access: Seen) -> None:
        save(self._connection_id, access)
