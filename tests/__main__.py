"""Runs all tests in three processes side by side, each with servers of its own: `python -m tests`, for `make test`.

One process leaves half of two cores idle: many tests wait, for another process or for a clock."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from typing import IO

from config.embedded.account import die_with_owner

PYTEST = (sys.executable, "-m", "pytest")
#: The rooms of the second and of the third process; all others are the first's. Chosen so that all take about
#: as long.
BESIDE = (
    ("tests/journeys", "tests/sync", "tests/vault"),
    ("tests/config", "tests/faults", "tests/hardening", "tests/tracking"),
)


def main() -> int:
    if os.environ.get("DATABASE_URL") or os.environ.get("REDIS_URL"):
        return subprocess.call(PYTEST)  # servers given from outside are there once
    rooms = [room for each in BESIDE for room in each]
    sys.stderr.write(f"Beside these run {', '.join(rooms)}: what they say comes at the end.\n")
    return side_by_side([f"--ignore={room}" for room in rooms], *map(list, BESIDE))


def side_by_side(first: list[str], *others: list[str]) -> int:
    """0 where all pass. What the others say is shown whole, after the first."""
    with ExitStack() as stack:
        told = [stack.enter_context(tempfile.TemporaryFile()) for _ in others]
        processes = [_start(first), *(_start(each, output) for each, output in zip(others, told, strict=True))]
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all, which end in order
        codes = [process.wait() for process in processes]
        signal.signal(signal.SIGINT, before)
        for output in told:
            output.seek(0)
            shutil.copyfileobj(output, sys.stdout.buffer)
    return 1 if any(codes) else 0


def _start(arguments: list[str], output: IO[bytes] | None = None) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [*PYTEST, *arguments],
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
        preexec_fn=partial(die_with_owner, signal.SIGINT, os.getpid()),  # noqa: PLW1509 - one thread
    )


if __name__ == "__main__":
    sys.exit(main())
