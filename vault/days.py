"""Key pairs that live for a day: what was closed under one is opened by nobody, nowhere, once its day is ended.

Each private half is sealed under a data key of its own, which stands in the key store: when that goes, so does every
copy of it in a backup of the database. Says nothing about what is closed with them."""

from datetime import date
from uuid import UUID, uuid5

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from django.db import transaction

from vault import frames, keys, sealing
from vault.cipher import Place
from vault.errors import KeyGone
from vault.models import DayKey

_NAMESPACE = UUID("6a1d7bb0-7c0d-4a0e-9d7e-0f1f2f7b6a54")


def begin(day: date) -> bytes:
    """The public half (32 bytes, X25519), made at the first call of all processes. Raises KekUnusable, Transient."""
    found = DayKey.objects.filter(day=day).first()
    return bytes((found or _made(day)).public)


@frames.emptied
def _made(day: date) -> DayKey:
    row, pair = DayKey(id=_id_of(day), day=day), X25519PrivateKey.generate()
    keys.make_for(row.id)  # before the transaction: a key service is asked over HTTP
    row.public = pair.public_key().public_bytes_raw()
    row.sealed_private = sealing.seal(pair.private_bytes_raw(), _place(row))
    with transaction.atomic():
        DayKey.objects.bulk_create([row], ignore_conflicts=True)
    return DayKey.objects.get(day=day)


@sealing.column(DayKey, "sealed_private")
def _place(row: DayKey) -> Place:
    return Place(row.id, "vault_daykey", row.id, "sealed_private", "", 0)


@frames.emptied
def private(day: date) -> bytes | None:
    """The private half; None once the day is ended. Raises TokenTampered, KekUnusable, Transient."""
    row = DayKey.objects.filter(day=day).first()
    if row is None:
        return None
    try:
        return sealing.unseal(bytes(row.sealed_private), _place(row))
    except KeyGone:
        return None


def living() -> list[date]:
    """Days that are not ended, the oldest first."""
    return list(DayKey.objects.order_by("day").values_list("day", flat=True))


def end(day: date) -> None:
    """The data key first: a crash in between leaves a row that opens nothing, and the next call takes it away."""
    keys.shred(_id_of(day))
    DayKey.objects.filter(day=day).delete()


def _id_of(day: date) -> UUID:
    return uuid5(_NAMESPACE, day.isoformat())
