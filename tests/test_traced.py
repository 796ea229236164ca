"""What strace tells of files that are written: nothing may pass unseen, or the tests that rely on it prove nothing."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.traced import STRACE, is_possible, writes

WRITES = [
    'openat(AT_FDCWD, "/tmp/_wkdlo1m", O_RDWR|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0600) = 3',
    'openat(AT_FDCWD, "/tmp", O_RDWR|O_EXCL|O_NOFOLLOW|O_CLOEXEC|O_TMPFILE, 0600) = 3',
    'openat(AT_FDCWD, "/var/a", O_RDONLY|O_CREAT, 0600) = 3',
    'openat(AT_FDCWD, "/var/a", O_WRONLY|O_APPEND) = 3',
    'openat(AT_FDCWD, "/var/a", O_WRONLY <unfinished ...>',
    'memfd_create("a", MFD_CLOEXEC)    = 4',
    'rename("a", "b") = 0',
    'mkdir("/tmp/a", 0700) = 0',
]
WRITES_NOTHING = [
    'openat(AT_FDCWD, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC) = 3',
    'openat(AT_FDCWD, "/dev/null", O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0666) = 5',
    'openat(AT_FDCWD, "/var/a", O_RDWR) = -1 ENOENT (No such file or directory)',
    "<... openat resumed>)                   = 3",
]
_PROGRAM = """
import os, tempfile
open("/etc/hostname").read()
kept = tempfile.TemporaryFile(dir=os.environ["PLACE"])
os.memfd_create("plans")
"""


@pytest.mark.parametrize("line", WRITES)
def test_what_is_written_is_seen(line: str) -> None:
    assert writes(f"4711 {line}")


@pytest.mark.parametrize("line", WRITES_NOTHING)
def test_what_is_read_or_fails_is_no_file_of_ours(line: str) -> None:
    assert not writes(f"4711 {line}")


@pytest.mark.skipif(not is_possible(), reason="strace is not installed: apt-get install strace")
def test_files_without_a_name_are_seen_in_a_program_that_closes_itself_to_others(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    closes = "from config.hardening import harden; harden()\n"
    command = [*STRACE, "-o", str(trace), "--", sys.executable, "-c", closes + _PROGRAM]
    subprocess.run(command, env={"PLACE": str(tmp_path)}, check=True, timeout=60)
    found: list[str] = []
    until = time.monotonic() + 10
    while len(found) < 2 and time.monotonic() < until:  # the tracer may be behind
        found = [line for line in trace.read_text().splitlines() if writes(line) and "pycache" not in line]
        time.sleep(0.05)
    assert [name for name in (str(tmp_path), "memfd_create") if not any(name in line for line in found)] == []
