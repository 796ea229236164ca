"""Online rotation of keys (docs/vault.md 4): in batches, resumable after a kill at any row, by several at once.

Every step leaves what is stored openable: a key goes only when nothing names it. Calls no provider."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.db import connection, transaction
from django.db.models import BinaryField, F, Func, Min, Q, QuerySet
from django.db.models.functions import Now

from organizations import audit
from organizations.models import Organization
from vault import (
    answers,
    cipher,
    days,
    frames,
    grants,
    holders,
    kek,
    keys,
    pending,
    registrations,
    revocation,
    suspicion,
)
from vault.errors import TokenTampered
from vault.models import Attempt, DataKey
from vault.routers import KEY_STORE
from vault.sealing import COLUMNS, Column

log = logging.getLogger("sidebar.vault")
T = TypeVar("T")
Progress = Callable[[str, int], None]

#: They declare the columns that are sealed.
SEALING = (answers, days, grants, pending, registrations, revocation)
#: Longer than any process keeps an opened key, so that none still seals under a key that is about to go.
REST = timedelta(hours=1)
#: A key whose organization is not here is left alone for so long: the sign-in that made it may not have committed yet.
ORPHANED = timedelta(days=1)
#: Rows locked at once: a renewal that meets such a row waits some ten milliseconds.
BATCH = 500
#: Data keys held open at once.
KEYS_AT_ONCE = 500
_ROUNDS = 5  # a row that somebody else has locked is passed over, and met again in the next round


@dataclass(slots=True)
class Resealed:
    done: int = 0
    damaged: set[UUID] = field(default_factory=set)  # rows that do not open: left as they are, and their old key too


def silent(_what: str, _count: int) -> None:
    """No progress is told."""


def drop_orphans() -> int:
    """Delete the keys that a sign-in which came to nothing, or one after a destruction, has left. Returns how many.

    None of them while the database may be another than the one that the key store belongs to, or an older one (V20),
    and none that a sealed value names."""
    if suspicion.is_behind():
        log.warning("the database is behind the key store: keys without an organization are left alone")
        return 0
    old = _stored().filter(created_at__lt=Now() - ORPHANED).exclude(organization_id=keys.INSTANCE)
    gone = set(old.values_list("organization_id", flat=True)) - _here()
    orphans = list(old.filter(organization_id__in=gone).values_list("pk", flat=True))
    free = set(orphans) - set(_still_named(orphans))
    return _stored().filter(pk__in=free).delete()[0]


def _here() -> set[UUID]:
    """Whose keys are to be kept and renewed: the organizations that are not being destroyed, and the installation."""
    return {keys.INSTANCE, *Organization.objects.filter(ending_since=None).values_list("pk", flat=True)}


def rewrap(progress: Progress = silent) -> int:
    """Wrap every data key under the current KEK. Returns how many were not yet.

    Raises KekUnusable, naming processes, before anything is changed unless all of them hold that KEK (V16)."""
    keys.verify_kek()
    target, count = kek.current().current_id(), 0
    holders.require_everywhere(target)
    due = list(_stored().exclude(kek_id=target).values_list("pk", flat=True))
    if due:  # recorded first: what cannot be recorded does not happen
        audit.record(audit.INSTALLATION, "operator", "keys.rewrapped", target, count=len(due))
    for batch in _batches(due, BATCH):
        count += _rewrap_batch(batch, target)
        progress("data keys wrapped anew", count)
    return count


@frames.emptied
def _rewrap_batch(batch: Sequence[UUID], target: str) -> int:
    """A key service is asked before the transaction; what another has done meanwhile is left alone."""
    provider, anew = kek.current(), {}
    for row in _stored().filter(pk__in=batch).exclude(kek_id=target):
        aad = keys.wrapping_aad(row.id, row.organization_id)
        raw = provider.unwrap(bytes(row.wrapped), aad, row.kek_id)
        anew[row.pk] = (row.kek_id, provider.wrap(raw, aad, target))
    with transaction.atomic(using=KEY_STORE):
        locked = _stored().select_for_update(skip_locked=True).filter(pk__in=anew)
        mine = [row for row in locked if row.kek_id == anew[row.pk][0]]
        for row in mine:
            row.wrapped, row.kek_id = anew[row.pk][1], target
        _stored().bulk_update(mine, ["wrapped", "kek_id"])
    return len(mine)


def unused_keks() -> list[str]:
    """Keys of the keyring under which nothing is wrapped any more; they may leave once no backup needs them."""
    used = keys.kek_ids_in_use()
    return [kek_id for kek_id in kek.current().ids()[1:] if kek_id not in used]


def new_data_keys(progress: Progress = silent) -> int:
    """A new primary data key for each organization whose last rotation is over. Returns how many.

    One that still has an old key is in the middle of a rotation, so that a second call carries on with the first."""
    target, count = kek.current().current_id(), 0
    holders.require_everywhere(target)
    unfinished = set(_stored().filter(is_primary=False).values_list("organization_id", flat=True))
    whose = _here() - unfinished
    due = [row for row in _stored().filter(is_primary=True) if row.organization_id in whose]
    for batch in _batches(due, KEYS_AT_ONCE):
        count += _replace(batch, target)
        progress("new data keys", count)
    return count


def _replace(old: Sequence[DataKey], target: str) -> int:
    """Audited first: what cannot be recorded does not happen. The lock decides between two rotators."""
    recorded = [row for row in old if _record(row.organization_id)]
    new = {row.organization_id: keys.new_row(row.organization_id, target) for row in recorded}
    with transaction.atomic(using=KEY_STORE):
        rows = _stored().filter(pk__in=[row.pk for row in recorded], is_primary=True)
        mine = list(rows.select_for_update(skip_locked=True).values_list("pk", "organization_id"))
        _stored().filter(pk__in=[pk for pk, _ in mine]).update(is_primary=False)
        _stored().bulk_create([new[organization_id] for _, organization_id in mine])
    keys.forget_all()
    return len(mine)


def _record(organization_id: UUID) -> bool:
    """False where the organization was destroyed a moment ago: the others' rotation goes on."""
    try:
        audit.record(organization_id, "operator", "keys.rotated")
    except audit.OrganizationGone:
        return False
    return True


def reseal(progress: Progress = silent) -> Resealed:
    """Seal anew, under its organization's primary key, every value that names an older one."""
    result = Resealed()
    for batch in _batches(list(_stored().filter(is_primary=False)), KEYS_AT_ONCE):
        ring = _Ring(batch)
        for column in COLUMNS:
            for _ in range(_ROUNDS):
                due = [pk for pk in ring.due(column) if pk not in result.damaged]
                for some in _batches(due, BATCH):
                    ring.reseal(column, some, result)
                    progress("values sealed anew", result.done)
    return result


class _Ring:
    """Some old data keys, opened, with the primary keys that follow them."""

    def __init__(self, old: Sequence[DataKey]) -> None:
        self._old = {row.id: keys.opened(row) for row in old}
        primaries = _stored().filter(is_primary=True, organization_id__in={row.organization_id for row in old})
        self._new = {row.organization_id: keys.opened(row) for row in primaries}

    def due(self, column: Column) -> list[UUID]:
        """The rows whose value names one of the old keys."""
        return list(_naming(column, list(self._old)).values_list("pk", flat=True))

    def reseal(self, column: Column, pks: Sequence[UUID], result: Resealed) -> None:
        """Under the rows' own locks: a renewal at the same moment comes before or after, and its generation stands."""
        with transaction.atomic():
            anew = {}
            for row in _locked(column, pks, list(self._old)):
                try:
                    anew[row.pk] = self._anew(row, column)
                except TokenTampered:
                    log.error("%s %s does not open and was left as it is", column.model.__name__, row.pk)
                    result.damaged.add(row.pk)
            _write(column, anew)
        result.done += len(anew)

    def _anew(self, row: Any, column: Column) -> bytes:
        blob, place = bytes(getattr(row, column.name)), column.place_of(row)
        new = self._new.get(place.organization_id)
        if new is None:
            raise TokenTampered("A sealed value names a data key of another organization.")
        return cipher.seal(cipher.unseal(blob, place, self._old[cipher.key_id_of(blob)]), place, new)


def _naming(column: Column, key_ids: Sequence[UUID]) -> QuerySet[Any]:
    """Rows of a sealed column whose value names one of these data keys (its bytes 5 to 20, cipher.py)."""
    cut = Func(F(column.name), template="substring(%(expressions)s from 5 for 16)", output_field=BinaryField())
    rows = column.model._default_manager.annotate(key_id=cut)  # noqa: SLF001  Django's documented way to it
    return rows.filter(key_id__in=[key_id.bytes for key_id in key_ids])


def _locked(column: Column, pks: Sequence[UUID], key_ids: Sequence[UUID]) -> QuerySet[Any]:
    """Those still due, locked; what somebody else holds is passed over. With all that their place is made of."""
    rows = _naming(column, key_ids).filter(pk__in=pks).select_for_update(skip_locked=True, of=("self",))
    own = [field.name for field in column.model._meta.concrete_fields]  # noqa: SLF001
    if "connection" not in own:
        return rows
    return rows.select_related("connection").only(*own, "connection__organization", "connection__provider")


def _write(column: Column, anew: dict[UUID, bytes]) -> None:
    table, name = column.model._meta.db_table, connection.ops.quote_name(column.name)  # noqa: SLF001
    sql = f"UPDATE {connection.ops.quote_name(table)} AS t SET {name} = d.blob FROM"  # noqa: S608  # nosec B608: our own names
    with connection.cursor() as cursor:
        cursor.execute(
            f"{sql} unnest(%s::uuid[], %s::bytea[]) AS d (id, blob) WHERE t.id = d.id",
            [list(anew), list(anew.values())],
        )


def retire() -> int:
    """Delete data keys that are no longer primary, rested, and named by no sealed value. Returns how many.

    Those stay too under which an answer that no database has seen yet may be sealed (`_unheard`)."""
    rested = dict(
        _stored().filter(is_primary=True, created_at__lt=Now() - REST).values_list("organization_id", "created_at")
    )
    unheard = _unheard()
    done = [each for each, since in rested.items() if each not in unheard or unheard[each] > since + REST]
    old = _stored().filter(is_primary=False, organization_id__in=done).values_list("pk", flat=True)
    count = 0
    for batch in _batches(list(old), KEYS_AT_ONCE):
        free = set(batch) - set(_still_named(batch))
        count += _stored().filter(pk__in=free, is_primary=False).delete()[0]
    keys.forget_all()
    return count


def _unheard() -> dict[UUID, datetime]:
    """Organizations with a renewal whose answer never came, and when the oldest was: it may wait in some host's spool
    (spool.py), where no query finds it, for a week. Also where the grant has moved on since: then the late tokens are
    to be ended (V14)."""
    lost = Q(ended_at__isnull=True) | Q(outcome=answers.UNKNOWN)
    rows = Attempt.objects.filter(lost, sealed_answer__isnull=True, started_at__gt=Now() - answers.SPOOLED)
    return dict(rows.order_by().values_list("connection__organization_id").annotate(Min("started_at")))


def _still_named(key_ids: Sequence[UUID]) -> Iterator[UUID]:
    for column in COLUMNS:
        for found in _naming(column, key_ids).order_by().values_list("key_id", flat=True).distinct():
            yield UUID(bytes=bytes(found))


def _stored() -> QuerySet[DataKey]:
    return DataKey.objects.using(KEY_STORE).order_by("pk")


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
