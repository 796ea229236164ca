"""Child processes: started in order when the one before is ready, restarted when they crash, stopped in reverse.

A child never outlives its owner: the kernel signals it when the owner dies, even by `kill -9`. Children are forked by
the main thread only, since the kernel means the thread, not the process."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from config.embedded import NotStartedError
from config.embedded.account import Account, die_with_owner

POLL = 0.02
LONGEST_PAUSE = 8.0
CALM_AFTER = 30.0  # a child that ran this long starts again with the shortest pause
KEPT_LOG_BYTES = 5_000_000


@dataclass
class Program:
    """What to run. `is_ready` is asked until it says yes; `stop_signal` is also what the child gets when we die."""

    name: str
    command: list[str]
    log: Path
    is_ready: Callable[[], bool] = lambda: True
    environment: Mapping[str, str] | None = None
    directory: Path | None = None
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within: float = 4.0
    ready_within: float = 60.0
    stdin: str = ""
    before: Callable[[], None] = lambda: None


@dataclass
class Child:
    program: Program
    process: subprocess.Popen[bytes]
    started: float = field(default_factory=time.monotonic)
    pause: float = 0.5

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def signal_group(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.process.pid, number)
        except (ProcessLookupError, PermissionError):
            return

    def stop(self) -> None:
        """Ask, wait, then end whatever is left of the group."""
        if not self.has_ended():
            self.process.send_signal(self.program.stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(self.program.stop_within)
        self.signal_group(signal.SIGKILL)
        self.process.wait()


class Supervisor:
    """The children of this process. `on_change` hears of them all whenever there is a new one."""

    def __init__(self, on_change: Callable[[list[Child]], None] = lambda _: None) -> None:
        self.children: list[Child] = []
        self._on_change = on_change

    def start(self, *programs: Program) -> None:
        """Start all of them, then wait until all are ready. Raises NotStartedError, with the log's name, otherwise."""
        self.begin(*programs)
        self.await_ready()

    def begin(self, *programs: Program) -> None:
        for program in programs:
            program.before()
            self.children.append(Child(program, spawn(program)))
            self._on_change(self.children)

    def await_ready(self, *names: str) -> None:
        """Wait for the named children, or for all."""
        for child in self.children:
            if not names or child.program.name in names:
                _await_ready(child)

    def revive(self) -> list[str]:
        """Restart what has ended, each after its pause, which doubles; returns a line for each that was found dead."""
        lines = []
        for index, child in enumerate(self.children):
            if not child.has_ended():
                continue
            ran = time.monotonic() - child.started
            if ran < child.pause:
                continue
            child.signal_group(signal.SIGKILL)  # its own children must not meet its successor
            lines.append(f"{child.program.name} ended ({_ending(child)}); starting it again. {_see(child)}")
            self.children[index] = self._again(child, ran)
            self._on_change(self.children)
        return lines

    def _again(self, child: Child, ran: float) -> Child:
        child.program.before()
        successor = Child(child.program, spawn(child.program))
        successor.pause = 0.5 if ran > CALM_AFTER else min(child.pause * 2, LONGEST_PAUSE)
        return successor

    def stop(self) -> None:
        """Last started, first stopped."""
        while self.children:
            self.children[-1].stop()
            self.children.pop()


def run_to_end(*programs: Program) -> None:
    """Side by side. Raises NotStartedError when one fails."""
    children = [Child(program, spawn(program)) for program in programs]
    for child in children:
        if child.process.wait() != 0:
            raise NotStartedError(f"{child.program.name} failed ({_ending(child)}). {_see(child)}")


def _await_ready(child: Child) -> None:
    within = child.program.ready_within
    deadline = time.monotonic() + within
    while not child.has_ended():
        if child.program.is_ready():
            return
        if time.monotonic() > deadline:
            raise NotStartedError(f"{child.program.name} is not ready after {within:.0f} s. {_see(child)}")
        time.sleep(POLL)
    raise NotStartedError(f"{child.program.name} ended at once ({_ending(child)}). {_see(child)}")


def spawn(program: Program) -> subprocess.Popen[bytes]:
    owner = os.getpid()

    def prepare() -> None:
        os.umask(0o077)  # what a server writes is for its own eyes: Valkey's list of its files is not by itself
        if program.account is not None:
            program.account.enter()
        die_with_owner(program.stop_signal, owner)

    with _opened(program.log) as log:
        process = subprocess.Popen(
            program.command,
            stdin=subprocess.PIPE if program.stdin else subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=None if program.environment is None else dict(program.environment),
            cwd=program.directory,
            start_new_session=True,  # the terminal's Ctrl-C is ours to pass on, in order
            preexec_fn=prepare,  # noqa: PLW1509 - one thread, and nothing but system calls in the child
        )
    if process.stdin is not None:
        process.stdin.write(program.stdin.encode())
        process.stdin.close()
    return process


def _opened(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > KEPT_LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")


def _see(child: Child) -> str:
    return f"See {os.path.relpath(child.program.log)}."


def _ending(child: Child) -> str:
    code = child.process.returncode
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
