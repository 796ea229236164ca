"""What a place is in which something of a mail could be left, and files as the commonest of them.

Reads bytes only; what cannot be read is said, never passed over."""

import bz2
import gzip
import lzma
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol, cast

from organizations.privacy.needles import chunks_of

#: Logs are mostly kept so.
_PACKED: dict[bytes, Callable[[IO[bytes]], IO[bytes]]] = {
    b"\x1f\x8b": lambda file: cast("IO[bytes]", gzip.GzipFile(fileobj=file)),
    b"BZh": lambda file: cast("IO[bytes]", bz2.BZ2File(file)),
    b"\xfd7zXZ": lambda file: cast("IO[bytes]", lzma.LZMAFile(file)),  # noqa: SIM115  closed with what it reads
}


@dataclass(frozen=True, slots=True)
class Piece:
    """`where`: a file, a table, a key; `chunks`: its bytes, read once."""

    where: str
    chunks: Iterable[bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class NotChecked:
    where: str
    reason: str


#: Undoes a planting.
Undo = Callable[[], object]


class Store(Protocol):
    """`plant` leaves a text there as a leak would and returns what takes it away again: only where the installation is
    thrown away afterwards. None where it cannot."""

    name: str

    def contents(self) -> Iterator[Piece | NotChecked]: ...

    def plant(self, text: str, /) -> Undo | None: ...


@dataclass
class Folder:
    """All files below `path`. `since`: only what was changed after that (seconds of the clock); `but`: not below these;
    `may_be_missing`: that it is not there is nothing to tell."""

    name: str
    path: Path
    since: float = 0.0
    but: tuple[Path, ...] = ()
    may_be_missing: bool = False

    def contents(self) -> Iterator[Piece | NotChecked]:
        if not self.path.is_dir():
            if not self.may_be_missing:
                yield NotChecked(str(self.path), "there is no such folder on this machine")
            return
        unread: list[OSError] = []
        for folder, below, names in os.walk(self.path, onerror=unread.append):
            below[:] = [name for name in below if Path(folder, name) not in self.but]
            for name in names:
                yield from self._file(Path(folder, name))
        yield from (NotChecked(str(error.filename), _reason(error)) for error in unread if not _is_gone(error))

    def _file(self, path: Path) -> Iterator[Piece | NotChecked]:
        try:
            told = path.lstat()
            if not stat.S_ISREG(told.st_mode) or max(told.st_mtime, told.st_ctime) < self.since:
                return
            with path.open("rb") as file:
                yield Piece(str(path), _unpacked(file))
        except FileNotFoundError:
            return  # gone meanwhile
        except (OSError, EOFError, lzma.LZMAError) as error:
            yield NotChecked(str(path), _reason(error))

    def plant(self, text: str) -> Undo | None:
        self.path.mkdir(parents=True, exist_ok=True)
        path = self.path / "planted"
        path.write_text(text)
        return path.unlink


def _unpacked(file: IO[bytes]) -> Iterator[bytes]:
    """As it lies there, and where it is packed also what is in it."""
    yield from chunks_of(file)
    file.seek(0)
    begins = file.read(8)
    file.seek(0)
    for mark, opened in _PACKED.items():
        if begins.startswith(mark):
            yield from chunks_of(opened(file))


def _is_gone(error: OSError) -> bool:
    return isinstance(error, FileNotFoundError)


def _reason(error: Exception) -> str:
    return "this user may not read it" if isinstance(error, PermissionError) else type(error).__name__
