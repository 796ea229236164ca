"""A request's body as it comes, counted and digested piece by piece. Knows no mail, and keeps nothing of it beyond the
request, nor more than HELD_TOGETHER in it.

A body that broke off looks to a WSGI program like one that ended: it is told by its length, or by its digest where it
comes in chunks."""

import base64
import binascii
import hashlib
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any

from sidebar.refusals import BodyCut, LengthRequired, MailTooLarge, TooSlow

PIECE = 16 * 1024
#: Of a whole body. 150 MB take 240 s at 5 Mbit/s.
SECONDS = 300.0
#: Bytes of one body that are held for a second reading, and of all that this process reads at a time.
HELD, HELD_TOGETHER = 8 * 1024 * 1024, 16 * 1024 * 1024
#: RFC 9530, 2: `sha-256=:<base64>:` among others, which may be passed over.
_DIGEST = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]{44}):")


class Upload:
    """Iterate once, then `finish`. `most`: bytes.

    Raises MailTooLarge, LengthRequired where its end could not be known, and while it is read BodyCut and TooSlow."""

    def __init__(self, meta: Mapping[str, Any], most: int) -> None:
        length = str(meta.get("CONTENT_LENGTH") or "")
        self._announced = int(length) if length.isdecimal() else None
        self._expected = _announced_digest(str(meta.get("HTTP_CONTENT_DIGEST", "")))
        if self._announced is None and self._expected is None:
            raise LengthRequired
        if (self._announced or 0) > most:
            raise MailTooLarge
        self._input, self._most, self._taken = meta["wsgi.input"], most, 0
        self._sha256, self._is_over = hashlib.sha256(), False
        self._until = time.monotonic() + SECONDS

    def __iter__(self) -> Iterator[bytes]:
        while not self._is_over:
            piece = self._read()
            self._taken += len(piece)
            self._sha256.update(piece)
            if self._taken > self._most:
                raise MailTooLarge
            if not piece:
                self._check_end()
                return
            yield piece

    def finish(self) -> bytes:
        """Read what nobody wanted; the SHA-256 of the whole. Only then is it known that all of it came."""
        for _ in self:
            pass
        return self._sha256.digest()

    def _read(self) -> bytes:
        """Never beyond the length that was announced: some servers would wait there for the next request."""
        if time.monotonic() > self._until:
            raise TooSlow
        room = PIECE if self._announced is None else min(PIECE, self._announced - self._taken)
        return bytes(self._input.read(room)) if room else b""

    def _check_end(self) -> None:
        self._is_over = True
        is_short = self._announced is not None and self._taken < self._announced
        if is_short or self._expected not in (None, self._sha256.digest()):
            raise BodyCut


class Room:
    """So many bytes and no more, whoever takes them."""

    def __init__(self, most: int) -> None:
        self.most, self.taken, self._lock = most, 0, threading.Lock()

    def take(self, length: int) -> bool:
        with self._lock:
            fits = self.taken + length <= self.most
            self.taken += length if fits else 0
            return fits

    def give(self, length: int) -> None:
        with self._lock:
            self.taken -= length


room = Room(HELD_TOGETHER)


class Held:
    """Passes `pieces` on, and holds them while there is room, until its block ends. `whole`: () where there was none.
    May be iterated again, and goes on then."""

    def __init__(self, pieces: Iterable[bytes], *, is_wanted: bool) -> None:
        self._pieces, self._held, self._length, self._has_room = pieces, list[bytes](), 0, is_wanted

    def __enter__(self) -> "Held":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._let_go()

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if self._has_room:
                self._hold(piece)
            yield piece

    def finish(self) -> None:
        for _ in self:
            pass

    @property
    def whole(self) -> tuple[bytes, ...]:
        return tuple(self._held)

    def _hold(self, piece: bytes) -> None:
        self._has_room = self._length + len(piece) <= HELD and room.take(len(piece))
        if self._has_room:
            self._held.append(piece)
            self._length += len(piece)
        else:
            self._let_go()

    def _let_go(self) -> None:
        room.give(self._length)
        self._held, self._length, self._has_room = [], 0, False


def _announced_digest(header: str) -> bytes | None:
    found = _DIGEST.search(header)
    try:
        return base64.b64decode(found[1], validate=True) if found else None
    except binascii.Error:
        return None
