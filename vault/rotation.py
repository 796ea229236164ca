"""Online rotation of keys (docs/vault.md 4): a little at a time, resumable after a kill at any row."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from organizations import audit, epochs
from vault import cipher, grants, kek, keys, registrations, revocation
from vault.models import Attempt, ClientRegistration, Connection, Credential, DataKey, DiscardedGrant, PendingSignIn
from vault.routers import KEY_STORE

#: Longer than any process keeps an opened key, so that none still seals under a key that is about to go.
REST = timedelta(hours=1)


def rewrap() -> int:
    """Wrap every data key under the current KEK. Returns how many were not yet."""
    keys.verify_kek()
    provider, count = kek.current(), 0
    rows = DataKey.objects.using(KEY_STORE)
    for row in rows.exclude(kek_id=provider.current_id()):
        aad = keys.wrapping_aad(row.id, row.organization_id)
        wrapped = provider.wrap(provider.unwrap(bytes(row.wrapped), aad, row.kek_id), aad)
        mine = rows.filter(pk=row.pk, kek_id=row.kek_id)
        count += mine.update(wrapped=wrapped, kek_id=provider.current_id())
    return count


def unused_keks() -> list[str]:
    """Keys of the keyring under which nothing is wrapped any more; they may leave once no backup needs them."""
    used = set(DataKey.objects.using(KEY_STORE).values_list("kek_id", flat=True).distinct())
    return [kek_id for kek_id in kek.current().ids()[1:] if kek_id not in used]


def organization_ids() -> list[UUID]:
    return list(DataKey.objects.using(KEY_STORE).filter(is_primary=True).values_list("organization_id", flat=True))


def renew_data_key(organization_id: UUID) -> int:
    """A new data key, and everything of this organization sealed anew under it. Returns how many values."""
    keys.replace_primary(organization_id)
    if organization_id != keys.INSTANCE:
        with transaction.atomic():
            audit.record(organization_id, "operator", "keys.rotated")
            epochs.bump("organization", organization_id)
    connections = Connection.objects.filter(organization_id=organization_id).values_list("pk", flat=True)
    count = sum(_reseal_connection(connection_id) for connection_id in connections)
    owner = None if organization_id == keys.INSTANCE else organization_id
    return count + registrations.reseal(owner)


def _reseal_connection(connection_id: UUID) -> int:
    """Under the row's lock, so that a renewal at the same moment comes before or after, never in between."""
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=connection_id)
        return grants.reseal(row) + revocation.reseal(row)


def retire() -> int:
    """Delete data keys that are no longer primary, rested, and named by no sealed value. Returns how many."""
    count = 0
    for row in DataKey.objects.using(KEY_STORE).filter(is_primary=False):
        successor = DataKey.objects.using(KEY_STORE).get(organization_id=row.organization_id, is_primary=True)
        if successor.created_at < timezone.now() - REST and row.id not in set(_named_by_anything(row.organization_id)):
            row.delete()
            keys.forget(row.organization_id)
            count += 1
    return count


def _named_by_anything(organization_id: UUID) -> Iterator[UUID]:
    """The data keys that this organization's sealed values name."""
    of_connection = {"connection__organization_id": organization_id}
    owner = {"organization_id": organization_id} if organization_id != keys.INSTANCE else {"organization": None}
    values = (
        Credential.objects.filter(**of_connection).values_list("sealed", flat=True),
        DiscardedGrant.objects.filter(**of_connection).values_list("sealed", flat=True),
        Attempt.objects.filter(**of_connection, sealed_answer__isnull=False).values_list("sealed_answer", flat=True),
        ClientRegistration.objects.filter(**owner, sealed_secret__isnull=False).values_list("sealed_secret", flat=True),
        PendingSignIn.objects.values_list("sealed_facts", flat=True) if organization_id == keys.INSTANCE else (),
    )
    for blobs in values:
        for blob in blobs:
            yield cipher.key_id_of(bytes(blob or b""))
