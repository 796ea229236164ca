"""Starts throw-away PostgreSQL and Valkey for one test run, before Django reads its settings; a pytest plugin.

With DATABASE_URL and REDIS_URL given, those servers are used and none is started. Every key is random."""

import atexit
import base64
import fcntl
import os
import secrets
import shutil
from collections.abc import Generator
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from config.embedded import NotStartedError
from config.embedded.postgres import Postgres
from config.embedded.processes import Supervisor
from config.embedded.valkey import Valkey

ROOT = Path(__file__).resolve().parent.parent
RUNS = ROOT / ".local" / "test"

#: The servers that were given from outside; empty when this run brought its own.
GIVEN: dict[str, str] = {}

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
    for name in ("VAULT_KEK", "AUDIT_KEY", "SIGNING_KEY"):
        os.environ[name] = base64.b64encode(secrets.token_bytes(32)).decode()
    os.environ["SECRET_KEY"] = secrets.token_urlsafe(64)
    os.environ["PUBLIC_URL"] = "http://localhost:8000"
    os.environ["LOCAL_DIR"] = str(folder())
    GIVEN.update({name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL") if os.environ.get(name)})
    try:
        _check_database() if "DATABASE_URL" in GIVEN else _start_postgres()
        if "REDIS_URL" not in GIVEN:
            _start_valkey()
    except NotStartedError as reason:
        raise pytest.UsageError(str(reason)) from None
    os.environ["KEY_STORE_URL"] = os.environ.get("KEY_STORE_URL") or _beside(os.environ["DATABASE_URL"])


def _check_database() -> None:
    try:
        with psycopg.connect(GIVEN["DATABASE_URL"], connect_timeout=10) as connection:
            found = connection.execute("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user")
            if found.fetchone() != (True,):
                raise NotStartedError("The role in DATABASE_URL needs CREATEDB: tests make databases of their own.")
    except psycopg.Error as error:
        raise NotStartedError(f"DATABASE_URL cannot be used ({type(error).__name__}).") from None


def _start_postgres() -> None:
    postgres = Postgres(folder() / "postgres", folder() / "postgres.log", throw_away=True)
    _supervisor.start(postgres.program())
    postgres.provision(may_create=True)
    os.environ["DATABASE_URL"] = postgres.url("sidebar")


def _start_valkey() -> None:
    valkey = Valkey(folder() / "valkey", folder() / "valkey.log")
    _supervisor.start(valkey.program())
    os.environ["REDIS_URL"] = valkey.url()


def _beside(database_url: str) -> str:
    """The key store of the tests: a second database on the same server (pytest-django creates test_<name>)."""
    parts = urlsplit(database_url)
    return urlunsplit(parts._replace(path=f"{parts.path}_keys"))


@cache
def folder() -> Path:
    """One per run, since several may run at once; a lock says which are alive, and dead ones are removed."""
    RUNS.mkdir(parents=True, exist_ok=True)
    gate = os.open(RUNS, os.O_RDONLY)
    fcntl.flock(gate, fcntl.LOCK_EX)  # nobody may take a folder for dead between its making and its lock
    for leftover in RUNS.iterdir():
        if _lock(leftover) is not None:
            shutil.rmtree(leftover, ignore_errors=True)
    own = RUNS / str(os.getpid())
    own.mkdir(mode=0o711)
    _held.append(_lock(own))
    os.close(gate)
    return own


def _lock(directory: Path) -> int | None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
