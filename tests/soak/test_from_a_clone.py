"""README's two commands as a stranger types them: a fresh clone, nothing installed, a home of its own. `make soak`."""

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import running, servers
from tests.config import processes_of

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]
SYSTEM_PYTHON = shutil.which("python3.11", path="/usr/bin:/usr/local/bin")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that an ordinary user may enter, as pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="clone-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.skipif(SYSTEM_PYTHON is None, reason="no system-wide Python 3.11")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user, and start as root")
@pytest.mark.parametrize("name", ["root", "nobody"])
def test_a_stranger_has_it_running_in_three_minutes(place: Path, name: str) -> None:
    user = pwd.getpwnam(name)
    clone, home = place / "clone", place / "home"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(servers.ROOT), str(clone)], check=True)
    home.mkdir()
    for path in (place, home, clone, *clone.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)

    first, seconds = start(clone, home, user)
    print(f"\n{name}: ready after {seconds:.0f} s with the installation;", end="")
    assert seconds < 180
    leaves_nothing(first, clone, signal.SIGINT)

    second, seconds = start(clone, home, user)
    print(f" {seconds:.1f} s the next time;", end="")
    assert seconds < 10
    leaves_nothing(second, clone, signal.SIGKILL)

    third, seconds = start(clone, home, user)
    print(f" {seconds:.1f} s after a kill -9.")
    leaves_nothing(third, clone, signal.SIGINT)
    assert {entry.name for entry in home.iterdir()} <= {".cache"}
    assert {entry.name for entry in place.iterdir()} == {"clone", "home", "output"}


def start(clone: Path, home: Path, user: pwd.struct_passwd) -> tuple["subprocess.Popen[bytes]", float]:
    """`make run` in a terminal of its own, until it says `ready`."""
    output = clone.parent / "output"
    environment = {**running.inherited(), "HOME": str(home), "USER": user.pw_name, "PORT": "18600"}
    environment["PATH"] = "/usr/local/bin:/usr/bin:/bin"  # no developer's tools: pip asks even a rustc that is there
    began = time.monotonic()
    with output.open("wb") as terminal:
        process = subprocess.Popen(
            ["make", "run", f"PYTHON={SYSTEM_PYTHON}"],
            cwd=clone,
            env={**environment, "PYTHONUNBUFFERED": "1", "XDG_CACHE_HOME": str(home / ".cache")},
            user=user.pw_uid,
            group=user.pw_gid,
            extra_groups=[],
            stdin=subprocess.DEVNULL,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
    while not re.search(rb"^ready$", output.read_bytes(), re.MULTILINE):
        assert process.poll() is None, output.read_text()
        assert time.monotonic() - began < 600, output.read_text()
        time.sleep(0.05)
    return process, time.monotonic() - began


def owner_of(make: "subprocess.Popen[bytes]") -> int:
    """Make's one child: the process that owns all the others."""
    return next(pid for pid in processes_of.descendants(make.pid) - {make.pid} if processes_of.parent(pid) == make.pid)


def leaves_nothing(make: "subprocess.Popen[bytes]", clone: Path, number: signal.Signals) -> None:
    """SIGINT to all of them, as Ctrl-C sends it; SIGKILL only to the one that looks after the others."""
    everything = processes_of.descendants(make.pid)
    assert len(everything) > 5
    if number == signal.SIGINT:
        os.killpg(make.pid, number)
    else:
        os.kill(owner_of(make), number)
    make.wait(30)
    assert processes_of.wait_until_gone(everything, 5) == {}
    if number == signal.SIGINT:
        left = [clone / ".local" / name for name in ("run.json", "owner.pid", "postgres/data/postmaster.pid")]
        assert not [path for path in left if path.exists()]
