"""Content-Transfer-Encoding undone piece by piece (RFC 2045 6). Never raises: tells what could not be decoded."""

import binascii
import re
from collections.abc import Iterable, Iterator

from sync.mime.bounds import MOST_SHORT_LINES, SHORT_LINE
from sync.mime.source import pieces_of

BASE64_STRAY = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))
UUENCODE = frozenset({b"x-uuencode", b"uuencode", b"x-uue", b"uue"})
_WHITE = b" \t\r\n"
#: In one piece. More of it is no end of anything.
_MOST_PADDING = 100
#: A line of quoted-printable has 76 characters; longer ones are cut where no escape is.
_LONGEST_LINE = 64 * 1024
_LINE = re.compile(rb"[^\r\n]++")
_TRAILING = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n)")


class Undone:
    """Iterate once over what `encoded` says. `is_bad`, once all is read: it was not what its header says."""

    def __init__(self, encoding: bytes, encoded: Iterable[bytes]) -> None:
        name = encoding.strip().lower()
        self.is_bad = False
        if name == b"base64":
            self._decoded = self._base64(encoded)
        elif name == b"quoted-printable":
            self._decoded = _quoted_printable(encoded)
        elif name in UUENCODE:
            self._decoded = pieces_of(self._uuencode(encoded))  # of a line each, they would cost dearly
        else:
            self.is_bad = name not in {b"", b"7bit", b"8bit", b"binary"}
            self._decoded = iter(encoded)

    def __iter__(self) -> Iterator[bytes]:
        return (piece for piece in self._decoded if piece)

    def _base64(self, encoded: Iterable[bytes]) -> Iterator[bytes]:
        """Padding ends a run of it; another may follow (mails put together by hand)."""
        rest = b""
        for piece in encoded:
            letters = piece.translate(None, BASE64_STRAY)
            self.is_bad = self.is_bad or len(letters) != len(piece.translate(None, _WHITE))
            if letters.count(b"=") > _MOST_PADDING:
                letters = letters.replace(b"=", b"")
                self.is_bad = True
            *ended, last = (rest + letters).split(b"=") if b"=" in letters else (rest + letters,)
            yield b"".join(self._run(run) for run in ended if run)
            whole = len(last) - len(last) % 4
            rest = last[whole:]
            yield binascii.a2b_base64(last[:whole])
        yield self._run(rest)

    def _run(self, letters: bytes) -> bytes:
        """One that padding, or the end, has ended. A single letter left over holds no byte."""
        if len(letters) % 4 == 1:
            self.is_bad = True
            letters = letters[:-1]
        return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))

    def _uuencode(self, encoded: Iterable[bytes]) -> Iterator[bytes]:
        """What stands between `begin` and `end`."""
        is_inside = False
        for line in _lines(encoded):
            if not is_inside:
                is_inside = line.startswith(b"begin ")
            elif line.rstrip() == b"end":
                return
            else:
                yield self._uuencoded(line)
        self.is_bad = True

    def _uuencoded(self, line: bytes) -> bytes:
        """Some programs write too many letters: as many count as the first one says."""
        length = (((line[0] - 32) & 63) * 4 + 2) // 3
        try:
            return binascii.a2b_uu(line[: length + 1])
        except binascii.Error:
            self.is_bad = True
            return b""


def _quoted_printable(encoded: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in encoded:
        rest += piece
        end = rest.rfind(b"\n") + 1
        if not end and len(rest) > _LONGEST_LINE:
            end = _outside_escape(rest)
        yield _unescaped(rest[:end])
        rest = rest[end:]
    yield _unescaped(rest)


def _unescaped(lines: bytes) -> bytes:
    """White space before a line's end was added on the way (RFC 2045 6.7 rule 3)."""
    return binascii.a2b_qp(_TRAILING.sub(b"", lines)) if lines else b""


def _outside_escape(line: bytes) -> int:
    last = line.rfind(b"=", len(line) - 3)
    return len(line) if last < 0 else last


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Those that are not empty; one too long to be uuencode's in parts. Ends where too many were too short."""
    rest, read, given = b"", 0, 0
    for piece in pieces:
        lines = _LINE.findall(rest + piece)
        read, given = read + len(piece), given + len(lines)
        if given > MOST_SHORT_LINES + read // SHORT_LINE:
            return
        rest = lines.pop() if lines and not piece.endswith((b"\n", b"\r")) and len(lines[-1]) < _LONGEST_LINE else b""
        yield from lines
    if rest:
        yield rest
