"""Starts throw-away PostgreSQL and Valkey for one test run, before Django reads its settings; a pytest plugin.

With DATABASE_URL and REDIS_URL given, those servers are used and none is started. Every key is random."""

import atexit
import base64
import fcntl
import os
import secrets
import shutil
from collections.abc import Generator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from config.embedded import NotStarted
from config.embedded.postgres import Postgres
from config.embedded.processes import Supervisor
from config.embedded.valkey import Valkey

ROOT = Path(__file__).resolve().parent.parent
RUNS = ROOT / ".local" / "test"

_supervisor = Supervisor()
_held: list[int | None] = []


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """A wrapper, so that it runs before pytest-django's, which imports the settings."""
    if not early_config.known_args_namespace.help and not early_config.known_args_namespace.version:
        prepare_environment()
    return (yield)


@atexit.register
def _clear_away() -> None:
    """At exit, since pytest skips its own hooks when the settings cannot be read."""
    _supervisor.stop()
    if _held:
        shutil.rmtree(RUNS / str(os.getpid()), ignore_errors=True)


def prepare_environment() -> None:
    for name in ("VAULT_KEK", "AUDIT_KEY"):
        os.environ[name] = base64.b64encode(secrets.token_bytes(32)).decode()
    os.environ["SECRET_KEY"] = secrets.token_urlsafe(64)
    os.environ["PUBLIC_URL"] = "http://localhost:8000"
    if not os.environ.get("DATABASE_URL") or not os.environ.get("REDIS_URL"):
        _start_servers(_own_folder())
    os.environ.setdefault("KEY_STORE_URL", _beside(os.environ["DATABASE_URL"]))


def _start_servers(folder: Path) -> None:
    postgres = Postgres(folder / "postgres", folder / "postgres.log", throw_away=True)
    valkey = Valkey(folder / "valkey", folder / "valkey.log")
    try:
        _supervisor.start(valkey.program(), postgres.program())
        postgres.provision(may_create=True)
    except NotStarted as reason:
        _supervisor.stop()
        pytest.exit(str(reason), returncode=3)
    os.environ.setdefault("DATABASE_URL", postgres.url("sidebar"))
    os.environ.setdefault("REDIS_URL", valkey.url())


def _beside(database_url: str) -> str:
    """The key store of the tests: a second database on the same server (pytest-django creates test_<name>)."""
    parts = urlsplit(database_url)
    return urlunsplit(parts._replace(path=f"{parts.path}_keys"))


def _own_folder() -> Path:
    """One per run, since several may run at once; a lock says which are alive, and dead ones are removed."""
    RUNS.mkdir(parents=True, exist_ok=True)
    gate = os.open(RUNS, os.O_RDONLY)
    fcntl.flock(gate, fcntl.LOCK_EX)  # nobody may take a folder for dead between its making and its lock
    for leftover in RUNS.iterdir():
        if _lock(leftover) is not None:
            shutil.rmtree(leftover, ignore_errors=True)
    folder = RUNS / str(os.getpid())
    folder.mkdir(mode=0o711)
    _held.append(_lock(folder))
    os.close(gate)
    return folder


def _lock(folder: Path) -> int | None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
