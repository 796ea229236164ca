"""Data keys: one per organization, wrapped, in the key store. Accepts no new KEK once anything is sealed."""

import os
import threading
from uuid import UUID, uuid4

import cachetools
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import transaction

from organizations import epochs
from vault import kek
from vault.cipher import SealingKey, length_prefixed
from vault.errors import KekUnusable, KeyGone
from vault.models import ClientRegistration, Credential, DataKey, KekCanary
from vault.routers import KEY_STORE

#: "Organization" of what belongs to the whole installation.
INSTANCE = UUID(int=0)
_CANARY = b"the canary sings under the right key"

_lock = threading.Lock()
_by_id: "cachetools.TTLCache[UUID, SealingKey]" = cachetools.TTLCache(maxsize=1_000, ttl=300)
_primary: "cachetools.TTLCache[UUID, SealingKey]" = cachetools.TTLCache(maxsize=1_000, ttl=300)


def primary_key(organization_id: UUID) -> SealingKey:
    """The key under which this organization's new values are sealed; made at first use, by one of all processes."""
    with _lock:
        key = _primary.get(organization_id)
    if key is None:
        key = _open(_primary_row(organization_id))
        _remember(key, primary=True)
    return key


def key_by_id(key_id: UUID, organization_id: UUID) -> SealingKey:
    """The key that a sealed value names. Raises KeyGone when it is no longer there, or is another organization's."""
    with _lock:
        key = _by_id.get(key_id)
    if key is None:
        row = DataKey.objects.using(KEY_STORE).filter(id=key_id).first()
        if row is None:
            raise KeyGone("The data key of a sealed value is gone.")
        key = _open(row)
        _remember(key, primary=row.is_primary)
    if key.organization_id != organization_id:
        raise KeyGone("A sealed value names a data key of another organization.")
    return key


def forget(organization_id: UUID) -> None:
    """Drop this organization's opened keys from this process."""
    with _lock:
        _primary.pop(organization_id, None)
        for key_id in [key.id for key in _by_id.values() if key.organization_id == organization_id]:
            _by_id.pop(key_id, None)


def forget_all() -> None:
    with _lock:
        _primary.clear()
        _by_id.clear()


def shred(organization_id: UUID) -> int:
    """Delete an organization's data keys: what they sealed is unreadable from now on. Returns how many."""
    count, _ = DataKey.objects.using(KEY_STORE).filter(organization_id=organization_id).delete()
    forget(organization_id)
    return count


def _remember(key: SealingKey, *, primary: bool) -> None:
    with _lock:
        _by_id[key.id] = key
        if primary:
            _primary[key.organization_id] = key


def wrapping_aad(key_id: UUID, organization_id: UUID) -> bytes:
    return length_prefixed((b"sv1-dek", key_id.bytes, organization_id.bytes))


def _open(row: DataKey) -> SealingKey:
    raw = kek.current().unwrap(bytes(row.wrapped), wrapping_aad(row.id, row.organization_id), row.kek_id)
    return SealingKey(row.id, row.organization_id, AESGCM(raw))


def _primary_row(organization_id: UUID) -> DataKey:
    """Read it, or make it. The unique index on (organization, primary) decides a race; the loser reads the winner's."""
    rows = DataKey.objects.using(KEY_STORE)
    found = rows.filter(organization_id=organization_id, is_primary=True).first()
    if found is not None:
        return found
    key_id, provider = uuid4(), kek.current()
    wrapped = provider.wrap(os.urandom(kek.KEY_BYTES), wrapping_aad(key_id, organization_id))
    row, _ = rows.get_or_create(
        organization_id=organization_id,
        is_primary=True,
        defaults={"id": key_id, "kek_id": provider.current_id(), "wrapped": wrapped},
    )
    return row


def replace_primary(organization_id: UUID) -> None:
    """Make a new primary data key; the old one stays, to open what it has sealed."""
    provider, key_id = kek.current(), uuid4()
    wrapped = provider.wrap(os.urandom(kek.KEY_BYTES), wrapping_aad(key_id, organization_id))
    with transaction.atomic(using=KEY_STORE):
        rows = DataKey.objects.using(KEY_STORE)
        rows.filter(organization_id=organization_id, is_primary=True).update(is_primary=False)
        rows.create(id=key_id, organization_id=organization_id, kek_id=provider.current_id(), wrapped=wrapped)
    forget(organization_id)


def _canary_aad(kek_id: str) -> bytes:
    return length_prefixed((b"sv1-canary", kek_id.encode()))


def verify_kek() -> None:
    """Call at process start: raises KekUnusable unless VAULT_KEK opens what is stored (V17).

    At the very first start it records a canary; it never does so once anything is sealed."""
    provider = kek.current()
    canaries = {row.kek_id: bytes(row.wrapped) for row in KekCanary.objects.using(KEY_STORE).all()}
    used = set(DataKey.objects.using(KEY_STORE).values_list("kek_id", flat=True).distinct())
    missing = sorted(used - set(provider.ids()))
    if missing:
        raise KekUnusable(f"Data keys are wrapped under '{missing[0]}', which VAULT_KEK does not hold.")
    known = [kek_id for kek_id in provider.ids() if kek_id in canaries]
    for kek_id in known:
        if provider.unwrap(canaries[kek_id], _canary_aad(kek_id), kek_id) != _CANARY:
            raise KekUnusable(f"The key named '{kek_id}' in VAULT_KEK is not the one that was used.")
    if not known and (canaries or used or _sealed_rows_exist()):
        raise KekUnusable("Sealed rows exist, but VAULT_KEK holds no key that was ever used here. Restore the key.")
    if provider.current_id() not in canaries:
        _add_canary(provider)


def _sealed_rows_exist() -> bool:
    return Credential.objects.exists() or ClientRegistration.objects.filter(sealed_secret__isnull=False).exists()


def _add_canary(provider: kek.KekProvider) -> None:
    kek_id = provider.current_id()
    KekCanary.objects.using(KEY_STORE).get_or_create(
        kek_id=kek_id, defaults={"wrapped": provider.wrap(_CANARY, _canary_aad(kek_id))}
    )


def _on_organization(key: str) -> None:
    if key == "*":
        forget_all()
    else:
        forget(UUID(key))


epochs.on_change("organization", _on_organization)
