"""The sealed format: nothing opens but the very blob in its very place (C21, C22; docs/vault.md I5, V19)."""

import os
import random
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vault import cipher
from vault.cipher import Place, SealingKey, key_id_of, length_prefixed, seal, unseal
from vault.errors import TokenTampered

ORGANIZATION = uuid4()
SECRET = b"00Dxx!AQEAQ.a-token-as-salesforce-makes-them" * 8


def new_key(organization_id: UUID = ORGANIZATION) -> SealingKey:
    return SealingKey(uuid4(), organization_id, AESGCM(os.urandom(32)))


def place() -> Place:
    return Place(ORGANIZATION, "vault_credential", uuid4(), "sealed", "salesforce", 7, "whose")


def test_what_is_sealed_opens_in_its_place() -> None:
    key, where = new_key(), place()
    blob = seal(SECRET, where, key)
    assert unseal(blob, where, key) == SECRET
    assert blob[:4] == b"SV\x01\x01"
    assert key_id_of(blob) == key.id
    assert len(blob) == 4 + 16 + 12 + len(SECRET) + 16


def test_the_shortest_value_is_one_of_ours() -> None:
    """Header and tag alone; a byte less is refused before any key is looked for."""
    key, where = new_key(), place()
    blob = seal(b"", where, key)
    assert unseal(blob, where, key) == b""
    with pytest.raises(TokenTampered):
        key_id_of(blob[:-1])


def test_each_part_is_told_with_its_length() -> None:
    """Four bytes of length, then the part, and nothing in between: what is sealed must open after an upgrade, too."""
    assert length_prefixed([b"ab", b"", b"c"]) == b"\0\0\0\2ab\0\0\0\0\0\0\0\1c"


def test_sealing_twice_gives_different_blobs() -> None:
    key, where = new_key(), place()
    assert len({seal(SECRET, where, key)[20:32] for _ in range(2_000)}) == 2_000


def test_a_key_seals_no_more_values_than_random_nonces_bear(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """NIST SP 800-38D 8.3; each key is counted by itself, and however often it was opened meanwhile."""
    assert (cipher.MOST, cipher.ENOUGH) == (2**32, 2**31)
    monkeypatch.setattr(cipher, "MOST", 4)
    monkeypatch.setattr(cipher, "ENOUGH", 2)
    key, other, where = new_key(), new_key(), place()
    seal(SECRET, where, key)
    assert not caplog.records
    seal(SECRET, where, replace(key, aead=AESGCM(os.urandom(32))))
    assert [str(key.id) in record.getMessage() for record in caplog.records] == [True]
    seal(SECRET, where, key)
    assert not cipher.is_worn(key)
    blobs = [seal(SECRET, where, key)]
    assert (cipher.is_worn(key), cipher.is_worn(other), len(caplog.records)) == (True, False, 1)
    blobs.append(seal(SECRET, where, key))
    assert [unseal(blob, where, key) for blob in blobs] == [SECRET] * 2, "an answer that has come is kept all the same"


def test_every_byte_of_a_blob_matters() -> None:
    """C21: each byte of a record flipped, 100% rejected."""
    key, where = new_key(), place()
    blob = seal(SECRET, where, key)
    for index in range(len(blob)):
        damaged = bytearray(blob)
        damaged[index] ^= random.randint(1, 255)
        with pytest.raises(TokenTampered):
            unseal(bytes(damaged), where, key)


@pytest.mark.parametrize("length", [0, 1, 3, 4, 19, 20, 31, 32, 47])
def test_a_cut_blob_is_refused(length: int) -> None:
    key, where = new_key(), place()
    with pytest.raises(TokenTampered):
        unseal(seal(b"", where, key)[:length], where, key)


def test_an_added_byte_is_refused() -> None:
    key, where = new_key(), place()
    with pytest.raises(TokenTampered):
        unseal(seal(SECRET, where, key) + b"\0", where, key)


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"organization_id": uuid4()},
        {"table": "vault_attempt"},
        {"row_id": uuid4()},
        {"column": "sealed_answer"},
        {"provider": "google"},
        {"generation": 6},
        {"owner": "another"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_blob_opens_in_no_other_place(elsewhere: dict[str, object]) -> None:
    """C21: AAD binds table, row, column and organization."""
    key, where = new_key(), place()
    blob = seal(SECRET, where, key)
    with pytest.raises(TokenTampered):
        unseal(blob, replace(where, **elsewhere), key)  # type: ignore[arg-type]


def test_another_key_of_the_same_name_does_not_open() -> None:
    key, where = new_key(), place()
    with pytest.raises(TokenTampered):
        unseal(seal(SECRET, where, key), where, replace(key, aead=AESGCM(os.urandom(32))))


def test_parts_cannot_be_shifted_into_each_other() -> None:
    assert length_prefixed([b"ab", b"c"]) != length_prefixed([b"a", b"bc"])
    key, row = new_key(), uuid4()
    blob = seal(SECRET, Place(ORGANIZATION, "vault_a", row, "bc"), key)
    with pytest.raises(TokenTampered):
        unseal(blob, Place(ORGANIZATION, "vault_ab", row, "c"), key)


def test_the_cipher_is_aes_256_gcm_as_published() -> None:
    """C21: NIST's test case 16 of the GCM submission (AES-256, 60 bytes, 20 bytes of associated data)."""
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    nonce = bytes.fromhex("cafebabefacedbaddecaf888")
    plain = bytes.fromhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
    aad = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    tag = bytes.fromhex("76fc6ece0f4e1768cddf8853bb2d551b")
    assert AESGCM(key).encrypt(nonce, plain, aad)[-16:] == tag
    sealing = SealingKey(uuid4(), ORGANIZATION, AESGCM(key))
    where = place()
    assert (
        AESGCM(key).decrypt(
            (blob := seal(plain, where, sealing))[20:32],
            blob[32:],
            length_prefixed(
                (
                    b"sv1",
                    b"\x01",
                    sealing.id.bytes,
                    where.organization_id.bytes,
                    b"vault_credential",
                    where.row_id.bytes,
                    b"sealed",
                    b"salesforce",
                    b"7",
                    b"whose",
                )
            ),
        )
        == plain
    )


MANY = 10_000


def test_any_two_of_ten_thousand_swapped_are_refused() -> None:
    """V19, C21, I5: each blob offered at another's place in turn: 100% of 10,000."""
    key = new_key()
    places = [place() for _ in range(MANY)]
    blobs = [seal(b"a token", where, key) for where in places]
    others = [(index + random.randint(1, MANY - 1)) % MANY for index in range(MANY)]
    assert sum(_is_refused(blobs[other], where, key) for other, where in zip(others, places, strict=True)) == MANY


def test_any_byte_flipped_in_ten_thousand_is_refused() -> None:
    """C21, V19: any byte, any change: 100% of 10,000."""
    key, where, refused = new_key(), place(), 0
    for _ in range(MANY):
        damaged = bytearray(seal(SECRET, where, key))
        damaged[random.randrange(len(damaged))] ^= random.randint(1, 255)
        refused += _is_refused(bytes(damaged), where, key)
    assert refused == MANY


def test_an_older_generation_put_back_is_refused() -> None:
    """I5, I3: 100% of 10,000, whichever earlier generation its place says; with real rows, test_any_row.py."""
    key, refused = new_key(), 0
    for _ in range(MANY):
        where = replace(place(), generation=random.randint(2, 1_000_000))
        older = replace(where, generation=random.randint(0, where.generation - 1))
        refused += _is_refused(seal(b"a token", older, key), where, key)
    assert refused == MANY


def _is_refused(blob: bytes, where: Place, key: SealingKey) -> bool:
    try:
        unseal(blob, where, key)
    except TokenTampered:
        return True
    return False
