"""Named keys with versions, as the Transit engine keeps them: AES-256-GCM, `vault:v1:` ciphertexts, its own errors."""

import base64
import binascii
import os
import time
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE = 12


class RefusedError(Exception):
    """A 400 of the engine; its text is what the `errors` list says."""


@dataclass
class Key:
    """`versions[0]` is version 1. `min_encryption` 0: any version from `min_decryption` on, and the latest unasked."""

    name: str
    type: str = "aes256-gcm96"
    derived: bool = False
    is_old: bool = False  # as Vault before 1.13: associated data is no parameter it knows
    min_decryption: int = 1
    min_encryption: int = 0
    versions: list[bytes] = field(default_factory=list)
    made_at: list[int] = field(default_factory=list)

    def rotate(self) -> None:
        self.versions.append(os.urandom(32))
        self.made_at.append(int(time.time()))

    @property
    def latest(self) -> int:
        return len(self.versions)

    def description(self) -> dict[str, Any]:
        numbers = range(self.min_decryption, self.latest + 1)
        return {
            "name": self.name,
            "type": self.type,
            "derived": self.derived,
            "exportable": False,
            "allow_plaintext_backup": False,
            "deletion_allowed": False,
            "imported_key": False,
            "keys": {str(number): self.made_at[number - 1] for number in numbers},
            "latest_version": self.latest,
            "min_available_version": 0,
            "min_decryption_version": self.min_decryption,
            "min_encryption_version": self.min_encryption,
            "supports_encryption": True,
            "supports_decryption": True,
            "supports_derivation": True,
            "supports_signing": False,
        }

    def configure(self, body: dict[str, Any]) -> None:
        decryption = int(body.get("min_decryption_version", self.min_decryption))
        encryption = int(body.get("min_encryption_version", self.min_encryption))
        if decryption > self.latest:
            raise RefusedError(
                f"cannot set min decryption version of {decryption}, latest key version is {self.latest}"
            )
        if encryption and encryption < decryption:
            raise RefusedError("min encryption version must be at least the min decryption version")
        self.min_decryption, self.min_encryption = max(decryption, 1), encryption

    def encrypt(self, body: dict[str, Any]) -> dict[str, Any]:
        number = int(body.get("key_version") or self.latest)
        if number > self.latest:
            raise RefusedError("requested version for encryption is higher than the latest key version")
        if number < max(self.min_encryption, self.min_decryption):
            raise RefusedError("requested version for encryption is less than the minimum encryption key version")
        nonce = os.urandom(NONCE)
        sealed = AESGCM(self.versions[number - 1]).encrypt(nonce, _bytes(body, "plaintext"), self._associated(body))
        return {
            "ciphertext": f"vault:v{number}:{base64.b64encode(nonce + sealed).decode()}",
            "key_version": number,
        }

    def decrypt(self, body: dict[str, Any]) -> dict[str, Any]:
        number, blob = _parse(str(body.get("ciphertext") or ""))
        if number > self.latest:
            raise RefusedError("invalid ciphertext: version is too new")
        if number < self.min_decryption:
            raise RefusedError("ciphertext or signature version is disallowed by policy (too old)")
        try:
            plain = AESGCM(self.versions[number - 1]).decrypt(blob[:NONCE], blob[NONCE:], self._associated(body))
        except InvalidTag:
            raise RefusedError("cipher: message authentication failed") from None
        return {"plaintext": base64.b64encode(plain).decode()}

    def _associated(self, body: dict[str, Any]) -> bytes | None:
        given = str(body.get("associated_data") or "")
        return _decoded(given, "failed to base64-decode associated_data") if given and not self.is_old else None


class Engine:
    def __init__(self) -> None:
        self.keys: dict[str, Key] = {}
        self.sealed = False

    def create(self, name: str, **options: Any) -> Key:
        key = self.keys[name] = Key(name, **options)
        key.rotate()
        return key


def _parse(ciphertext: str) -> tuple[int, bytes]:
    if not ciphertext:
        raise RefusedError("missing ciphertext to decrypt")
    if not ciphertext.startswith("vault:v"):
        raise RefusedError("invalid ciphertext: no prefix")
    number, colon, encoded = ciphertext.removeprefix("vault:v").partition(":")
    if not colon:
        raise RefusedError("invalid ciphertext: wrong number of fields")
    if not number.isdecimal() or int(number) < 1:
        raise RefusedError("invalid ciphertext: version number could not be decoded")
    blob = _decoded(encoded, "invalid ciphertext: could not decode base64")
    if len(blob) < NONCE + 16:
        raise RefusedError("invalid ciphertext: too short")
    return int(number), blob


def _bytes(body: dict[str, Any], name: str) -> bytes:
    if body.get(name) is None:
        raise RefusedError(f"missing {name} to encrypt")
    return _decoded(str(body[name]), f"failed to base64-decode {name}")


def _decoded(text: str, otherwise: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise RefusedError(otherwise) from None
