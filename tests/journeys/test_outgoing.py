"""The product speaks to whom it is set up to speak to, and to nobody else (C34). What all other tests brought about is
looked at when the run ends (`tests/conftest.py`)."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import outgoing, servers
from tests.journeys.people import AddIn
from tests.outgoing import Call
from tests.running import Stack


def test_a_lookup_speaks_to_salesforce_only(stack: Stack, alice: AddIn) -> None:
    assert alice.people(["ngozi.okafor@savannah-foods.example"], fresh=True).status_code == 200
    known = {int(port) for port in re.findall(r":(\d{2,5})\b", json.dumps(stack.facts) + _files(stack))}
    found = {
        call
        for call in outgoing.calls(servers.folder() / "outgoing.log")
        if "granian" in call.program or "celery" in call.program
    }
    assert found
    assert not {call for call in found if call.port and call.port not in known}


def _files(stack: Stack) -> str:
    named = (value for name, value in stack.facts["environment"].items() if name.endswith("_FILE"))
    return "".join(Path(value).read_text() for value in named if Path(value).exists())


_HOMES = {
    "socket.create_connection(('telemetry.example', 443), 1)": ("telemetry.example", 443),
    "socket.gethostbyname('telemetry.example')": ("telemetry.example", 0),
    "socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 0))": ("192.0.2.1", 0),
}


@pytest.mark.parametrize("call", _HOMES)
def test_who_phones_home_is_seen(tmp_path: Path, call: str) -> None:
    program, log = f"import socket\ntry: {call}\nexcept OSError: pass\n", tmp_path / "outgoing.log"
    subprocess.run([sys.executable, "-c", program], env=outgoing.environment(log), check=True, timeout=30)
    (seen,) = {call for call in outgoing.calls(log) if not call.is_local}
    assert (seen.host, seen.port) == _HOMES[call]


def test_what_is_local() -> None:
    local = ("localhost", "127.0.0.1", "::1", "acme.my.localhost", "")
    assert all(Call("x", host, 1).is_local for host in local)
    assert not any(Call("x", host, 1).is_local for host in ("example.com", "10.0.0.1", "localhost.example"))
