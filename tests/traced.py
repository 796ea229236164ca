"""The whole product with its web process and its worker under strace, and what that tells: files that they create or
open to write to. `running.whole_stack(module="tests.traced")`; takes the options of config.run."""

import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path

from config import run
from config.embedded import product
from config.embedded.processes import Program
from tests.running import Stack

#: All by which a file comes to be, grows a name, or gives a descriptor to write to.
CALLS = (
    "open,openat,openat2,creat,memfd_create,mknod,mknodat,truncate,mkdir,mkdirat,"
    "rename,renameat,renameat2,link,linkat,symlink,symlinkat"
)
#: The tracer stands aside (-DD), so that the process stays our child; only these calls stop it (--seccomp-bpf).
STRACE = ("strace", "-DD", "-f", "--seccomp-bpf", "-qq", "-e", "signal=none", "-e", f"trace={CALLS}")
PROGRAMS = ("web", "worker")
_OPENED = re.compile(r"\b(?:open|openat|openat2)\(")
_READS_ONLY = re.compile(r"\bO_RDONLY\b(?!.*\bO_(?:CREAT|TRUNC|TMPFILE)\b)")
_FAILED = re.compile(r"\) += -1 ")
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>")
#: What takes everything and keeps nothing; beat's note of when each task of its schedule ran last; the key store, which
#: config.run keeps in SQLite; the vault's note of how far the database has come (`vault.suspicion`): all are opened
#: again and again, and have places of their own.
_HARMLESS = re.compile(
    r'"/dev/null"|/beat-schedule[^/"]*"|/keys/keys\.sqlite3(?:-journal|-wal|-shm)?"|/spool/database-mark[.0-9]*"'
)


def is_possible() -> bool:
    return sys.platform == "linux" and shutil.which("strace") is not None


@dataclass(frozen=True, slots=True)
class Traces:
    """Of one stack, from a moment on."""

    begins: dict[Path, int]

    @classmethod
    def of(cls, stack: Stack) -> "Traces":
        files = [trace_of(Path(stack.facts["log"]) / f"{name}.log") for name in PROGRAMS]
        return cls({file: file.stat().st_size for file in files})

    def written(self) -> list[str]:
        """The calls since then that created a file, or opened one to write to it."""
        found = []
        for file, begins in self.begins.items():
            with file.open("rb") as trace:
                trace.seek(begins)
                found += [line for line in trace.read().decode("utf-8", "replace").splitlines() if writes(line)]
        return found


def writes(line: str) -> bool:
    """Whether a line of strace's is about a file that can be written to. One that is cut in two counts by its first
    part, even where the call then failed."""
    if _RESUMED.search(line) or _FAILED.search(line) or _HARMLESS.search(line):
        return False
    return not (_OPENED.search(line) and _READS_ONLY.search(line))


def trace_of(log: Path) -> Path:
    return log.with_suffix(".trace")


def _traced(make: Callable[..., Program]) -> Callable[..., Program]:
    @wraps(make)
    def made(*args: object) -> Program:
        program = make(*args)
        return replace(program, command=[*STRACE, "-o", str(trace_of(program.log)), "--", *program.command])

    return made


def main() -> int:
    product.web, product.worker = _traced(product.web), _traced(product.worker)
    return run.main()


if __name__ == "__main__":
    sys.exit(main())
