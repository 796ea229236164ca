"""`make run`: up, up again, busy, interrupted, killed; what it leaves behind is its data and nothing else."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
import requests

from config.embedded import ports
from tests import running, servers
from tests.config import processes_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
#: Seconds, on a machine that runs other tests beside: a limit, not a promise.
LIMIT = 45


def run(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "config.run", *words],
        cwd=servers.ROOT,
        env={**running.inherited(), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.timeout(4 * running.PATIENCE + 6 * LIMIT)
def test_a_life() -> None:
    """Ready, refused twice, interrupted, ready again, killed, ready again: and nothing is ever left. How soon, on a
    machine that does nothing else, is measured in tests/soak/test_from_a_clone.py.

    V17: where the KEK of what is sealed has been lost, it does not start, and makes no new one."""
    with running.given_servers() as given:
        _live(servers.folder() / "life", given)


def _live(folder: Path, given: dict[str, str]) -> None:
    with running.whole_stack(folder, given) as stack:
        _pages_answer(stack)
        _published(stack)
        _second_run_in_the_same_folder_is_refused(stack)
        _command_finds_the_running_stack(stack)
        _crashed_worker_comes_back(stack)
        _leaves_nothing(stack, signal.SIGINT)
    key = (folder / "secrets" / "vault_kek").read_text()
    with running.whole_stack(folder, given) as stack:
        _pages_answer(stack)
        _leaves_nothing(stack, signal.SIGKILL)
    with running.whole_stack(folder, given) as stack:
        _pages_answer(stack)
        _seal_something(stack)
        _leaves_nothing(stack, signal.SIGTERM)
    assert not any((folder / name).exists() for name in ("run.json", "owner.pid", "postgres/data/postmaster.pid"))
    assert (folder / "secrets" / "vault_kek").read_text() == key
    _lost_key_is_not_replaced(folder, given)


def _leaves_nothing(stack: running.Stack, number: signal.Signals) -> None:
    everything = processes_of.descendants(stack.process.pid)
    assert len(everything) > 5
    stack.process.send_signal(number)
    stack.process.wait(LIMIT)
    assert processes_of.wait_until_gone(everything, LIMIT) == {}


def _pages_answer(stack: running.Stack) -> None:
    for path in ("/healthz", "/readyz"):
        assert requests.get(f"{stack.public_url}{path}").status_code == 200


def _published(stack: running.Stack) -> None:
    assert (stack.state / "run.json").stat().st_mode & 0o077 == 0
    for path in (stack.state / "secrets").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    with psycopg.connect(stack.facts["database_url"]) as connection:
        found = connection.execute("SELECT count(*) FROM django_migrations").fetchone()
    assert found
    assert found[0] > 10
    for provider in (stack.facts["orgs"][0], stack.facts["google"], stack.facts["microsoft"]):
        assert provider["api_url"].startswith("https://localhost:")
        assert requests.get(f"{provider['api_url']}/_sim/calls", verify=stack.ca).status_code == 200
        bundle = stack.facts["environment"]["OUTBOUND_CA_BUNDLE"]
        assert requests.get(f"{provider['api_url']}/_sim/calls", verify=bundle).status_code == 200


def _second_run_in_the_same_folder_is_refused(stack: running.Stack) -> None:
    refused = run("--port", "0", "--state", str(stack.state))
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert refused.stderr.count("\n") == 1
    assert f"Already running from {os.path.relpath(stack.state, servers.ROOT)}" in refused.stderr


def _command_finds_the_running_stack(stack: running.Stack) -> None:
    """What an operator types beside a running stack needs its servers and keys."""
    words = f"""
from pathlib import Path
from config.embedded import state
state.adopt_environment(Path({str(stack.state)!r}))
from config import settings
print(settings.REDIS_URL)
"""
    command = [sys.executable, "-c", words]
    done = subprocess.run(command, cwd=servers.ROOT, env=running.inherited(), capture_output=True, text=True)
    assert done.stdout.strip() == stack.facts["redis_url"], done.stderr


def _crashed_worker_comes_back(stack: running.Stack) -> None:
    worker = stack.facts["pids"]["worker"]
    os.kill(worker, signal.SIGKILL)
    deadline = time.monotonic() + LIMIT
    while json.loads((stack.state / "run.json").read_text())["pids"]["worker"] == worker:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert b"worker ended (signal SIGKILL); starting it again." in stack.output.read_bytes()


def _seal_something(stack: running.Stack) -> None:
    with psycopg.connect(stack.facts["database_url"]) as connection:
        connection.execute("ALTER TABLE vault_credential ALTER connection_id DROP NOT NULL")
        connection.execute(
            "INSERT INTO vault_credential (id, grant_id, generation, sealed)"
            " VALUES (gen_random_uuid(), gen_random_uuid(), 0, 'sealed')"
        )


def _lost_key_is_not_replaced(folder: Path, given: dict[str, str]) -> None:
    """A new key over rows that the lost one sealed would bury them for good (V17)."""
    (folder / "secrets" / "vault_kek").unlink()
    refused = run("--port", "0", "--state", str(folder), **given)
    assert refused.returncode == 1
    assert "Give it back as VAULT_KEK" in refused.stderr
    assert not (folder / "secrets" / "vault_kek").exists()


def test_a_busy_port_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind((ports.LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = run("--state", str(servers.folder() / "busy"), PORT=str(port))
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert refused.stderr == f"Port {port} is in use. Choose another: PORT={port + 1} make run\n"
