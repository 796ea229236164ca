"""Key-encryption keys: who wraps and unwraps data keys; the one here reads VAULT_KEK. Never logs key material."""

import base64
import binascii
import os
from functools import lru_cache
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from vault.cipher import NONCE_BYTES
from vault.errors import KekUnusable

KEY_BYTES = 32
UNNAMED = "default"
_MAGIC = b"SK\x01"


class KekProvider(Protocol):
    """Wraps data keys under a key that never enters the database. A KMS implements this over HTTPS."""

    def current_id(self) -> str:
        """The key that new data keys are wrapped under."""
        ...

    def ids(self) -> tuple[str, ...]:
        """Every key that can unwrap, the current one first."""
        ...

    def wrap(self, data_key: bytes, aad: bytes) -> bytes: ...

    def unwrap(self, wrapped: bytes, aad: bytes, kek_id: str) -> bytes:
        """Raises KekUnusable when this key is not held or not the one that wrapped."""
        ...


class LocalKeyring:
    """Keys held by this process: one base64 key, or `id:base64,id:base64,...` whose first is current."""

    def __init__(self, text: str) -> None:
        self._keys = {kek_id: AESGCM(key) for kek_id, key in _parse(text)}

    def current_id(self) -> str:
        return next(iter(self._keys))

    def ids(self) -> tuple[str, ...]:
        return tuple(self._keys)

    def wrap(self, data_key: bytes, aad: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return _MAGIC + nonce + self._keys[self.current_id()].encrypt(nonce, data_key, aad)

    def unwrap(self, wrapped: bytes, aad: bytes, kek_id: str) -> bytes:
        key = self._keys.get(kek_id)
        if key is None:
            raise KekUnusable(f"VAULT_KEK does not hold the key named '{kek_id}'.")
        body = len(_MAGIC)
        if wrapped[:body] != _MAGIC:
            raise KekUnusable("A wrapped data key is damaged.")
        try:
            return key.decrypt(wrapped[body : body + NONCE_BYTES], wrapped[body + NONCE_BYTES :], aad)
        except (InvalidTag, ValueError):
            raise KekUnusable(f"The key named '{kek_id}' in VAULT_KEK is not the one that was used.") from None


def _parse(text: str) -> list[tuple[str, bytes]]:
    if not text.strip():
        raise KekUnusable("VAULT_KEK is not set. Make one with: openssl rand -base64 32")
    pairs = [_parse_one(part.strip()) for part in text.split(",")]
    if len({kek_id for kek_id, _ in pairs}) != len(pairs):
        raise KekUnusable("VAULT_KEK names the same key twice.")
    return pairs


def _parse_one(part: str) -> tuple[str, bytes]:
    name, colon, encoded = part.rpartition(":")
    kek_id = name if colon else UNNAMED
    if not kek_id or len(kek_id) > 64 or not kek_id.isascii() or not kek_id.isprintable():
        raise KekUnusable("VAULT_KEK has a key name that is empty, too long or not printable.")
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise KekUnusable(f"The key named '{kek_id}' in VAULT_KEK is not base64.") from None
    if len(key) != KEY_BYTES:
        raise KekUnusable(f"The key named '{kek_id}' in VAULT_KEK has {len(key)} bytes; it must have {KEY_BYTES}.")
    if len(set(key)) < 8:  # 32 random bytes have fewer than 8 distinct values about once in 10**37 times
        raise KekUnusable(f"The key named '{kek_id}' in VAULT_KEK is no random key but a sample.")
    return kek_id, key


@lru_cache(maxsize=4)
def _keyring(text: str) -> LocalKeyring:
    return LocalKeyring(text)


def current() -> KekProvider:
    """The configured provider. Raises KekUnusable when there is none."""
    return _keyring(settings.VAULT_KEK)
