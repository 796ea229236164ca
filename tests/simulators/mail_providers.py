"""Starts the simulated Google and Microsoft as processes of their own, and walks a person through their pages.

Use the fixtures `google` and `microsoft`, or `simulated("google", ...)` for one of your own."""

import html
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import pytest
import requests

from simulators.oauth.proofs import challenge_of
from tests.simulators.running import ROOT, Code, new_session

VERIFIER = "a-verifier-that-is-long-enough-for-anybody-0123456789"
_API = "https://www.googleapis.com/auth/"
GMAIL, CALENDAR = f"{_API}gmail.modify", f"{_API}calendar.events"
SCOPES = {"google": "openid email profile", "microsoft": "openid profile email offline_access User.Read"}
METADATA = {
    "google": "/.well-known/openid-configuration",
    "microsoft": "/organizations/v2.0/.well-known/openid-configuration",
}
Pages = list[str]


@dataclass
class Walk:
    """Where a browser ended up: at the app (`query`), or on a page that goes no further (`text`, `status`)."""

    url: str
    query: dict[str, str]
    status: int
    text: str
    pages: Pages = field(default_factory=list)  # the title of each page on the way


@dataclass
class MailProvider:
    """A running simulator of Google or Microsoft. `info` is its file of facts."""

    name: str
    info: dict[str, Any]
    process: subprocess.Popen[str] | None = None  # None: somebody else's

    def __post_init__(self) -> None:
        self.http = new_session(str(self.info["ca"]))

    @property
    def redirect_uri(self) -> str:
        return f"http://localhost:8000/connect/{self.name}/callback/"

    def metadata(self) -> dict[str, Any]:
        return dict(self.http.get(self.info["api_url"] + METADATA[self.name], timeout=10).json())

    @property
    def secure_authorization_endpoint(self) -> str:
        """For libraries that open no plain http; it sends the browser on to the page."""
        endpoint: str = self.metadata()["authorization_endpoint"]
        return endpoint.replace(self.info["pages_url"], self.info["api_url"])

    # -- the browser --------------------------------------------------------------------------------------------

    def authorization_url(self, **parameters: str) -> str:
        asked = {
            "response_type": "code",
            "client_id": self.info["client_id"],
            "redirect_uri": self.redirect_uri,
            "scope": SCOPES[self.name],
            "state": "s",
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
            **({"access_type": "offline"} if self.name == "google" else {}),
            **parameters,
        }
        endpoint = self.metadata()["authorization_endpoint"]
        return f"{endpoint}?{urlencode({name: value for name, value in asked.items() if value})}"

    def walk(
        self,
        user: str = "alice",
        *,
        url: str = "",
        allow: bool = True,
        tick: tuple[str, ...] = ("all",),
        browser: requests.Session | None = None,
        **parameters: str,
    ) -> Walk:
        """A browser's steps. `tick`: scopes to tick where there are boxes; `url`: instead of our own request."""
        url = url or self.authorization_url(**parameters)
        redirect_uri = parse_qs(urlsplit(url).query)["redirect_uri"][0]
        browser, pages = browser or new_session(str(self.info["ca"])), Pages()
        for _ in range(12):
            if url.startswith(redirect_uri):
                query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
                return Walk(url, query, 302, "", pages)
            answer = browser.get(url, allow_redirects=False, timeout=10)
            if answer.status_code == 200 and f'action="{redirect_uri}"' not in answer.text:
                pages.append(_heading(answer.text))
                answer = _submit(browser, answer, user, allow, tick)
            if answer.status_code == 200 and f'action="{redirect_uri}"' in answer.text:
                return Walk(redirect_uri, _posted(answer.text), 200, "", pages)
            if answer.status_code not in (302, 303):
                return Walk(answer.url, {}, answer.status_code, html.unescape(answer.text), pages)
            url = urljoin(answer.url, answer.headers["Location"])
        raise AssertionError("authorization does not come to an end")

    def authorize(self, user: str = "alice", **options: Any) -> Code:
        walked = self.walk(user, **options)
        assert "code" in walked.query, walked
        return Code(walked.query["code"], VERIFIER, options.get("redirect_uri", self.redirect_uri), walked.query)

    # -- the token endpoint -------------------------------------------------------------------------------------

    def token(self, **form: str) -> requests.Response:
        client = {"client_id": self.info["client_id"], "client_secret": self.info["client_secret"]}
        endpoint = self.metadata()["token_endpoint"]
        data = {name: value for name, value in {**client, **form}.items() if value}
        return self.http.post(endpoint, data=data, timeout=30)

    def exchange(self, code: Code, /, **form: str) -> requests.Response:
        given = {"code": code.code, "redirect_uri": code.redirect_uri, "code_verifier": code.verifier}
        return self.token(grant_type="authorization_code", **{**given, **form})

    def tokens(self, user: str = "alice", **options: Any) -> dict[str, Any]:
        """The token answer after a whole authorization."""
        answer = self.exchange(self.authorize(user, **options))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def refresh(self, tokens: dict[str, Any], **form: str) -> requests.Response:
        return self.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"], **form)

    # -- /_sim --------------------------------------------------------------------------------------------------

    def sim(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """GET without a body, POST with one."""
        url = f"{self.info['api_url']}/_sim/{path}"
        answer = self.http.get(url, timeout=30) if body is None else self.http.post(url, json=body, timeout=30)
        assert answer.ok, answer.text
        return answer.json()


def _heading(page: str) -> str:
    found = re.search("<h1>(.*?)</h1>", page)
    return html.unescape(found[1]) if found else ""


def _posted(page: str) -> dict[str, str]:
    """The fields of a form that the browser would post to the app."""
    fields = re.findall('name="([^"]*)" value="([^"]*)"', page)
    return {name: html.unescape(value) for name, value in fields}


def _submit(
    browser: requests.Session, shown: requests.Response, user: str, allow: bool, tick: tuple[str, ...]
) -> requests.Response:
    """What a person would do on this page. Without a form there is nothing to do."""
    action = re.search('action="([^"]*)"', shown.text)
    request = re.search('name="request" value="([^"]*)"', shown.text)
    if action is None or request is None:
        shown.status_code = 299
        return shown
    data: dict[str, Any] = {"request": request[1]}
    if 'name="as"' in shown.text:
        data["as"] = user
    elif 'name="decision"' in shown.text:
        data |= {"decision": "allow" if allow else "deny", "scope": list(tick)}
    answer = browser.post(urljoin(shown.url, action[1]), data=data, allow_redirects=False, timeout=10)
    if answer.status_code == 200 and 'name="request"' in answer.text:
        answer.status_code = 299  # asked again: it goes no further
    return answer


@contextmanager
def simulated(name: str, *options: str, directory: Path | None = None) -> Iterator[MailProvider]:
    """A process of its own, on free ports unless `options` say otherwise; ended with the block."""
    with tempfile.TemporaryDirectory() as temporary:
        place = directory or Path(temporary)
        command = [sys.executable, "-m", f"simulators.{name}", "--directory", str(place), "--ports-from", "0", *options]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            line = process.stdout.readline().strip()
            assert line == "ready", f"the simulator said {line!r}, exit {process.poll()}"
            yield MailProvider(name, json.loads((place / f"{name}.json").read_text()), process)
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture(scope="session")
def google_process() -> Iterator[MailProvider]:
    with simulated("google") as running:
        yield running


@pytest.fixture(scope="session")
def microsoft_process() -> Iterator[MailProvider]:
    with simulated("microsoft") as running:
        yield running


@pytest.fixture
def google(google_process: MailProvider) -> MailProvider:
    """The session's simulated Google, as new for each test."""
    google_process.sim("reset", {"grants": True})
    return google_process


@pytest.fixture
def microsoft(microsoft_process: MailProvider) -> MailProvider:
    """The session's simulated Microsoft, as new for each test."""
    microsoft_process.sim("reset", {"grants": True})
    return microsoft_process
