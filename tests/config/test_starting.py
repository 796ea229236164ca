"""What does not start says so in one line and ends, so that whoever looks after it starts it again; no core files."""

import os
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest
from celery.utils.dispatch import Signal

from config import celery, process
from config.embedded import product
from config.embedded.processes import Program
from tests.servers import ROOT

NOWHERE = "postgres://sidebar:canary-password@127.0.0.1:1/sidebar"


def run(command: list[str], changes: dict[str, str | None]) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, **{name: value for name, value in changes.items() if value is not None}}
    for name in (name for name, value in changes.items() if value is None):
        environment.pop(name, None)
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def worker(folder: Path) -> Program:
    return product.worker(folder, folder, os.environ)


def test_a_worker_does_not_start_by_half_while_a_database_is_away(tmp_path: Path) -> None:
    """Celery would log what a receiver of its signal raises, and go on: no key checked (V17), no restore noticed
    (V20), no revocation heard of."""
    done = run(worker(tmp_path).command, {"DATABASE_URL": NOWHERE, "KEY_STORE_URL": NOWHERE})
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert " ready." not in said
    (line,) = [line for line in said.splitlines() if line.startswith("Not started: ")]
    assert line.endswith("is away, refuses us, or is not migrated (OperationalError).")
    assert "canary-password" not in said


def test_a_mistake_of_ours_starts_nothing_by_half_either(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise KeyError("canary-of-a-row")

    monkeypatch.setattr(process, "harden", broken)
    signal = Signal(name="as Celery's own")
    signal.connect(celery.start_worker)
    with pytest.raises(SystemExit, match=r"^Not started: builtins.KeyError at test_starting.py:\d+:broken < ") as left:
        signal.send(sender=None)
    assert "canary" not in str(left.value)
    assert left.value.__suppress_context__


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"SECRET_KEY": None}, "SECRET_KEY is not set. Set SECRET_KEY or SECRET_KEY_FILE; README lists every setting."),
        ({"BLOCKING_THREADS": "many"}, "BLOCKING_THREADS must be a whole number above 0."),
        ({"CARD_CACHE_BYTES": "-1"}, "CARD_CACHE_BYTES must be a whole number above 0."),
        ({"DATABASE_URL": "postgres://a:canary-password@[x/y"}, "DATABASE_URL is no address."),
        ({"SALESFORCE_LOGINS": "x"}, "SALESFORCE_LOGINS must be a comma-separated list of Label=address."),
    ],
)
def test_a_command_says_in_one_line_which_setting_is_wrong(changes: dict[str, str | None], said: str) -> None:
    done = run([sys.executable, "manage.py", "doctor"], changes)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"Not started: {said}\n")


#: Prints the core limit and whether another process of the same user may look inside, once all signals were sent.
_LOOK = """
import ctypes, resource
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


def test_a_command_leaves_no_core_file_and_is_closed_to_others() -> None:
    done = run([sys.executable, "manage.py", "shell", "--no-imports", "-c", _LOOK], {})
    assert done.stdout == "(0, 0) 0\n", done.stderr


def test_the_hot_process_leaves_no_core_file_and_is_closed_to_others(tmp_path: Path) -> None:
    """It has in RAM who asks, and the keys of all links."""
    script = "import asyncio\nfrom config.hot import process\nprocess.__rsgi_init__(asyncio.new_event_loop())"
    key = b64encode(bytes(32)).decode()
    away: dict[str, str | None] = {
        "TRACKING_KEY": key,
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "TRACKING_SPOOL_DIR": str(tmp_path),
    }
    done = run([sys.executable, "-c", f"{script}\n{_LOOK}"], away)
    assert done.stdout == "(0, 0) 0\n", done.stderr


def test_beat_leaves_no_core_file_and_is_closed_to_others() -> None:
    script = (
        f"from config import celery_app\nfrom celery.signals import beat_init\nbeat_init.send(sender=None)\n{_LOOK}"
    )
    done = run([sys.executable, "-c", script], {})
    assert done.stdout == "(0, 0) 0\n", done.stderr
