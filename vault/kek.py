"""Key-encryption keys: who wraps and unwraps data keys, as VAULT_KEK says. Never logs key material."""

import base64
import binascii
import os
from collections.abc import Iterator
from functools import lru_cache
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from vault import frames, kms
from vault.cipher import NONCE_BYTES
from vault.errors import KekUnusable

KEY_BYTES = 32
UNNAMED = "default"
MAX_NAME = 64
_MAGIC = b"SK\x01"


class KekProvider(Protocol):
    """Wraps data keys under keys that never enter a database.

    One whose keys are elsewhere (`kms.Transit`) raises OwnTrouble from every method while it cannot be
    reached, and KekUnusable for what only an operator can mend."""

    def current_id(self) -> str:
        """The key that new data keys are wrapped under."""
        ...

    def ids(self) -> tuple[str, ...]:
        """Every key that can unwrap, the current one first."""
        ...

    def heads(self) -> tuple[str, ...]:
        """The newest key of each source: those of which a canary is kept."""
        ...

    def holds(self, kek_id: str) -> bool:
        """Whether a key of this name would be looked for here. Asks nobody."""
        ...

    def wrap(self, data_key: bytes, aad: bytes, kek_id: str) -> bytes: ...

    def unwrap(self, wrapped: bytes, aad: bytes, kek_id: str) -> bytes:
        """Raises KekUnusable when this key is not held or not the one that wrapped."""
        ...


class LocalKey:
    """One key held by this process, from a file or the environment."""

    def __init__(self, kek_id: str, key: bytes) -> None:
        self._id = kek_id
        self._aead = AESGCM(key)

    def current_id(self) -> str:
        return self._id

    def ids(self) -> tuple[str, ...]:
        return (self._id,)

    heads = ids

    def holds(self, kek_id: str) -> bool:
        return kek_id == self._id

    def wrap(self, data_key: bytes, aad: bytes, kek_id: str) -> bytes:  # noqa: ARG002  there is only one
        nonce = os.urandom(NONCE_BYTES)
        return _MAGIC + nonce + self._aead.encrypt(nonce, data_key, aad)

    def unwrap(self, wrapped: bytes, aad: bytes, kek_id: str) -> bytes:
        body = len(_MAGIC)
        if wrapped[:body] != _MAGIC:
            raise KekUnusable("A wrapped data key is damaged.")
        try:
            return self._aead.decrypt(wrapped[body : body + NONCE_BYTES], wrapped[body + NONCE_BYTES :], aad)
        except (InvalidTag, ValueError):
            raise KekUnusable(f"The key named '{kek_id}' in VAULT_KEK is not the one that was used.") from None


class Keyring:
    """All of VAULT_KEK: `base64`, or `name:base64` and `transit:https://...` separated by commas, the current first."""

    def __init__(self, text: str) -> None:
        self._sources = list(_parse(text))

    def current_id(self) -> str:
        return self._sources[0].current_id()

    def ids(self) -> tuple[str, ...]:
        return tuple(kek_id for source in self._sources for kek_id in source.ids())

    def heads(self) -> tuple[str, ...]:
        return tuple(source.current_id() for source in self._sources)

    def holds(self, kek_id: str) -> bool:
        return any(source.holds(kek_id) for source in self._sources)

    def wrap(self, data_key: bytes, aad: bytes, kek_id: str) -> bytes:
        return self._source(kek_id).wrap(data_key, aad, kek_id)

    def unwrap(self, wrapped: bytes, aad: bytes, kek_id: str) -> bytes:
        return self._source(kek_id).unwrap(wrapped, aad, kek_id)

    def _source(self, kek_id: str) -> KekProvider:
        for source in self._sources:
            if source.holds(kek_id):
                return source
        raise KekUnusable(f"VAULT_KEK does not hold the key named '{kek_id}'.")


def _parse(text: str) -> Iterator[KekProvider]:
    if not text.strip():
        raise KekUnusable("VAULT_KEK is not set. Make one with: openssl rand -base64 32")
    names: set[str] = set()
    for part in text.split(","):
        name, source = _parse_one(part.strip())
        if name in names:
            raise KekUnusable("VAULT_KEK names the same key twice.")
        names.add(name)
        yield source


def _parse_one(part: str) -> tuple[str, KekProvider]:
    if part.startswith(kms.PREFIX):
        transit = kms.Transit(part.removeprefix(kms.PREFIX))
        return transit.name, transit
    name, colon, encoded = part.rpartition(":")
    kek_id = name if colon else UNNAMED
    if not kek_id or len(kek_id) > MAX_NAME or not kek_id.isascii() or not kek_id.isprintable():
        raise KekUnusable("VAULT_KEK has a key name that is empty, too long or not printable.")
    return kek_id, LocalKey(kek_id, _decoded(encoded, kek_id))


def _decoded(encoded: str, kek_id: str) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise KekUnusable(f"The key named '{kek_id}' in VAULT_KEK is not base64.") from None
    if len(key) != KEY_BYTES:
        raise KekUnusable(f"The key named '{kek_id}' in VAULT_KEK has {len(key)} bytes; it must have {KEY_BYTES}.")
    if len(set(key)) < 8:  # 32 random bytes have fewer than 8 distinct values about once in 10**37 times
        raise KekUnusable(f"The key named '{kek_id}' in VAULT_KEK is no random key but a sample.")
    return key


def is_only_an_address(text: str) -> bool:
    """Whether VAULT_KEK holds no key at all, so that who reads it has learned nothing."""
    return all(part.strip().startswith(kms.PREFIX) for part in text.split(","))


@lru_cache(maxsize=4)
def _keyring(text: str) -> Keyring:
    return Keyring(text)


@frames.emptied
def current() -> KekProvider:
    """The configured provider. Raises KekUnusable when there is none."""
    return _keyring(settings.VAULT_KEK)
