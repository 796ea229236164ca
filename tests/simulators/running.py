"""Starts the simulated Salesforce as a process of its own on free ports, and walks a person through authorization.

Use the fixtures `salesforce_process` and `salesforce`, or `simulated_salesforce(...)` for one of your own.
"""

import base64
import hashlib
import json
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import pytest
import requests

ROOT = Path(__file__).resolve().parents[2]
REDIRECT_URI = "http://localhost:8000/connect/salesforce/callback/"
SCOPES = "id api refresh_token web"


@dataclass(frozen=True)
class Code:
    """What came back to the redirect address, with the verifier that goes with it."""

    code: str
    verifier: str
    redirect_uri: str
    query: dict[str, str]


@dataclass
class Running:
    """A running simulator. `info` is orgs.json; `http` a session that trusts its CA and nothing of the environment."""

    info: dict[str, Any]
    process: subprocess.Popen[str] | None = None  # None: somebody else's

    def __post_init__(self) -> None:
        self.http = new_session(self.ca)

    @property
    def ca(self) -> str:
        return str(self.info["ca"])

    def org(self, key: str = "acme") -> dict[str, Any]:
        return next(dict(org) for org in self.info["orgs"] if org["key"] == key)

    def login_host(self, key: str = "login") -> dict[str, Any]:
        return next(dict(host) for host in self.info["login_hosts"] if host["key"] == key)

    def origins(self) -> list[str]:
        """Every origin it listens on: what SALESFORCE_ORIGINS must hold."""
        hosts = [*self.info["orgs"], *self.info["login_hosts"], *(o["site"] for o in self.info["orgs"] if o["site"])]
        return [url for host in hosts for url in (host["api_url"], host["pages_url"])]

    # -- authorization ------------------------------------------------------------------------------------------

    def authorize(
        self, user: str = "alice", org: str = "acme", *, at: str | None = None, allow: bool = True, **parameters: str
    ) -> Code:
        """From authorize over login and consent to the redirect. `at` is a login URL (default: the org's own)."""
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": "sidebar-demo",
            "redirect_uri": REDIRECT_URI,
            "scope": SCOPES,
            "state": "s",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **parameters,
        }
        login_url = at or self.org(org)["api_url"]
        metadata = self.http.get(f"{login_url}/.well-known/openid-configuration", timeout=10).json()
        start = f"{metadata['authorization_endpoint']}?{urlencode({k: v for k, v in asked.items() if v})}"
        arrived = self.walk(start, user, org, asked["redirect_uri"], allow)
        query = {name: values[0] for name, values in parse_qs(urlsplit(arrived).query).items()}
        return Code(query.get("code", ""), verifier, asked["redirect_uri"], query)

    def walk(self, url: str, user: str, org: str, redirect_uri: str, allow: bool = True) -> str:
        """A browser's steps from an authorization URL; returns the address it is finally sent to at the app."""
        with new_session(self.ca) as browser:
            for _ in range(10):
                if url.startswith(redirect_uri):
                    return url
                answer = browser.get(url, allow_redirects=False, timeout=10)
                page = answer.url
                if answer.status_code == 200:
                    answer = self._submit(browser, page, answer.text, f"{org}:{user}", allow)
                if answer.status_code not in (302, 303):
                    raise AssertionError(f"{answer.status_code} at {page}: {answer.text[:200]}")
                url = urljoin(page, answer.headers["Location"])
        raise AssertionError("authorization does not come to an end")

    def _submit(self, browser: requests.Session, page: str, html: str, who: str, allow: bool) -> requests.Response:
        request = parse_qs(urlsplit(page).query)["request"][0]
        data = {"request": request, "as": who}
        action = page.partition("?")[0]
        if "oaapprove" in html:
            data = {"request": request, "decision": "allow" if allow else "deny"}
        return browser.post(action, data=data, allow_redirects=False, timeout=10)

    def tokens(
        self, user: str = "alice", org: str = "acme", *, at: str | None = None, **parameters: str
    ) -> dict[str, str]:
        """The token answer after a whole authorization."""
        code = self.authorize(user, org, at=at, allow=True, **parameters)
        client = {
            "client_id": parameters.get("client_id", "sidebar-demo"),
            "client_secret": self.org(org)["client_secret"],
        }
        answer = self.http.post(
            f"{at or self.org(org)['api_url']}/services/oauth2/token",
            data={
                **client,
                "grant_type": "authorization_code",
                "code": code.code,
                "redirect_uri": code.redirect_uri,
                "code_verifier": code.verifier,
            },
            timeout=10,
        )
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    # -- /_sim --------------------------------------------------------------------------------------------------

    def sim(self, path: str, body: dict[str, Any] | None = None, org: str = "acme") -> Any:
        """GET without a body, POST with one, on the org's (or login host's) control paths."""
        hosts = {h["key"]: h for h in (*self.info["orgs"], *self.info["login_hosts"])}
        url = f"{hosts[org]['api_url']}/_sim/{path}"
        answer = self.http.get(url, timeout=30) if body is None else self.http.post(url, json=body, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    def calls(self, org: str = "acme", counted: bool = True) -> list[dict[str, Any]]:
        return [call for call in self.sim("calls", org=org)["calls"] if call["counted"] or not counted]

    def reset(self, **body: Any) -> None:
        """Records, users, limits, faults and logs of all orgs as at the start; `grants=True` also revokes all."""
        for host in (*self.info["orgs"], *self.info["login_hosts"]):
            self.sim("reset", body, host["key"])


def new_session(ca: str) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.verify = ca
    return session


@contextmanager
def simulated_salesforce(*options: str, directory: Path | None = None) -> Iterator[Running]:
    """A process of its own, on free ports unless `options` say otherwise; ended with the block."""
    with tempfile.TemporaryDirectory() as temporary:
        place = directory or Path(temporary)
        command = [
            sys.executable,
            "-m",
            "simulators.salesforce",
            "--directory",
            str(place),
            "--ports-from",
            "0",
            *options,
        ]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            line = process.stdout.readline().strip()
            assert line == "ready", f"the simulator said {line!r}, exit {process.poll()}"
            yield Running(json.loads((place / "orgs.json").read_text()), process)
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture(scope="session")
def salesforce_process() -> Iterator[Running]:
    with simulated_salesforce() as running:
        yield running


@pytest.fixture
def salesforce(salesforce_process: Running) -> Running:
    """The session's simulator, as new for each test (grants stay)."""
    salesforce_process.reset()
    return salesforce_process
