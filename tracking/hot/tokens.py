"""Tokens of pixels and links: what they stand for is sealed inside, so an answer needs no look-up and has no redirect
that we did not sign. Made by tracking.compose, opened by tracking.hot.app. The only cipher of this room."""

import hashlib
import os
from base64 import b64decode, urlsafe_b64encode
from binascii import a2b_base64
from collections.abc import Iterable
from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES, KEY_ID_BYTES, NONCE_BYTES = 32, 3, 12
_VERSION = b"\x01"
_HEAD = len(_VERSION) + KEY_ID_BYTES + NONCE_BYTES
_IDS = Struct(">16s16sH")  # organization, copy, link; the target follows
#: Longest text of a token: a URL of 2,048 characters must hold it (what Outlook's own link protection takes).
MAX_TOKEN = 2_000
#: base64url into what `binascii` reads. The standard spelling would be a second name for the same token: not taken.
_TO_STANDARD = bytes.maketrans(b"-_+/=", b"+/!!!")


class Kind(IntEnum):
    """Bound to the token as associated data: an open's token is no click's."""

    OPEN = 1
    CLICK = 2


_ASSOCIATED = {kind: b"sidebar tracking token %d" % kind for kind in Kind}


class TokenTooLong(ValueError):
    """The target does not fit into a link that every mail client takes; leave the link as it is."""


class KeyUnusable(ValueError):
    """TRACKING_KEY is not what it must be; the message says what to do."""


class Opened(NamedTuple):
    """What a token stands for. `copy_id`: of a recipient's copy of a message; `link`: its number there, 0 for the
    pixel; `target`: where it leads, "" for the pixel. Ids are the 16 bytes of a UUID: making the objects costs as much
    as opening the token."""

    organization: bytes
    copy_id: bytes
    link: int = 0
    target: str = ""


class Keyring:
    """Keys by their own digest: the first one seals, each opens. Adding one in front of the others is a rotation."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        self._by_id = {_id_of(key): AESGCM(key) for key in keys}
        if not self._by_id:
            raise KeyUnusable("TRACKING_KEY is empty. Set it to 32 random bytes in base64.")
        self._current = next(iter(self._by_id))

    def seal(self, kind: Kind, opened: Opened) -> str:
        """Raises TokenTooLong. Random nonces are safe for 2**32 tokens of one key."""
        plain = _IDS.pack(opened.organization, opened.copy_id, opened.link) + opened.target.encode()
        plain += bytes(-(_HEAD + len(plain) + 16) % 3)  # whole groups of three: no bit of the text is without meaning
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._by_id[self._current].encrypt(nonce, plain, _ASSOCIATED[kind])
        text = urlsafe_b64encode(_VERSION + self._current + nonce + sealed).decode()
        if len(text) > MAX_TOKEN:
            raise TokenTooLong
        return text

    def open(self, kind: Kind, text: str) -> Opened | None:
        """None for whatever we have not sealed, in constant work."""
        if len(text) % 4 or len(text) > MAX_TOKEN:
            return None
        try:
            raw = a2b_base64(text.encode("ascii").translate(_TO_STANDARD), strict_mode=True)
        except ValueError:  # UnicodeEncodeError and binascii.Error are both one
            return None
        key = self._by_id.get(raw[1:4])
        if raw[:1] != _VERSION or key is None:
            return None
        try:
            plain = key.decrypt(raw[4:_HEAD], raw[_HEAD:], _ASSOCIATED[kind])
        except (InvalidTag, ValueError):
            return None
        return _parsed(plain)


def read_keys(text: str) -> list[bytes]:
    """Of TRACKING_KEY: 32 bytes in base64, or several with commas between, the newest first. Raises KeyUnusable."""
    return [_decoded(part.strip()) for part in text.split(",") if part.strip()]


def _parsed(plain: bytes) -> Opened:
    organization, copy_id, link = _IDS.unpack_from(plain)
    return Opened(organization, copy_id, link, plain[_IDS.size :].rstrip(b"\0").decode())


def _id_of(key: bytes) -> bytes:
    return hashlib.blake2b(key, digest_size=KEY_ID_BYTES, person=b"tracking key id").digest()


def _decoded(text: str) -> bytes:
    try:
        key = b64decode(text, validate=True)
    except ValueError:  # binascii.Error is one; not ASCII is another
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyUnusable("TRACKING_KEY must be 32 random bytes in base64; several, with commas between, newest first.")
    return key
