"""The simulated Google and Microsoft as processes of their own, and people who say yes or no on their pages."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

from pytest_django import Settings

from tests.simulators.running import ROOT, new_session

PROVIDERS = ("google", "microsoft")
HOME = "http://localhost:8000"


TOKEN_PATH = {"google": "/token", "microsoft": "/organizations/oauth2/v2.0/token"}


@dataclass
class Provider:
    """A running simulator; `info` is what it wrote down about itself."""

    name: str
    info: dict[str, Any]

    def __post_init__(self) -> None:
        self.http = new_session(str(self.info["ca"]))

    def user(self, key: str) -> dict[str, Any]:
        return next(dict(user) for user in self.info["users"] if user["key"] == key)

    def sim(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """GET without a body, POST with one, on the control paths."""
        url = f"{self.info['api_url']}/_sim/{path}"
        answer = self.http.get(url, timeout=30) if body is None else self.http.post(url, json=body, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    def calls(self, ending: str = "") -> list[dict[str, Any]]:
        return [call for call in self.sim("calls")["calls"] if call["path"].endswith(ending)]

    def grants(self, user: str) -> list[dict[str, Any]]:
        return [grant for grant in self.sim("state")["grants"] if grant["user"] == user]

    def configure(self, settings: Settings) -> None:
        """What the operator of the product would set."""
        name = self.name.upper()
        setattr(settings, f"{name}_CLIENT_ID", self.info["client_id"])
        setattr(settings, f"{name}_CLIENT_SECRET", self.info["client_secret"])
        if self.name == "google":
            settings.GOOGLE_OAUTH_URL = self.info["api_url"]
        else:
            settings.MICROSOFT_LOGIN_URL, settings.MICROSOFT_GRAPH_URL = self.info["api_url"], self.info["graph_url"]

    def walk(self, url: str, user: str, *, allow: bool = True, ticked: Sequence[str] = ("all",)) -> str:
        """A browser's steps from an authorization URL: choose `user`, decide. Returns where it is sent at our side."""
        with new_session(str(self.info["ca"])) as browser:
            for _ in range(10):
                if url.startswith(HOME):
                    return url.removeprefix(HOME)
                answer = browser.get(url, allow_redirects=False, timeout=10)
                if answer.status_code == 200:
                    form = self._form(answer.text, answer.url, user, allow, ticked)
                    answer = browser.post(answer.url.partition("?")[0], data=form, allow_redirects=False, timeout=10)
                if answer.status_code not in (302, 303):
                    raise StoppedThereError(answer.status_code, answer.text)
                url = urljoin(answer.url, answer.headers["Location"])
        raise AssertionError("authorization does not come to an end")

    def _form(self, text: str, page: str, user: str, allow: bool, ticked: Sequence[str]) -> dict[str, Any]:
        request = parse_qs(urlsplit(page).query)["request"][0]
        if 'name="decision"' in text:
            return {"request": request, "decision": "allow" if allow else "deny", "scope": list(ticked)}
        return {"request": request, "as": user}


class StoppedThereError(Exception):
    """The provider ended it on a page of its own; nobody comes back from there."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text[:200]}")
        self.text = text


@contextmanager
def _process(name: str, directory: Path, authority: Path) -> Iterator[Provider]:
    command = [sys.executable, "-m", f"simulators.{name}", "--directory", str(directory), "--ca", str(authority)]
    command += ["--ports-from", "0", "--redirect-uri", f"{HOME}/connect/{name}/callback/"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        assert line == "ready", f"simulators.{name} said {line!r}, exit {process.poll()}"
        yield Provider(name, json.loads((directory / f"{name}.json").read_text()))
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def simulated(*names: str) -> Iterator[dict[str, Provider]]:
    """One process for each, on free ports, under one certificate authority; ended with the block."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        place = Path(folder)
        yield {name: stack.enter_context(_process(name, place / name, place / "ca")) for name in names}
