"""A Valkey beside a stack, which a test kills, freezes, and takes the power from. The stack does not start it again."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

from config.embedded.processes import Supervisor
from config.embedded.valkey import Valkey
from tests import running, servers

#: Seconds between looks at the size of Valkey's file.
LOOK = 0.02
#: With `everysec` what is older than this is on the disk ("Append-only file", valkey.io/topics/persistence).
UNSYNCED = 1.0


class OwnValkey:
    def __init__(self, folder: Path, fsync: str) -> None:
        valkey = Valkey(folder, folder.with_suffix(".log"))
        settings = valkey.program().stdin.replace("appendfsync always", f"appendfsync {fsync}")
        self.url = valkey.url()
        self._program = replace(valkey.program(), stdin=settings)
        self._files = valkey.data / "appendonlydir"
        self._supervisor = Supervisor()
        self._sizes: list[tuple[float, str, int]] = []
        self.start()

    @property
    def pid(self) -> int:
        return self._supervisor.children[0].process.pid

    def start(self) -> None:
        self._supervisor.start(self._program)

    def kill(self) -> None:
        """As `kill -9`: whatever it has given to the operating system stays."""
        self._supervisor.children[0].signal_group(signal.SIGKILL)
        self._supervisor.children.pop().process.wait()

    def stop(self) -> None:
        self._supervisor.stop()

    def freeze(self) -> None:
        self._supervisor.children[0].signal_group(signal.SIGSTOP)

    def thaw(self) -> None:
        self._supervisor.children[0].signal_group(signal.SIGCONT)

    def cut_power(self) -> tuple[float, int]:
        """As if the machine had lost its power: what was written within the last second, and so need not be on the disk
        yet, is gone from the file. Returns when that was, and how many bytes."""
        self.kill()
        at, (name, now) = time.monotonic(), self._newest()
        synced = [size for looked, path, size in self._sizes if path == name and looked <= at - UNSYNCED]
        os.truncate(self._files / name, synced[-1] if synced else 0)
        return at, now - (synced[-1] if synced else 0)

    def look(self) -> None:
        """Notes how long its file is."""
        self._sizes.append((time.monotonic(), *self._newest()))
        del self._sizes[:-1_000]

    def _newest(self) -> tuple[str, int]:
        """What it appends to. The number in its name grows with each rewriting."""
        paths = sorted(self._files.glob("*.incr.aof"), key=lambda path: int(path.name.split(".")[-3]))
        return paths[-1].name, paths[-1].stat().st_size


@contextmanager
def own_valkey(name: str, fsync: str = "always") -> Iterator[OwnValkey]:
    valkey, is_over = OwnValkey(servers.folder() / name, fsync), threading.Event()

    def watch() -> None:
        while not is_over.wait(LOOK):
            valkey.look()

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield valkey
    finally:
        is_over.set()
        watching.join()
        valkey.stop()


def beside(valkey: OwnValkey, **settings: str) -> AbstractContextManager[running.Stack]:
    """The whole product, with this Valkey."""
    return running.whole_stack(environment={"REDIS_URL": valkey.url, **settings})
