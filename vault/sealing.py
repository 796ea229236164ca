"""Seal and unseal with the right organization's key: the cipher and the key store put together."""

from vault import cipher, keys
from vault.cipher import Place


def seal(plaintext: bytes, place: Place) -> bytes:
    return cipher.seal(plaintext, place, keys.primary_key(place.organization_id))


def unseal(blob: bytes, place: Place) -> bytes:
    """Raises TokenTampered (V19) or KeyGone (V18)."""
    return cipher.unseal(blob, place, keys.key_by_id(cipher.key_id_of(blob), place.organization_id))
