"""Certificates of destruction: JSON, signed with Ed25519, that anybody who has our public key can verify.

Holds ids of the organization, times and counts; never a name, an address or an id of a person (C37)."""

import base64
import binascii
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

SEED_BYTES = 32
ALGORITHM = "Ed25519"


class CertificateInvalid(ValueError):
    """Not a certificate of ours as it was signed; the message says in plain words what is wrong."""


class NoSigningKey(RuntimeError):
    """There is nothing to sign with; the message says how to make a key."""


def seed_in(text: str) -> bytes:
    """SIGNING_KEY as bytes. Raises ValueError with a sentence unless it is base64 of 32 random bytes."""
    try:
        seed = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not base64") from None
    if len(seed) != SEED_BYTES:
        raise ValueError(f"holds {len(seed)} bytes; it must hold {SEED_BYTES}" if text else "is not set")
    if len(set(seed)) < 8:  # 32 random bytes have fewer than 8 distinct values about once in 10**37 times
        raise ValueError("is a sample, not a random value")
    return seed


def _private_key() -> Ed25519PrivateKey:
    """Raises NoSigningKey."""
    try:
        return Ed25519PrivateKey.from_private_bytes(seed_in(settings.SIGNING_KEY))
    except ValueError as fault:
        raise NoSigningKey(f"SIGNING_KEY {fault}. Make one with: openssl rand -base64 32") from None


def public_key() -> str:
    """What to hand out so that others can verify: the raw public key, base64. Raises NoSigningKey."""
    return base64.b64encode(_private_key().public_key().public_bytes_raw()).decode()


def _canonical(content: Mapping[str, Any]) -> bytes:
    """The bytes that are signed: sorted keys, no spaces, ASCII."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def sign(content: Mapping[str, Any]) -> dict[str, Any]:
    """`{"certificate": content, "signature": {...}}`. The same content always gets the same signature."""
    value = base64.b64encode(_private_key().sign(_canonical(content))).decode()
    return {
        "certificate": dict(content),
        "signature": {"algorithm": ALGORITHM, "public_key": public_key(), "value": value},
    }


def verify(document: object, trusted_key: str) -> dict[str, Any]:
    """The content of a signed document. The key it names itself proves nothing, so the caller says which he trusts.

    Raises CertificateInvalid."""
    try:
        content, signature = document["certificate"], document["signature"]  # type: ignore[index]
        value = base64.b64decode(signature["value"], validate=True)
        algorithm, named = signature["algorithm"], signature["public_key"]
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(trusted_key, validate=True))
        signed = _canonical(content)
    except (KeyError, TypeError, ValueError):
        raise CertificateInvalid("This is not a certificate of destruction, or the key is not one.") from None
    if algorithm != ALGORITHM or named != trusted_key:
        raise CertificateInvalid("This certificate was signed with another key.")
    try:
        key.verify(value, signed)
    except InvalidSignature:
        raise CertificateInvalid("This certificate was changed after it was signed.") from None
    return dict(content)


def read(path: Path) -> object:
    """The document in a file. Raises CertificateInvalid."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CertificateInvalid(f"The file cannot be read ({type(error).__name__}).") from None


def folder() -> Path:
    """Where each certificate is kept."""
    return Path(settings.LOCAL_DIR) / "certificates"


def kept(trusted_key: str, elsewhere: Iterable[Path] = ()) -> Iterator[tuple[Path, dict[str, Any]]]:
    """(path, content) of each certificate of destruction in `folder()`, and in the files `elsewhere`; what is there
    and none of ours is passed over."""
    for path in (*elsewhere, *sorted(folder().glob("*.json"))):
        try:
            content = verify(read(path), trusted_key)
        except CertificateInvalid:
            continue
        if "finished_at" in content:  # no head of an audit chain, which the same key signs
            yield path, content


def write(path: Path, document: Mapping[str, Any]) -> None:
    """Durable on return, whole or not at all: afterwards nothing else remembers the organization."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(json.dumps(document, indent=1, sort_keys=True) + "\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
