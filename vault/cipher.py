"""The sealed format: AES-256-GCM, bound to one place in the database (docs/vault.md 2). Knows no key store or model."""

import itertools
import logging
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vault import frames
from vault.errors import TokenTampered

log = logging.getLogger("sidebar.vault")

MAGIC = b"SV"
VERSION = 1
AES_256_GCM = 1
NONCE_BYTES = 12
TAG_BYTES = 16
_HEADER_BYTES = len(MAGIC) + 2 + 16 + NONCE_BYTES
#: Random nonces are safe up to 2**32 messages per key (NIST SP 800-38D, 8.3). At half of it the operator is asked for
#: new data keys.
MOST, ENOUGH = 2**32, 2**31
#: How many values this process has sealed under each key; other processes count their own.
_sealed: defaultdict[UUID, Iterator[int]] = defaultdict(lambda: itertools.count(1))
_worn = set[UUID]()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value lives. Every part is authenticated, so a blob opens nowhere else (I5)."""

    organization_id: UUID
    table: str
    row_id: UUID
    column: str
    provider: str = ""
    generation: int = 0
    #: What else in the row decides whose the value is: who can write SQL must not change that either.
    owner: str = ""


@dataclass(frozen=True, slots=True)
class SealingKey:
    """A data key ready for use; the AESGCM object is built once, as that costs more than a sealing."""

    id: UUID
    organization_id: UUID
    aead: AESGCM = field(repr=False)


def length_prefixed(parts: Iterable[bytes]) -> bytes:
    """Join unambiguously: plain concatenation would let ("ab", "c") pass for ("a", "bc")."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _associated_data(place: Place, key_id: UUID, algorithm: int) -> bytes:
    return length_prefixed(
        (
            b"sv1",
            bytes([algorithm]),
            key_id.bytes,
            place.organization_id.bytes,
            place.table.encode(),
            place.row_id.bytes,
            place.column.encode(),
            place.provider.encode(),
            str(place.generation).encode(),
            place.owner.encode(),
        )
    )


@frames.emptied
def seal(plaintext: bytes, place: Place, key: SealingKey) -> bytes:
    """Return `"SV" | version | algorithm | key id (16) | nonce (12) | ciphertext and tag`.

    A key serves one organization and stays far below MOST; beyond it `keys.primary_key` hands it out no more. It is not
    refused here, where a provider's answer could be lost (I2)."""
    _count(key.id)
    nonce = os.urandom(NONCE_BYTES)
    ciphertext = key.aead.encrypt(nonce, plaintext, _associated_data(place, key.id, AES_256_GCM))
    return MAGIC + bytes([VERSION, AES_256_GCM]) + key.id.bytes + nonce + ciphertext


def _count(key_id: UUID) -> None:
    number = next(_sealed[key_id])
    if number == ENOUGH:
        log.error("the data key %s has sealed %s values: run manage.py rotate_keys --data-keys", key_id, number)
    if number >= MOST:
        _worn.add(key_id)


def is_worn(key: SealingKey) -> bool:
    """Whether this process has sealed MOST values under it."""
    return key.id in _worn


def key_id_of(blob: bytes) -> UUID:
    """The data key a blob names. Raises TokenTampered when it is not one of ours."""
    if len(blob) < _HEADER_BYTES + TAG_BYTES or blob[:4] != MAGIC + bytes([VERSION, AES_256_GCM]):
        raise TokenTampered("A sealed value has a damaged header.")
    return UUID(bytes=bytes(blob[4:20]))


def unseal(blob: bytes, place: Place, key: SealingKey) -> bytes:
    """Return the plaintext; raises TokenTampered when one bit of blob, place or key differs."""
    if key_id_of(blob) != key.id:
        raise TokenTampered("A sealed value names another data key.")
    nonce, ciphertext = blob[20:_HEADER_BYTES], blob[_HEADER_BYTES:]
    try:
        return key.aead.decrypt(nonce, ciphertext, _associated_data(place, key.id, AES_256_GCM))
    except InvalidTag:
        raise TokenTampered("A sealed value does not belong to its row.") from None
