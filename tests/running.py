"""The whole product as `make run` starts it, on free ports, for journeys, browser and fault tests and the bench.

with whole_stack() as stack:
    requests.get(stack.public_url)
"""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from tests import servers

#: What a test run sets for itself must not reach the product under test; what the operator gave comes back below.
NOT_INHERITED = (
    *(
        "SECRET_KEY",
        "VAULT_KEK",
        "AUDIT_KEY",
        "SIGNING_KEY",
        "PUBLIC_URL",
        "LOCAL_DIR",
        "KEY_STORE_URL",
        "TRACKING_KEY",
        "TRACKING_URL",
    ),
    *("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "PORT", "DEMO_MAILBOX", "OUTBOUND_CA_BUNDLE"),
    *("SALESFORCE_ORIGINS", "SALESFORCE_LOGINS", "SALESFORCE_CLIENT_ID", "SALESFORCE_CLIENT_SECRET"),
    *("GOOGLE_OAUTH_URL", "GOOGLE_GMAIL_URL", "GOOGLE_CALENDAR_URL", "GOOGLE_JWKS_URL"),
    *("GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET", "MICROSOFT_LOGIN_URL", "MICROSOFT_GRAPH_URL"),
    *("GOOGLE_PUBSUB_TOPIC", "GOOGLE_PUBSUB_ACCOUNT", "GOOGLE_PUBSUB_AUDIENCE"),
    *("MICROSOFT_CLIENT_ID", "MICROSOFT_CLIENT_SECRET"),
)
#: Seconds, on a machine that runs other tests beside: a limit, not a promise (tests/config/test_run.py has that).
PATIENCE = 120
_numbers = count(1)


@dataclass
class Stack:
    """A running product. `facts` is run.json: public_url, port, pids, database_url, redis_url, environment, ..."""

    process: subprocess.Popen[bytes]
    state: Path
    facts: dict[str, Any]
    seconds: float
    output: Path

    @property
    def public_url(self) -> str:
        return str(self.facts["public_url"])

    @property
    def ca(self) -> str:
        return str(self.facts["ca"])

    @property
    def environment(self) -> dict[str, str]:
        """For a management command that shall act on this stack."""
        return {**inherited(), **self.facts["environment"]}

    def org(self, key: str) -> dict[str, Any]:
        return next(dict(org) for org in self.facts["orgs"] if org["key"] == key)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(90)  # one part after the other, each with its own time


@contextlib.contextmanager
def whole_stack(
    state: Path | None = None, environment: Mapping[str, str] | None = None, module: str = "config.run"
) -> Iterator[Stack]:
    """Start everything in `state` (a new folder of this test run), wait for `ready`, and stop it at the end.

    `module`: what is run, with the options of config.run."""
    state = state or servers.folder() / f"stack-{next(_numbers)}"
    environment = dict(environment or {})
    with contextlib.nullcontext(environment) if "DATABASE_URL" in environment else given_servers() as given:
        stack = start(state, {**given, **environment}, module=module)
        try:
            yield stack
        finally:
            if stack.process.poll() is None:
                stack.stop()


def start(state: Path, environment: Mapping[str, str], port: int = 0, module: str = "config.run") -> Stack:
    """Raises AssertionError with what it printed when it is not ready in PATIENCE."""
    state.mkdir(parents=True, exist_ok=True)
    output = state / "terminal.log"
    began = time.monotonic()
    with output.open("wb") as terminal:
        process = subprocess.Popen(
            [sys.executable, "-m", module, "--port", str(port), "--state", str(state)],
            cwd=servers.ROOT,
            env={**inherited(), "PYTHONUNBUFFERED": "1", **environment},
            stdin=subprocess.DEVNULL,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
    while b"ready\n" not in output.read_bytes():
        if process.poll() is not None or time.monotonic() - began > PATIENCE:
            process.kill()
            raise AssertionError(f"Not ready: {output.read_text()}")
        time.sleep(0.05)
    seconds = time.monotonic() - began
    return Stack(process, state, json.loads((state / "run.json").read_text()), seconds, output)


def inherited() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name not in NOT_INHERITED and name.removesuffix("_FILE") not in NOT_INHERITED
    }


@contextlib.contextmanager
def given_servers() -> Iterator[dict[str, str]]:
    """On servers given from outside, a database of its own; nothing when the stack brings its own servers."""
    if "DATABASE_URL" not in servers.GIVEN:
        yield dict(servers.GIVEN)
        return
    name = f"stack_{secrets.token_hex(6)}"
    with psycopg.connect(servers.GIVEN["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            parts = urlsplit(servers.GIVEN["DATABASE_URL"])
            yield {**servers.GIVEN, "DATABASE_URL": urlunsplit(parts._replace(path=f"/{name}"))}
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
