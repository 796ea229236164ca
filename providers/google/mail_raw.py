"""Reads a message out of the JSON that Gmail wraps it in, piece by piece: {"raw": "<base64url>"}. Holds one piece.

Source: the reference of users.messages (`raw`: "RFC 2822 formatted and base64url encoded string"). A server may write
"=" as \\u003d and may order members as it likes (RFC 8259)."""

import binascii
import re
from collections.abc import Iterator

from providers.errors import Rejected
from providers.google.failures import PROVIDER, nonsense
from providers.streaming import Streamed

#: base64 is a third longer; what stands around it is bounded by `fields=raw`.
_AROUND = 64 * 1024
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_STRUCTURE = re.compile(rb'["\\{}\[\]:,]')
_STRING_END = re.compile(rb'["\\]')
_ESCAPES = {b"/": b"/", b"n": b"", b"r": b"", b"t": b""}
_LONGEST_NAME = 256
_GROUP = 4


def longest(most: int) -> int:
    """The answer that a message of `most` bytes may take."""
    return most * 4 // 3 + _AROUND


class RawMessage:
    """See `providers.mail.MimeStream`. Iterate once. Raises Rejected (too_long), Transient where the answer breaks off
    or is none."""

    def __init__(self, answer: Streamed, most: int) -> None:
        self._answer, self._most = answer, most

    def __iter__(self) -> Iterator[bytes]:
        taken = 0
        for piece in _decoded(RawMember().of(self._answer)):
            taken += len(piece)
            if taken > self._most:
                raise Rejected("This is longer than what may be transferred.", provider=PROVIDER, code="too_long")
            if piece:
                yield piece


class RawMember:
    """Finds the member `raw` of the outermost object; everything else is passed over unread, whatever its depth."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = self._escaped = self._is_value = self._in_raw = False
        self._name = bytearray()  # of the member that is being read, at depth 1
        self._unicode = b""  # of an escape that is cut by the end of a piece
        self.is_found = self.is_complete = False

    def of(self, pieces: Streamed) -> Iterator[bytes]:
        """The characters of the string. Raises Transient unless the object is whole."""
        for piece in pieces:
            yield from self._read(piece)
        if not (self.is_found and self.is_complete):
            raise nonsense()

    def _read(self, piece: bytes) -> Iterator[bytes]:
        at = 0
        while at < len(piece):
            if self._escaped:
                at, text = self._escape(piece, at)
            elif self._in_string:
                at, text = self._string(piece, at)
            else:
                at, text = self._structure(piece, at), b""
            if text:
                yield text

    def _structure(self, piece: bytes, at: int) -> int:
        found = _STRUCTURE.search(piece, at)
        if found is None:
            return len(piece)
        mark = found[0]
        if mark == b'"':
            self._open()
        elif mark in b"{[":
            self._check(self._depth > 0 or (mark == b"{" and not self.is_complete))
            self._depth += 1
        elif mark in b"}]":
            self._depth -= 1
            self._check(self._depth >= 0)
            self.is_complete = self._depth == 0
        elif self._depth == 1:
            self._is_value = mark == b":"
        return found.end()

    def _open(self) -> None:
        self._check(self._depth > 0)
        self._in_string = True
        if self._depth == 1 and self._is_value:
            self._in_raw = bytes(self._name) == b"raw" and not self.is_found
            self.is_found |= self._in_raw
        elif self._depth == 1:
            self._name.clear()

    def _string(self, piece: bytes, at: int) -> tuple[int, bytes]:
        found = _STRING_END.search(piece, at)
        end = found.start() if found else len(piece)
        text = piece[at:end]
        if self._depth == 1 and not self._is_value and len(self._name) < _LONGEST_NAME:
            self._name += text
        told = text if self._in_raw else b""
        if found and found[0] == b"\\":
            self._escaped = True
        elif found:
            self._in_string = self._in_raw = False
        return (found.end() if found else end), told

    def _escape(self, piece: bytes, at: int) -> tuple[int, bytes]:
        """One byte after the backslash; after a "u" four digits more, which may come in the next piece."""
        self._unicode += piece[at : at + 1]
        if self._unicode[:1] == b"u" and len(self._unicode) < 5:
            return at + 1, b""
        said, self._unicode, self._escaped = self._unicode, b"", False
        if not self._in_raw:
            return at + 1, b""
        return at + 1, self._character(said)

    def _character(self, said: bytes) -> bytes:
        if said[:1] != b"u":
            self._check(said in _ESCAPES)
            return _ESCAPES[said]
        try:
            return chr(int(said[1:], 16)).encode("ascii")
        except ValueError:  # UnicodeEncodeError is one
            raise nonsense() from None

    def _check(self, holds: bool) -> None:
        if not holds:
            raise nonsense()


def _decoded(texts: Iterator[bytes]) -> Iterator[bytes]:
    """Groups of four characters become three bytes; padding may be missing. Raises Transient for anything else."""
    left = b""
    for text in texts:
        whole = left + text
        end = whole.find(b"=")  # padding is the end of it
        full = (len(whole) if end < 0 else end) // _GROUP * _GROUP
        whole, left = whole[:full], whole[full:]
        if len(left) > _GROUP:
            raise nonsense()
        yield _bytes_of(whole)
    last = left.rstrip(b"=")
    yield _bytes_of(last + b"=" * (-len(last) % _GROUP))


def _bytes_of(text: bytes) -> bytes:
    try:
        return binascii.a2b_base64(text.translate(_URL_SAFE), strict_mode=True)
    except binascii.Error:
        raise nonsense() from None
