"""Seals batches of hits on their way to the database: what happened under TRACKING_KEY, who asked also under the day's
key. That one is public here: this process can close the box and never open it again."""

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE, _SALT, _POINT, _MAC = 12, 16, 32, 16
_HEAD = _NONCE + _SALT


class NotOurs(ValueError):
    """What is in the stream was not sealed with any of our keys."""


class BatchBox:
    """Under TRACKING_KEY, by keys derived for this purpose alone. The newest seals, each opens. Each process seals with
    a salt of its own: random nonces are safe for 2**32 batches of a key, which are 50 days of a busy process."""

    def __init__(self, keys: list[bytes]) -> None:
        self._keys = keys
        self._salt = os.urandom(_SALT)
        self._sealing = self._aeads(self._salt)[0]
        self._macs = [_derived(key, b"the day's public key") for key in keys]

    def seal(self, plain: bytes) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._salt + self._sealing.encrypt(nonce, plain, None)

    def open(self, sealed: bytes) -> bytes:
        """Raises NotOurs."""
        nonce, salt, text = sealed[:_NONCE], sealed[_NONCE:_HEAD], sealed[_HEAD:]
        for aead in self._aeads(salt):
            try:
                return aead.decrypt(nonce, text, None)
            except (InvalidTag, ValueError):
                continue
        raise NotOurs("A batch of hits does not open with TRACKING_KEY.")

    def _aeads(self, salt: bytes) -> list[AESGCM]:
        return [AESGCM(_derived(key, b"hits in batches", salt)) for key in self._keys]

    @staticmethod
    def nonce_of(sealed: bytes) -> bytes:
        """12 random bytes that no other batch has."""
        return sealed[:_NONCE]

    def publish_day(self, name: bytes, public: bytes) -> bytes:
        """The day's public key as it stands in Valkey: whoever can only write there can put no key of his own."""
        return _marked(self._macs[0], public + name)

    def open_day(self, published: bytes) -> tuple[bytes, bytes]:
        """Its name and public key. Raises NotOurs."""
        public, name = published[_MAC : _MAC + _POINT], published[_MAC + _POINT :]
        if not any(hmac.compare_digest(_marked(mac, public + name), published) for mac in self._macs):
            raise NotOurs("The day's key in Valkey was not put there by us.")
        return name, public


class Closing:
    """The day's box in the hot process: one key agreement when it starts, a cheap seal for each batch.

    X25519 with a key pair of this process that dies with it, then HKDF: as in HPKE's base mode (RFC 9180), which
    `cryptography` does not offer yet."""

    def __init__(self, name: bytes, public: bytes) -> None:
        mine = X25519PrivateKey.generate()
        self.name = name
        self._point = mine.public_key().public_bytes_raw()
        shared = mine.exchange(X25519PublicKey.from_public_bytes(public))
        self._aead = AESGCM(_agreed(shared, self._point, public))

    def seal(self, plain: bytes, associated: bytes) -> bytes:
        nonce = os.urandom(_NONCE)
        return self._point + nonce + self._aead.encrypt(nonce, plain, associated)


class Opening:
    """The day's box where hits are drained: holds the private half."""

    def __init__(self, name: bytes, private: bytes) -> None:
        self.name = name
        self._private = X25519PrivateKey.from_private_bytes(private)
        self._public = self._private.public_key().public_bytes_raw()
        self._aeads: dict[bytes, AESGCM] = {}

    def open(self, sealed: bytes, associated: bytes) -> bytes:
        """Raises NotOurs."""
        point, nonce = sealed[:_POINT], sealed[_POINT : _POINT + _NONCE]
        try:
            return self._aead(point).decrypt(nonce, sealed[_POINT + _NONCE :], associated)
        except (InvalidTag, ValueError):
            raise NotOurs("Who asked does not open with the day's key.") from None

    def _aead(self, point: bytes) -> AESGCM:
        """One agreement per process that closed boxes, not per batch."""
        if point not in self._aeads:
            shared = self._private.exchange(X25519PublicKey.from_public_bytes(point))
            self._aeads[point] = AESGCM(_agreed(shared, point, self._public))
        return self._aeads[point]


def _agreed(shared: bytes, point: bytes, public: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"sidebar tracking day" + point + public).derive(shared)


def _marked(mac: bytes, told: bytes) -> bytes:
    return hashlib.blake2b(told, key=mac, digest_size=_MAC).digest() + told


def _derived(key: bytes, purpose: bytes, salt: bytes = b"") -> bytes:
    return hashlib.blake2b(purpose + salt, key=key, digest_size=32).digest()
