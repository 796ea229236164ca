"""Data keys: one per organization, wrapped, in the key store. Accepts no new KEK once anything is sealed."""

import contextlib
import os
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db.models import Model

from organizations import epochs
from organizations.models import Organization
from organizations.ramcache import RamCache
from vault import cipher, frames, holders, kek
from vault.cipher import SealingKey, length_prefixed
from vault.errors import KekUnusable, KeyGone
from vault.models import (
    Attempt,
    ClientRegistration,
    Credential,
    DataKey,
    DayKey,
    DiscardedGrant,
    KekCanary,
    PendingSignIn,
)
from vault.routers import KEY_STORE

#: "Organization" of what belongs to the whole installation.
INSTANCE = UUID(int=0)
#: Every column that holds sealed values (sealing.COLUMNS, which is built upon this module); those of rooms above come
#: with entrusted.py.
SEALED: list[tuple[type[Model], str]] = [
    (Credential, "sealed"),
    (Attempt, "sealed_answer"),
    (DiscardedGrant, "sealed"),
    (PendingSignIn, "sealed_facts"),
    (ClientRegistration, "sealed_secret"),
    (DayKey, "sealed_private"),
]
_CANARY = b"the canary sings under the right key"

#: Opened keys. What a deletion has thrown out does not come back by a look-up that began before it (V18). Nothing else
#: throws them out: a setting that changes must neither cost a key service its calls nor fail while it is away.
_by_id: RamCache[UUID, SealingKey] = RamCache(maxsize=1_000, ttl=300)
_primary: RamCache[UUID, SealingKey] = RamCache(maxsize=1_000, ttl=300)
for _cache in (_by_id, _primary):
    _cache.forget_on("keys", lambda _, key: key.organization_id)


def primary_key(organization_id: UUID) -> SealingKey:
    """The key under which this organization's new values are sealed; made at first use, by one of all processes.

    Raises KeyGone where the organization has none and is not here any more, KekUnusable (also where it has sealed as
    much as is safe), Transient."""
    key = _primary.get_or_load(organization_id, lambda: _opened_for_both(_primary_row(organization_id)))
    if cipher.is_worn(key):
        raise KekUnusable("A data key has sealed as many values as is safe. Run: manage.py rotate_keys --data-keys")
    return key


def make_for(organization_id: UUID) -> None:
    """A key for an organization that is about to be founded under this id: before the transaction that does so, since
    a key service is asked over HTTP. Where that comes to nothing the key seals nothing (rotation.drop_orphans)."""
    _primary.get_or_load(organization_id, lambda: _opened_for_both(_made(organization_id)))


def is_open(organization_id: UUID) -> bool:
    """Whether its primary key is in RAM, so that sealing under it asks nobody."""
    return _primary.get(organization_id) is not None


def _opened_for_both(row: DataKey) -> SealingKey:
    """What was sealed under it opens without asking again."""
    key = opened(row)
    return _by_id.get_or_load(row.id, lambda: key)


def key_by_id(key_id: UUID, organization_id: UUID) -> SealingKey:
    """The key that a sealed value names. Raises KeyGone when it is no longer there, or is another organization's."""
    key = _by_id.get_or_load(key_id, lambda: _read(key_id))
    if key.organization_id != organization_id:
        raise KeyGone("A sealed value names a data key of another organization.")
    return key


def _read(key_id: UUID) -> SealingKey:
    row = DataKey.objects.using(KEY_STORE).filter(id=key_id).first()
    if row is None:
        raise KeyGone("The data key of a sealed value is gone.")
    return opened(row)


def forget(organization_id: UUID) -> None:
    """Drop this organization's opened keys from this process."""
    for cache in (_by_id, _primary):
        cache.drop(lambda _, key: key.organization_id == organization_id)


def forget_all() -> None:
    for cache in (_by_id, _primary):
        cache.clear()


def shred(organization_id: UUID) -> int:
    """Delete an organization's data keys: what they sealed is unreadable from now on. Returns how many.

    Every process drops what it has opened at its next look at the epochs, within about a second (V18). Also where
    there was nothing to delete: an earlier call may have ended between the two."""
    count, _ = DataKey.objects.using(KEY_STORE).filter(organization_id=organization_id).delete()
    forget(organization_id)
    for kind in ("keys", "organization"):
        epochs.bump(kind, organization_id)
    return count


def wrapping_aad(key_id: UUID, organization_id: UUID) -> bytes:
    return length_prefixed((b"sv1-dek", key_id.bytes, organization_id.bytes))


@frames.emptied
def opened(row: DataKey) -> SealingKey:
    """The data key of this row, unwrapped; not kept."""
    raw = kek.current().unwrap(bytes(row.wrapped), wrapping_aad(row.id, row.organization_id), row.kek_id)
    return SealingKey(row.id, row.organization_id, AESGCM(raw))


@frames.emptied
def new_row(organization_id: UUID, kek_id: str) -> DataKey:
    """A new primary data key wrapped under `kek_id`, not yet stored."""
    key_id = uuid4()
    wrapped = kek.current().wrap(os.urandom(kek.KEY_BYTES), wrapping_aad(key_id, organization_id), kek_id)
    return DataKey(id=key_id, organization_id=organization_id, kek_id=kek_id, wrapped=wrapped)


def _primary_row(organization_id: UUID) -> DataKey:
    """Read it, or make it. The unique index on (organization, primary) decides a race; the loser reads the winner's."""
    rows = DataKey.objects.using(KEY_STORE)
    found = rows.filter(organization_id=organization_id, is_primary=True).first()
    if found is not None:
        return found
    _require_here(organization_id)
    return _made(organization_id)


def _made(organization_id: UUID) -> DataKey:
    new = new_row(organization_id, holders.wrapping_id(kek.current()))
    row, _ = DataKey.objects.using(KEY_STORE).get_or_create(
        organization_id=organization_id,
        is_primary=True,
        defaults={"id": new.id, "kek_id": new.kek_id, "wrapped": new.wrapped},
    )
    return row


def _require_here(organization_id: UUID) -> None:
    """Raises KeyGone where a new key would outlive its organization: that is being destroyed, or gone."""
    here = Organization.objects.filter(pk=organization_id, ending_since=None)
    if organization_id != INSTANCE and not here.exists():
        raise KeyGone("There is no such organization, or it is being destroyed: no new key is made for it.")


def _canary_aad(kek_id: str) -> bytes:
    return length_prefixed((b"sv1-canary", kek_id.encode()))


def verify_kek() -> None:
    """Call at process start: raises KekUnusable unless VAULT_KEK opens what is stored (V17), Transient while a key
    service is away.

    It records a canary of each key it has not seen before; never, once anything is sealed, when it knows none."""
    provider = kek.current()
    held, known, trouble = prove(provider, set())
    if trouble:
        raise KekUnusable(trouble)
    if not known and (_canaries() or kek_ids_in_use() or _sealed_rows_exist()):
        raise KekUnusable("Sealed rows exist, but VAULT_KEK holds no key that was ever used here. Restore the key.")
    for kek_id in provider.heads():
        if kek_id in held and kek_id not in known:
            _add_canary(provider, kek_id)


def prove(provider: kek.KekProvider, proven: set[str]) -> tuple[tuple[str, ...], set[str], str]:
    """Which keys this process can unwrap with, which of them have opened their canary, and what is wrong ("": nothing).

    `proven`: those that did so before and need not again. Raises KekUnusable and Transient as the provider does."""
    held, canaries, trouble = provider.ids(), _canaries(), ""
    opened, wrong = proven & set(held), set[str]()
    for kek_id in held:
        if kek_id in canaries and kek_id not in opened:
            fault = _try(provider, kek_id, canaries[kek_id])
            (wrong if fault else opened).add(kek_id)
            trouble = fault or trouble
    usable = tuple(kek_id for kek_id in held if kek_id not in wrong)
    missing = sorted(kek_ids_in_use() - set(held))
    if missing:
        trouble = f"Data keys are wrapped under '{missing[0]}', which VAULT_KEK does not hold."
    return usable, opened, trouble


def _try(provider: kek.KekProvider, kek_id: str, canary: bytes) -> str:
    """What is wrong with this key, "" when nothing is. Vault before 1.13 ignores associated data: without it a wrapped
    key could be moved to another organization's row."""
    try:
        if provider.unwrap(canary, _canary_aad(kek_id), kek_id) != _CANARY:
            return f"The key named '{kek_id}' in VAULT_KEK is not the one that was used."
    except KekUnusable as error:
        return str(error)
    with contextlib.suppress(KekUnusable):
        provider.unwrap(canary, _canary_aad(f"not {kek_id}"), kek_id)
        return (
            f"The key service ignores associated data under '{kek_id}'. It is too old: Vault 1.13 or OpenBao is needed."
        )
    return ""


def kek_ids_in_use() -> set[str]:
    return set(DataKey.objects.using(KEY_STORE).values_list("kek_id", flat=True).distinct())


def _canaries() -> dict[str, bytes]:
    return {row.kek_id: bytes(row.wrapped) for row in KekCanary.objects.using(KEY_STORE).all()}


def _sealed_rows_exist() -> bool:
    return any(model._default_manager.exclude(**{name: None}).exists() for model, name in SEALED)  # noqa: SLF001


def _add_canary(provider: kek.KekProvider, kek_id: str) -> None:
    wrapped = provider.wrap(_CANARY, _canary_aad(kek_id), kek_id)
    if fault := _try(provider, kek_id, wrapped):
        raise KekUnusable(fault)
    KekCanary.objects.using(KEY_STORE).get_or_create(kek_id=kek_id, defaults={"wrapped": wrapped})
