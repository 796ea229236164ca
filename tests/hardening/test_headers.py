"""What every answer says to a browser, plain and behind https: policy, referrer, caching, HSTS, cookies, CORS."""

import contextlib
import http.cookies
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from config.embedded import ports
from config.middleware import MAIL_HOSTS
from tests import servers
from tests.hardening import doors
from tests.journeys.people import AddIn, forms_in
from tests.running import Stack

PUBLIC = "https://sidebar.example.com"
EVIL = "https://evil.example"
#: A load balancer asks these from beside us, without TLS.
FOR_PROBES = ("/healthz", "/readyz", "/metrics")
PAGES = [path for path in doors.addresses() if not path.startswith("/api/")]


@dataclass
class Behind:
    """A web process of the stack as a proxy that ends TLS sees it."""

    address: str

    def ask(self, method: str, path: str, *, scheme: str = "https", **headers: str) -> requests.Response:
        sent = {"Host": "sidebar.example.com", "X-Forwarded-Proto": scheme, "X-Forwarded-For": "203.0.113.7", **headers}
        return requests.request(method, self.address + path, headers=sent, allow_redirects=False, timeout=30)

    def post(self, path: str, data: dict[str, str], cookies: dict[str, str]) -> requests.Response:
        jar = "; ".join(f"{name}={value}" for name, value in cookies.items())
        headers = {"Host": "sidebar.example.com", "X-Forwarded-Proto": "https", "Origin": PUBLIC, "Cookie": jar}
        return requests.post(self.address + path, data=data, headers=headers, allow_redirects=False, timeout=30)


@pytest.fixture(scope="module")
def https(stack: Stack) -> Iterator[Behind]:
    with production_web(stack, TRUSTED_PROXIES="127.0.0.1") as behind:
        yield behind


@contextlib.contextmanager
def production_web(stack: Stack, **environment: str) -> Iterator[Behind]:
    """One more web process on the stack's own database, under the settings of a production host."""
    port = ports.free()
    command = [sys.executable, "-m", "granian", "config.wsgi:application", "--interface", "wsgi", "--http", "1"]
    command += ["--no-ws", "--host", "127.0.0.1", "--port", str(port), "--blocking-threads", "8"]
    process = subprocess.Popen(
        command,
        cwd=servers.ROOT,
        env={**stack.environment, "PUBLIC_URL": PUBLIC, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    behind = Behind(f"http://127.0.0.1:{port}")
    try:
        _wait_for(behind, process)
        yield behind
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(behind: Behind, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(requests.ConnectionError):
            assert behind.ask("GET", "/healthz").status_code == 200
            return
        time.sleep(0.1)
    raise AssertionError("the web process did not start")


@pytest.mark.parametrize("path", doors.addresses())
def test_every_answer(path: str, stack: Stack, alice: AddIn) -> None:
    """docs/hardening.md, row 3: whatever the status, for a stranger, for somebody, and for a method that is none."""
    for method, caller in (("GET", {}), ("GET", alice.headers), ("POST", {}), ("PUT", alice.headers)):
        answer = requests.request(method, stack.public_url + path, headers=caller, allow_redirects=False, timeout=30)
        headers = answer.headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] in ("same-origin", "no-referrer")
        assert len(headers["X-Request-Id"]) == 16
        assert headers.get("Content-Type") or not answer.content
        if path.startswith(("/api/", "/o/", "/connect/", "/dashboard/")):
            assert "no-store" in headers["Cache-Control"], (method, path)
        if path.startswith(("/api/", "/addins/")):
            assert "Set-Cookie" not in headers, (method, path)


@pytest.mark.parametrize("path", doors.addresses())
def test_nobody_else_may_frame_a_page(path: str, stack: Stack) -> None:
    """C8: the add-in's pages in the mail hosts, a mail's body in the mailbox, nothing else anywhere."""
    policy = requests.get(stack.public_url + path, allow_redirects=False, timeout=30).headers["Content-Security-Policy"]
    (ancestors,) = [part.strip() for part in policy.split(";") if "frame-ancestors" in part]
    expected = f"frame-ancestors 'self' {MAIL_HOSTS}" if path.startswith("/addins/") else "frame-ancestors 'none'"
    assert ancestors == expected
    assert "*" not in ancestors.replace("https://*.officeapps.live.com", "")


@pytest.mark.parametrize("path", doors.addresses())
def test_no_other_origin_reads_an_answer(path: str, stack: Stack, alice: AddIn) -> None:
    """C8: no CORS header for any foreign origin, the mail hosts' included: the pane is of our own origin."""
    wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    for origin in (EVIL, "null", "https://mail.google.com", stack.public_url + ".evil.example"):
        for method in ("GET", "POST", "OPTIONS"):
            headers = {**alice.headers, **wanted, "Origin": origin}
            answer = requests.request(
                method, stack.public_url + path, headers=headers, allow_redirects=False, timeout=30
            )
            assert not [name for name in answer.headers if name.lower().startswith("access-control-")], (method, path)


# --- Behind https -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", doors.addresses())
def test_hsts_on_every_answer(path: str, https: Behind) -> None:
    """C7."""
    for method in ("GET", "POST", "TRACE"):
        answer = https.ask(method, path)
        assert not answer.headers.get("Location", "").startswith("http:")
        policy = [part.strip() for part in answer.headers["Strict-Transport-Security"].split(";")]
        seconds = next(int(part.partition("=")[2]) for part in policy if part.startswith("max-age="))
        assert seconds >= 31_536_000
        assert "includeSubDomains" in policy


@pytest.mark.parametrize(
    "path", [path for path in doors.addresses() if path not in ("/healthz", "/readyz", "/metrics")]
)
def test_http_is_sent_to_https(path: str, https: Behind) -> None:
    """C7: with nothing of the answer in the clear."""
    answer = https.ask("GET", path, scheme="http")
    assert (answer.status_code, answer.headers["Location"]) == (301, PUBLIC + path)
    assert answer.content == b""
    assert "Set-Cookie" not in answer.headers


def test_only_a_named_proxy_is_believed(stack: Stack) -> None:
    """BI-A15: a client that says it came by https is sent there all the same."""
    with production_web(stack) as direct:
        assert direct.ask("GET", "/dashboard/").status_code == 301
        assert direct.ask("GET", "/dashboard/", Forwarded="proto=https").status_code == 301
        assert direct.ask("GET", "/api/v1/me/", **{"X-Forwarded-Ssl": "on"}).status_code == 301


def test_another_host_is_refused(https: Behind) -> None:
    for host in ("evil.example", "localhost", "127.0.0.1", "sidebar.example.com.evil.example", "a.sidebar.example.com"):
        assert https.ask("GET", "/api/v1/me/", Host=host).status_code == 400
    spoofed = https.ask("GET", "/dashboard/", **{"X-Forwarded-Host": "evil.example"})
    assert "evil.example" not in spoofed.text + str(spoofed.headers)


def test_cookies(https: Behind) -> None:
    """C43: `__Host-`, Secure, HttpOnly, SameSite, for this host and no longer than a day where it signs somebody in."""
    page = https.ask("GET", "/connect/salesforce/")
    given = cookies(page)
    assert set(given) == {"__Host-csrf"}
    (form,) = [form for form in forms_in(page) if "address" in form.fields]
    values = {name: morsel.value for name, morsel in given.items()}
    leaving = https.post("/connect/salesforce/", {**form.fields, "login": "https://login.salesforce.com"}, values)
    given |= cookies(leaving)
    assert set(given) <= {"__Host-csrf", "__Host-session"}
    for morsel in given.values():
        assert morsel["secure"]
        assert morsel["httponly"]
        assert morsel["samesite"] == "Lax"
        assert morsel["path"] == "/"
        assert not morsel["domain"]


@pytest.mark.parametrize("path", PAGES)
def test_no_page_sets_any_other_cookie(path: str, https: Behind) -> None:
    for method in ("GET", "POST"):
        for morsel in cookies(https.ask(method, path, Origin=PUBLIC)).values():
            assert morsel.key in ("__Host-csrf", "__Host-session")
            assert (morsel["secure"], morsel["httponly"], morsel["samesite"]) == (True, True, "Lax")


def cookies(answer: requests.Response) -> "dict[str, http.cookies.Morsel[Any]]":
    jar = http.cookies.SimpleCookie()
    for text in answer.raw.headers.getlist("Set-Cookie"):
        jar.load(text)
    return dict(jar)
