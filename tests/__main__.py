"""Runs all tests in two processes side by side, each with servers of its own: `python -m tests`, for `make test`.

One process leaves half of two cores idle: many tests wait, for another process or for a clock."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from functools import partial
from typing import IO

from config.embedded.account import die_with_owner

PYTEST = (sys.executable, "-m", "pytest")
#: The rooms of the second process; all others are the first's. Chosen so that both take about as long.
SECOND = ("tests/faults", "tests/sync", "tests/tracking", "tests/vault")


def main() -> int:
    if os.environ.get("DATABASE_URL") or os.environ.get("REDIS_URL"):
        return subprocess.call(PYTEST)  # servers given from outside are there once
    sys.stderr.write(f"Beside these run {', '.join(SECOND)}: what they say comes at the end.\n")
    return side_by_side([f"--ignore={room}" for room in SECOND], list(SECOND))


def side_by_side(first: list[str], second: list[str]) -> int:
    """0 where both pass. What the second says is shown whole, after the first."""
    with tempfile.TemporaryFile() as told:
        processes = _start(first), _start(second, told)
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both, which end in order
        codes = [process.wait() for process in processes]
        signal.signal(signal.SIGINT, before)
        told.seek(0)
        shutil.copyfileobj(told, sys.stdout.buffer)
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
