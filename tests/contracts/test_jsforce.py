"""jsforce, the JavaScript client, drives the simulated Salesforce. `npm ci` in tests/contracts/jsforce installs it."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.simulators.running import REDIRECT_URI, Running

HERE = Path(__file__).parent / "jsforce"
CHECKS = (
    "authorize", "identity", "query", "queryMore", "find", "search", "one record", "many records", "upsert", "describe",
    "recent and limits", "limitInfo", "errors", "refresh on 401", "login with a password", "revoke",
)  # fmt: skip

pytestmark = [
    pytest.mark.node,
    pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed"),
    pytest.mark.skipif(
        not (HERE / "node_modules" / "jsforce").is_dir(), reason="run npm ci in tests/contracts/jsforce"
    ),
]


@pytest.fixture(scope="module")
def outcome(salesforce_process: Running) -> dict[str, str]:
    """One run of the script; we stand in for the browser between its two lines."""
    salesforce_process.reset(grants=True)
    org = salesforce_process.org()
    environment = {
        "PATH": os.environ["PATH"], "NODE_EXTRA_CA_CERTS": salesforce_process.ca, "LOGIN_URL": org["api_url"],
        "CLIENT_ID": org["client_id"], "CLIENT_SECRET": org["client_secret"], "REDIRECT_URI": REDIRECT_URI,
        "EXPIRE_URL": f"{org['pages_url']}/_sim/tokens/expire",
    }  # fmt: skip
    command = ["node", "drive.mjs"]
    with subprocess.Popen(
        command, cwd=HERE, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as script:
        assert script.stdin is not None
        assert script.stdout is not None
        asked = script.stdout.readline().strip()
        arrived = salesforce_process.walk(asked, "alice", "acme", REDIRECT_URI)
        said, _ = script.communicate(arrived + "\n", timeout=120)
    return dict(json.loads(said.strip().splitlines()[-1]))


@pytest.mark.parametrize("check", CHECKS)
def test_jsforce(outcome: dict[str, str], check: str) -> None:
    assert outcome[check] == "ok"


def test_every_check_is_looked_at(outcome: dict[str, str]) -> None:
    assert set(outcome) == set(CHECKS)
