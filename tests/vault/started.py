"""Web and worker processes as the product starts them, on the databases of a test, for what only a whole one shows."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from config.embedded import ports, product
from config.embedded.processes import Program
from tests.vault.rotating import Rotating
from tests.vault.test_crashes import _url


def environment(provider: Rotating, folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": _url("default"),
        "KEY_STORE_URL": _url("keys"),
        "VAULT_SPOOL_DIR": str(folder / "spool"),
        "SALESFORCE_ORIGINS": provider.server.url,
        "OUTBOUND_CA_BUNDLE": str(provider.server.ca),
        "SALESFORCE_CLIENT_ID": "client",
        "SALESFORCE_CLIENT_SECRET": "client-secret",
    }


@contextmanager
def running(program: Program, command: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    """Started, and ready; ended in any case."""
    with program.log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=dict(program.environment or {}),
            cwd=program.directory,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        until = time.monotonic() + 60
        while not program.is_ready():
            assert process.poll() is None, program.log.read_text()
            assert time.monotonic() < until, program.log.read_text()
            time.sleep(0.1)
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # granian's workers would live on
        process.wait(10)


@contextmanager
def web(provider: Rotating, folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """granian with one worker; with the URL where it listens."""
    port = ports.free()
    program = product.web(port, "http://localhost:8000", folder, environment(provider, folder))
    at = program.command.index("--workers") + 1
    with running(program, [*program.command[:at], "1", *program.command[at + 1 :]]) as process:
        yield process, f"http://127.0.0.1:{port}"


@contextmanager
def worker(provider: Rotating, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Celery without its timetable: it works only on what the test asks for."""
    program = product.worker(folder, folder, environment(provider, folder))
    at = program.command.index("--schedule")
    command = [part for part in (*program.command[:at], *program.command[at + 2 :]) if part != "--beat"]
    with running(program, command) as process:
        yield process
