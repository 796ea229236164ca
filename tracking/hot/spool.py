"""Where sealed batches wait on this host's disk while the stream is down: bounded, and taken in again afterwards.

One file per process, locked as long as it lives: what a dead process left behind is taken in by any other."""

import asyncio
import fcntl
import logging
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from struct import Struct

from tracking.hot.hits import Entry

log = logging.getLogger("sidebar.tracking")

_LENGTHS = Struct(">IB")  # of the whole entry; of the number of its fields
_FIELD = Struct(">BI")


class Spool:
    """`bound`: bytes on disk at most for this process; what goes beyond is counted in `lost` and not kept."""

    def __init__(self, folder: Path, bound: int) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder, self._bound = folder, bound
        self._path, self._file = _made(folder, f"{os.getpid()}-{os.urandom(4).hex()}")
        self.lost = 0

    @property
    def size(self) -> int:
        return os.fstat(self._file).st_size

    async def keep(self, entries: list[Entry], hits: int) -> None:
        data = b"".join(map(_written, entries))
        if not data:
            return
        if self.size + len(data) > self._bound:
            self.lost += hits
            return
        try:
            await asyncio.to_thread(_append, self._file, data)
        except OSError:
            self.lost += hits

    def own(self) -> "Waiting":
        return Waiting(self._path, self._file, is_own=True)

    def left_behind(self) -> Iterator["Waiting"]:
        """Of processes that have died. Each must be `done()` or `left()`."""
        for path in sorted(self._folder.glob("*.hits")):
            if path == self._path:
                continue
            try:
                yield Waiting(path, _locked(path, os.O_RDWR), is_own=False)
            except OSError:  # its process lives, or somebody else was quicker
                continue


class Waiting:
    """One file of entries, under its lock, read from its beginning. What is appended meanwhile is read too."""

    def __init__(self, path: Path, file: int, *, is_own: bool) -> None:
        self._path, self._file, self._is_own, self._at = path, file, is_own, 0

    def next(self, most: int) -> tuple[list[Entry], int]:
        """The entries that begin within the next `most` bytes, and where the one after them begins. Whole ones only:
        the last may have been cut by a full disk or a kill."""
        entries, at = list[Entry](), self._at
        while at < self._at + most and (found := _read(self._file, at)) is not None:
            entry, at = found
            entries.append(entry)
        return entries, at

    def taken(self, until: int) -> None:
        self._at = until

    def done(self) -> None:
        """Nothing more can be read."""
        if rest := os.fstat(self._file).st_size - self._at:
            log.error("%s bytes at the end of a spool are no whole batch and are dropped", rest)
        os.ftruncate(self._file, 0)
        self._at = 0
        if not self._is_own:
            self._path.unlink(missing_ok=True)
            self.left()

    def left(self) -> None:
        if not self._is_own:
            os.close(self._file)


def _made(folder: Path, name: str) -> tuple[Path, int]:
    """Under its name only once it is locked: nobody may take it for a dead process' file. The name is on disk too."""
    unfinished, path = folder / f"{name}.new", folder / f"{name}.hits"
    file = _locked(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    unfinished.rename(path)
    names = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(names)
    finally:
        os.close(names)
    return path, file


def _locked(path: Path, how: int) -> int:
    file = os.open(path, how | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return file


def _append(file: int, data: bytes) -> None:
    """All of it or nothing: a part would hide what is written after it."""
    before = os.fstat(file).st_size
    try:
        written = os.write(file, data)
        os.fdatasync(file)
    except OSError:
        written = -1
    if written != len(data):
        os.ftruncate(file, before)
        raise OSError("The spool takes nothing.")


def _written(entry: Entry) -> bytes:
    body = b"".join(_FIELD.pack(len(name), len(value)) + name + value for name, value in entry.items())
    return _LENGTHS.pack(len(body), len(entry)) + body


def _read(file: int, at: int) -> tuple[Entry, int] | None:
    """None where no whole entry begins: at the end, behind a cut, or in what something else has written."""
    head = os.pread(file, _LENGTHS.size, at)
    if len(head) < _LENGTHS.size:
        return None
    length, fields = _LENGTHS.unpack(head)
    begin, end = at + _LENGTHS.size, at + _LENGTHS.size + length
    if end > os.fstat(file).st_size:
        return None
    try:
        entry = dict(_fields(os.pread(file, length, begin), fields))
    except struct.error:
        return None
    return (entry, end) if entry else None


def _fields(data: bytes, count: int) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    for _ in range(count):
        name, value = _FIELD.unpack_from(data, at)
        at += _FIELD.size
        yield data[at : at + name], data[at + name : at + name + value]
        at += name + value
