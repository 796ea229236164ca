"""Looks for thousands of shapes at once in large files, in time that does not grow with their number.

Knows bytes only."""

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO

CHUNK = 1 << 20
_BLOCK = 8
#: So long a shape holds a whole aligned block of eight wherever it lies.
SHORTEST = 2 * _BLOCK - 1
#: Where a line was broken: by a mail's transfer encodings, also inside JSON.
_BREAKS = (b"=\r\n", b"=\n", b"=\\r\\n", b"\\r\\n", b"\\n")


class Needles:
    """`names`: shape -> what it is called when it is found. Raises ValueError for a shape that is too short."""

    def __init__(self, names: Mapping[bytes, str]) -> None:
        if any(len(shape) < SHORTEST for shape in names):
            raise ValueError(f"a shape has fewer than {SHORTEST} bytes")
        self._names = dict(names)
        self._overlap = max(map(len, names), default=0)
        self._by_block: dict[int, set[bytes]] = defaultdict(set)
        for shape in names:
            for start in range(_BLOCK):
                block = shape[start : start + _BLOCK]
                self._by_block[int.from_bytes(block, sys.byteorder)].add(shape)

    def in_text(self, text: bytes) -> set[str]:
        """The names of what is in it."""
        whole = memoryview(text)[: len(text) - len(text) % _BLOCK]
        hits = self._by_block.keys() & set(whole.cast("Q"))
        likely = set().union(*(self._by_block[block] for block in hits))
        return {self._names[shape] for shape in likely if shape in text}

    def in_chunks(self, chunks: Iterable[bytes]) -> set[str]:
        """As `in_text`, also across two of them, and across a line's break within a shape."""
        found: set[str] = set()
        tail = b""
        for chunk in chunks:
            window = tail + chunk
            if not window.strip(b"\0"):  # a log's file that was made ahead
                continue
            found |= self.in_text(window) | self.in_text(_joined(window))
            tail = window[-2 * self._overlap :]
        return found

    def in_file(self, path: Path) -> set[str]:
        """As `in_chunks`; nothing where the file is gone meanwhile."""
        try:
            with path.open("rb") as file:
                return self.in_chunks(chunks_of(file))
        except FileNotFoundError:
            return set()


def chunks_of(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def _joined(text: bytes) -> bytes:
    for mark in _BREAKS:
        text = text.replace(mark, b"")
    return text.translate(None, b"\r\n")
