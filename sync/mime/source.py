"""Bytes as they come, given out by lines or up to the next delimiter. Knows nothing of headers or structure.

Never holds more than a piece, a line's share and a delimiter's length; looks at each byte a few times at most."""

import re
from collections.abc import Iterable, Iterator

from sync.mime.bounds import HEADER_TAIL, LONGEST_BOUNDARY, LONGEST_HEADER, MOST_NEAR_DELIMITERS

_PIECE = 64 * 1024
_LINE_END = re.compile(rb"\r\n?|\n")
_EMPTY_LINE = re.compile(rb"\n\r?\n|\r\r")
_LONGEST_DELIMITER = LONGEST_BOUNDARY + 100  # "--", "--" and white space
#: A delimiter's beginning as it is looked for, with the line's end before it.
_LOOK_BEHIND = 16
#: Stands where the middle of a header was left out.
GAP = b"\x00"


class Delimiters:
    """The boundaries that are open, outermost first. A delimiter is known by its whole line, not by its beginning."""

    def __init__(self) -> None:
        self._open: list[bytes] = []
        self._lines: dict[bytes, tuple[int, bool]] = {}
        self._looks_like = _beginnings([])

    def open(self, boundary: bytes) -> None:
        """One level deeper. Where it is the boundary of a level above, too, that one has it."""
        self._open.append(boundary)
        self._index()

    def close_to(self, level: int) -> None:
        """Leave `level` boundaries open."""
        del self._open[level:]
        self._index()

    def found(self, line: bytes) -> tuple[int, bool] | None:
        """(level, is the closing one) where this line, without its end, is a delimiter."""
        return self._lines.get(line.rstrip(b" \t"))

    def nearest(self, buffer: bytes, at: int) -> int:
        """Where from `at` on a line begins that might be one, -1 for nowhere."""
        match = self._looks_like.search(buffer, at)
        return match.start() if match else -1

    def _index(self) -> None:
        self._lines = {}
        for level, boundary in enumerate(self._open):
            self._lines.setdefault(b"--" + boundary, (level, False))
            self._lines.setdefault(b"--" + boundary + b"--", (level, True))
        self._looks_like = _beginnings(self._open)


def _beginnings(boundaries: list[bytes]) -> re.Pattern[bytes]:
    """How a delimiter begins: two dashes and the first bytes of a boundary, behind a line's end. What is searched
    is mostly attachments, and the search is fastest for what a pattern begins with."""
    starts = sorted({re.escape(boundary[:8]) for boundary in boundaries})
    if len(starts) == 1:
        return re.compile(rb"--%s(?<=[\r\n]--%s)" % (starts[0], starts[0]))
    return re.compile(rb"--(?<=[\r\n]--)(?:%s)" % b"|".join(starts) if starts else rb"(?!)")


class Source:
    """`delimiter`: what ended the body or headers read last, None for the end of the message."""

    def __init__(self, pieces: Iterable[bytes], delimiters: Delimiters) -> None:
        self._pieces = pieces_of(pieces)
        self._buffer = b""
        self._at = 0
        self._is_over = False
        self._near = 0
        self._after = 0
        self._delimiters = delimiters
        self.delimiter: tuple[int, bool] | None = None
        self.lines = 0  # given out so far

    @property
    def is_hostile(self) -> bool:
        """There were so many lines that look like delimiters that the rest was not read."""
        return self._near > MOST_NEAR_DELIMITERS

    def line(self) -> bytes | None:
        """The next one without its end (CR LF, LF or CR), and without its middle if too long. None after the last."""
        taken = Shortened()
        self.lines += 1
        while True:
            end = _LINE_END.search(self._buffer, self._at)
            if end is not None and (end.end() < len(self._buffer) or self._is_over):
                taken.add(self._buffer[self._at : end.start()])
                self._at = end.end()
                return taken.value()
            # A CR at the very end may be half of a CR LF.
            stop = len(self._buffer) if end is None else end.start()
            taken.add(self._buffer[self._at : stop])
            self._at = stop
            if not self._fill() and self._at == len(self._buffer):
                return taken.value() if taken else None

    def back(self, line: bytes) -> None:
        """Undo the reading of a line: it comes again, as the beginning of what is read next."""
        self._buffer = line + b"\n" + self._buffer[self._at :]
        self._at = 0

    def pass_head(self) -> bool:
        """Go behind the next empty line, at little cost for each line. False where there is none."""
        self._need(2)
        if self._buffer.startswith((b"\r", b"\n"), self._at):
            self.line()
            return True
        while (end := _EMPTY_LINE.search(self._buffer, self._at)) is None:
            self._at = max(self._at, len(self._buffer) - 3)
            if not self._fill():
                return False
        self._at = end.end()
        return True

    def body(self) -> Iterator[bytes]:
        """Up to the next delimiter or the end of the message; the line's end before a delimiter is the delimiter's."""
        self.delimiter = None
        is_untouched = True  # a delimiter may stand here, with no line's end of the body's own before it
        while True:
            self._need(2)
            at, is_found = self._seek(is_untouched)
            stop = self._line_before(at) if is_found else len(self._buffer) if self._is_over else at
            if stop > self._at:
                is_untouched = False
                yield self._buffer[self._at : stop]
            self._at = self._after if is_found else stop
            if is_found or self._is_over:
                return
            self._fill()

    def _seek(self, is_untouched: bool) -> tuple[int, bool]:
        """(where a delimiter begins, True), or (up to where there is none for sure, False)."""
        buffer, at = self._buffer, self._at
        if not (is_untouched and buffer.startswith(b"--", at)):
            at = self._delimiters.nearest(buffer, at)
        while at >= 0:
            end = _LINE_END.search(buffer, at, at + _LONGEST_DELIMITER)
            is_whole = end is not None and end.end() < len(buffer)
            if not (is_whole or self._is_over or len(buffer) - at >= _LONGEST_DELIMITER):
                return max(self._at, at - 2), False
            line = buffer[at : end.start()] if end else buffer[at : at + _LONGEST_DELIMITER]
            self._after = end.end() if end else len(buffer)
            self.delimiter = self._delimiters.found(line)
            if self.delimiter is not None:
                return at, True
            self._count_near()
            at = self._delimiters.nearest(self._buffer, at + 1)
        return max(self._at, len(self._buffer) - _LOOK_BEHIND), False

    def _count_near(self) -> None:
        self._near += 1
        if self.is_hostile:
            self._buffer, self._at, self._is_over = b"", 0, True

    def _line_before(self, at: int) -> int:
        """Where the line that ends just before `at` ends, without its CR LF, LF or CR."""
        if at - 2 >= self._at and self._buffer.startswith(b"\r\n", at - 2):
            return at - 2
        return max(self._at, at - 1)

    def _need(self, length: int) -> None:
        if len(self._buffer) - self._at < length:
            self._fill()

    def _fill(self) -> bool:
        """Fetch the next piece, and forget what was read. False where there is none."""
        piece = next(self._pieces, b"")
        self._is_over = self._is_over or not piece
        self._buffer = self._buffer[self._at :] + piece
        self._at = 0
        return bool(piece)


class Shortened:
    """Adds bytes up; keeps the beginning and the end, with GAP between, of what grows too long."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._is_cut = False
        self._has_any = False

    def __bool__(self) -> bool:
        return self._has_any

    def add(self, more: bytes) -> None:
        """In linear time, however many there are."""
        self._has_any = self._has_any or bool(more)
        room = max(0, LONGEST_HEADER - len(self._head))
        self._head += more[:room]
        self._tail += more[room:]
        if len(self._tail) > 4 * HEADER_TAIL:
            del self._tail[:-HEADER_TAIL]
            self._is_cut = True

    def value(self) -> bytes:
        if self._is_cut or len(self._tail) > HEADER_TAIL:
            return bytes(self._head) + GAP + bytes(self._tail[-HEADER_TAIL:])
        return bytes(self._head + self._tail)


def pieces_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of one size, about: neither a byte at a time, nor a whole message."""
    small: list[bytes] = []
    length = 0
    for piece in pieces:
        if len(piece) >= _PIECE:
            yield from (b"".join(small), *_slices(piece)) if small else _slices(piece)
            small, length = [], 0
        elif piece:
            small.append(piece)
            length += len(piece)
            if length >= _PIECE:
                yield b"".join(small)
                small, length = [], 0
    if small:
        yield b"".join(small)


def _slices(piece: bytes) -> Iterator[bytes]:
    return (piece[at : at + _PIECE] for at in range(0, len(piece), _PIECE))
