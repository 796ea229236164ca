"""A key service for tests: simulators/transit as a process of its own, and the settings that lead to it."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from pytest_django import Settings

from tests.servers import ROOT


@dataclass
class KeyService:
    info: dict[str, Any]
    process: "subprocess.Popen[str]"

    @property
    def kek(self) -> str:
        """What VAULT_KEK says."""
        return f"transit:{self.info['key_url']}"

    @property
    def token(self) -> str:
        return str(self.info["tokens"]["app"])

    def use(self, settings: Settings, kek: str = "") -> None:
        settings.VAULT_KEK, settings.VAULT_KEK_TOKEN = kek or self.kek, self.token
        settings.VAULT_KEK_TOKEN_FILE, settings.OUTBOUND_CA_BUNDLE = "", self.info["ca"]

    def sim(self, what: str, **body: Any) -> Any:
        """GET without a body, POST with one."""
        url = f"{self.info['url']}/_sim/{what}"
        call = requests.post(url, json=body, verify=self.info["ca"], timeout=10) if body else None
        answer = call or requests.get(url, verify=self.info["ca"], timeout=10)
        assert answer.ok, answer.text
        return answer.json()

    def calls(self, containing: str = "") -> list[dict[str, Any]]:
        return [call for call in self.sim("calls")["calls"] if containing in call["path"]]


@contextlib.contextmanager
def key_service(directory: Path) -> Iterator[KeyService]:
    command = [sys.executable, "-m", "simulators.transit", "--directory", str(directory), "--ports-from", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready", process.poll()
        yield KeyService(json.loads((directory / "transit.json").read_text()), process)
    finally:
        process.terminate()
        process.wait(10)
