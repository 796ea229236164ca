"""Published AES-256-GCM vectors through our own format: our header, our unsealing, with their associated data.

What the format fixes (the nonce is random, the associated data is the place) is set from outside for the test alone."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vault import cipher
from vault.cipher import Place, SealingKey, seal, unseal
from vault.errors import TokenTampered
from vault.kek import LocalKey

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "vectors" / "aes_256_gcm.json").read_text())[
    "vectors"
]
GOOD = [vector for vector in VECTORS if vector["plain"] is not None]
BAD = [vector for vector in VECTORS if vector["plain"] is None]
WHERE = Place(uuid4(), "vault_credential", uuid4(), "sealed", "salesforce", 7)


def named(vector: dict[str, Any]) -> str:
    way = "encrypt" if "Encrypt" in vector["file"] else "decrypt"
    return f"{way}-{vector['plain_bits']}-{vector['aad_bits']}-{vector['count']}"


def hexed(vector: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(vector[name])


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], SealingKey]:
    """Puts the vector's nonce and associated data where ours would be made."""

    def put(vector: dict[str, Any]) -> SealingKey:
        key = SealingKey(uuid4(), WHERE.organization_id, AESGCM(hexed(vector, "key")))
        monkeypatch.setattr(cipher, "_associated_data", lambda *_: hexed(vector, "aad"))
        monkeypatch.setattr(os, "urandom", lambda _: hexed(vector, "nonce"))
        return key

    return put


def test_there_are_vectors_of_every_length() -> None:
    lengths = {(vector["plain_bits"], vector["aad_bits"]) for vector in VECTORS}
    assert len(lengths) == 25
    assert len(GOOD) >= 75
    assert len(BAD) >= 25


@pytest.mark.parametrize("vector", GOOD, ids=named)
def test_sealing_gives_the_published_ciphertext(
    vector: dict[str, Any], given: Callable[[dict[str, Any]], SealingKey]
) -> None:
    """C21: what follows our header is NIST's ciphertext and tag, byte for byte, and it opens."""
    key = given(vector)
    blob = seal(hexed(vector, "plain"), WHERE, key)
    header = b"SV\x01\x01" + key.id.bytes + hexed(vector, "nonce")
    assert blob == header + hexed(vector, "ciphertext") + hexed(vector, "tag")
    assert unseal(blob, WHERE, key) == hexed(vector, "plain")


@pytest.mark.parametrize("vector", BAD, ids=named)
def test_what_must_not_open_does_not(vector: dict[str, Any], given: Callable[[dict[str, Any]], SealingKey]) -> None:
    """C21, V19."""
    key = given(vector)
    blob = b"SV\x01\x01" + key.id.bytes + hexed(vector, "nonce") + hexed(vector, "ciphertext") + hexed(vector, "tag")
    with pytest.raises(TokenTampered):
        unseal(blob, WHERE, key)


@pytest.mark.parametrize("vector", GOOD, ids=named)
def test_wrapping_gives_the_published_ciphertext(
    vector: dict[str, Any], given: Callable[[dict[str, Any]], SealingKey]
) -> None:
    """C22: a KEK wraps with the same cipher; here the associated data is the caller's anyway."""
    given(vector)
    wrapped = LocalKey("k", hexed(vector, "key")).wrap(hexed(vector, "plain"), hexed(vector, "aad"), "k")
    assert wrapped == b"SK\x01" + hexed(vector, "nonce") + hexed(vector, "ciphertext") + hexed(vector, "tag")
    assert LocalKey("k", hexed(vector, "key")).unwrap(wrapped, hexed(vector, "aad"), "k") == hexed(vector, "plain")


def test_every_part_of_the_place_is_authenticated_in_a_fixed_form() -> None:
    """The associated data itself, written out: whoever changes it makes everything stored unreadable."""
    place = Place(
        organization_id=_uuid("1"),
        table="t",
        row_id=_uuid("2"),
        column="c",
        provider="google",
        generation=258,
        owner="whose",
    )
    expected = (
        "00000003"
        "737631"
        "00000001"
        "01"
        "00000010" + "33" * 16 + "00000010" + "11" * 16 + "00000001"
        "74"
        "00000010" + "22" * 16 + "00000001"
        "63"
        "00000006"
        "676f6f676c65"
        "00000003"
        "323538"
        "00000005"
        "77686f7365"
    )
    assert cipher._associated_data(place, _uuid("3"), 1).hex() == expected


def _uuid(digit: str) -> UUID:
    return UUID(digit * 32)
