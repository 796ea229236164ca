"""The state directory (`.local/`): one owner at a time, development secrets, and a note of what is running.

Standard library only: manage.py reads the note without the embedded servers being installed."""

import base64
import contextlib
import fcntl
import json
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from config.embedded import NotStartedError, guard

DEFAULT = Path(__file__).resolve().parents[2] / ".local"
CLEARING_AWAY = 10.0  # seconds that the guard of a killed run may need


class State:
    """Holds the directory until released. Raises NotStartedError when another run holds it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self.log = self.directory / "log"
        self.note = self.directory / "run.json"
        _make(self.directory)
        self._lock = self._take()
        self._owner_file().write_text(str(os.getpid()))
        self._guard: subprocess.Popen[bytes] | None = None

    def _owner_file(self) -> Path:
        return self.directory / "owner.pid"

    def _take(self) -> int:
        """A lock of the kernel on the folder itself: it cannot outlive its holders, and leaves no file behind."""
        handle = os.open(self.directory, os.O_RDONLY)
        deadline = time.monotonic() + CLEARING_AWAY
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return handle
            except BlockingIOError:
                owner = self._live_owner()
                if owner or time.monotonic() > deadline:
                    os.close(handle)
                    who = f" (process {owner})" if owner else ""
                    raise NotStartedError(
                        f"Already running from {_shown(self.directory)}{who}. Stop that one first."
                    ) from None
            time.sleep(0.05)  # its owner was killed, and the guard is still clearing away

    def _live_owner(self) -> int | None:
        try:
            pid = int(self._owner_file().read_text())
            os.kill(pid, 0)
        except (OSError, ValueError):
            return None
        return pid

    def watch_over(self, groups: list[tuple[int, int]]) -> None:
        """Tell the guard which process groups to end, each by which signal, should we be killed."""
        if self._guard is None or self._guard.poll() is not None:
            self._guard = self._start_guard()
        self._tell(self._guard, " ".join(f"{group}:{number}" for group, number in groups) + "\n")

    def _start_guard(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(guard.__file__)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            pass_fds=[self._lock],  # the next run waits until the guard is done
            start_new_session=True,
        )

    def _tell(self, listener: subprocess.Popen[bytes], line: str) -> None:
        if listener.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # killed by somebody: the kernel's signal still reaches children
                listener.stdin.write(line.encode())

    def secret(self, name: str) -> Path:
        """The file of a random key of 32 bytes (base64), made at first use."""
        path = self.directory / "secrets" / name
        if not path.exists():
            self.keep(name, base64.b64encode(secrets.token_bytes(32)).decode())
        return path

    def has_secret(self, name: str) -> bool:
        return (self.directory / "secrets" / name).exists()

    def keep(self, name: str, value: str) -> Path:
        """Write a secret; whole or not at all, readable by us only."""
        path = self.directory / "secrets" / name
        _make(path.parent, 0o700)
        _write(path, value)
        return path

    def publish(self, facts: dict[str, Any]) -> None:
        _write(self.note, json.dumps(facts, indent=1))

    def release(self) -> None:
        self.note.unlink(missing_ok=True)
        self._owner_file().unlink(missing_ok=True)
        if self._guard is not None and self._guard.stdin is not None:
            self._tell(self._guard, "\n")  # the numbers may soon be somebody else's
            self._guard.stdin.close()
            self._guard.wait()
        os.close(self._lock)


def running(directory: Path = DEFAULT) -> dict[str, Any] | None:
    """What the run in this directory published, while it runs."""
    try:
        facts: dict[str, Any] = json.loads((directory / "run.json").read_text())
        os.kill(facts["pids"]["owner"], 0)
    except (OSError, ValueError, KeyError):
        return None
    return facts


def adopt_environment(directory: Path = DEFAULT) -> None:
    """For commands typed while `make run` is up: talk to its servers, with its keys, unless told otherwise."""
    facts = running(directory)
    if facts and not os.environ.get("DATABASE_URL") and not os.environ.get("DATABASE_URL_FILE"):
        for name, value in facts["environment"].items():
            os.environ.setdefault(name, value)


def _make(directory: Path, mode: int = 0o755) -> None:
    """When root is strict (`umask 077`), the servers' user must still pass to its own data below."""
    if directory.is_dir():
        if not os.access(directory, os.W_OK):
            raise NotStartedError(f"{_shown(directory)} belongs to another user. Run as that user, or remove it.")
        return
    directory.mkdir(parents=True)
    directory.chmod(mode)


def _write(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    part.replace(path)


def _shown(path: Path) -> str:
    return os.path.relpath(path)
