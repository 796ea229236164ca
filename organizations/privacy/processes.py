"""What processes hold open though its name is gone, and what of their memory went to a disk. Linux only.

Opens nothing but regular files, and never a process's memory."""

import contextlib
import stat
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from organizations.privacy.needles import chunks_of
from organizations.privacy.stores import NotChecked, Piece, Undo

_PROC = Path("/proc")
_GONE = " (deleted)"


@dataclass
class OpenFiles:
    """`owner`: this process and all below it; 0: all that this user may look at."""

    owner: int = 0
    name: str = "open files that were deleted"

    def contents(self) -> Iterator[Piece | NotChecked]:
        if sys.platform != "linux":
            yield NotChecked(self.name, "this needs Linux")
            return
        for pid in _below(self.owner):
            yield from self._of(pid)

    def _of(self, pid: int) -> Iterator[Piece | NotChecked]:
        where = f"process {pid} ({_named(pid)})"
        try:
            handles = list(_handles(pid))
        except PermissionError:
            yield NotChecked(where, "it is closed to other processes of its user; root may look")
            return
        yield Piece(where, ())
        for handle, target in handles:
            if target.startswith("/") and target.endswith(_GONE) and not target.startswith("/memfd:"):
                yield from self._held(handle, f"{target} of {where}")

    def _held(self, handle: Path, where: str) -> Iterator[Piece | NotChecked]:
        try:
            if stat.S_ISREG(handle.stat().st_mode):
                with handle.open("rb") as file:
                    yield Piece(where, chunks_of(file))
        except FileNotFoundError:
            return  # closed meanwhile
        except OSError as error:
            yield NotChecked(where, type(error).__name__)

    def plant(self, text: str) -> Undo:
        """Ours, open: what nobody else can see any more."""
        file = tempfile.TemporaryFile()  # noqa: SIM115  open until it is taken away
        file.write(text.encode())
        file.flush()
        return file.close


@dataclass
class SwappedOut:
    """Whether memory of these processes went to a disk; what is there cannot be read, so it is said."""

    owner: int = 0
    name: str = "memory that went to a swap file"

    def contents(self) -> Iterator[Piece | NotChecked]:
        for pid in _below(self.owner) if sys.platform == "linux" else ():
            kilobytes = _swapped(pid)
            if kilobytes:
                yield NotChecked(f"process {pid} ({_named(pid)})", f"{kilobytes} kB of its memory are swapped out")
            elif kilobytes == 0:
                yield Piece(f"process {pid}: nothing is swapped out", ())

    def plant(self, _text: str) -> Undo | None:
        return None


def _below(owner: int) -> list[int]:
    """All processes there are, or `owner` and its descendants."""
    parents = {int(each.name): _parent(int(each.name)) for each in _PROC.iterdir() if each.name.isdigit()}
    if not owner:
        return sorted(parents)
    family = {owner}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return sorted(family & parents.keys())


def _handles(pid: int) -> Iterator[tuple[Path, str]]:
    """What is open, and what it is called. Raises PermissionError."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # the process ended
        for handle in list((_PROC / str(pid) / "fd").iterdir()):
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                yield handle, str(handle.readlink())


def _parent(pid: int) -> int:
    try:
        return int((_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def _named(pid: int) -> str:
    try:
        return (_PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return "gone"


def _swapped(pid: int) -> int | None:
    try:
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
        return next((int(line.split()[1]) for line in lines if line.startswith("VmSwap:")), None)
    except (OSError, ValueError):
        return None
