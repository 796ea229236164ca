"""Every address, method, header, host and token there is, used wrongly: a plain refusal, and no echo of a secret."""

import http.client
import itertools
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import pytest
import requests

from tests import servers
from tests.hardening import doors, naughty
from tests.journeys.people import AddIn, forms_in, sign_in_anew, submit
from tests.providers.test_hosts import WAYS_AROUND
from tests.running import Stack


class Body(NamedTuple):
    kind: str
    content: bytes


BODIES = (
    Body("application/json", b'{"a": ['),
    Body(
        "application/json", b'{"addresses": "x", "values": [], "level": 7, "username": {}, "name": null, "role": "x"}'
    ),
    Body("application/x-www-form-urlencoded", b"grant_type=%00&token=%ff&login=%00&next=//x&key=%c3&=&a=1&a=2"),
    Body("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=\r\n\r\n--y"),
)
NO_BODY = Body("", b"")


def test_the_description_for_many_at_once(stack: Stack) -> None:
    """Anyone may ask for it, so it costs nothing to give."""
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: requests.get(f"{stack.public_url}/api/v1/schema/", timeout=30), range(64)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json()["openapi"].startswith("3.")
    took = sorted(answer.elapsed.total_seconds() for answer in answers)
    assert took[32] < 0.8, "made anew each time, each waits for 15 others"


def test_every_address_with_every_method(stack: Stack, alice: AddIn, charlie: AddIn) -> None:
    """BI-A13 and all else: the machine's own list, so that no door is forgotten."""
    callers: list[dict[str, str]] = [{}, alice.headers, charlie.headers]

    def send(method: str, path: str, caller: dict[str, str], body: Body) -> str:
        headers = {**caller, **({"Content-Type": body.kind} if body.kind else {}), "Idempotency-Key": "k"}
        url = stack.public_url + path
        answer = requests.request(method, url, data=body.content, headers=headers, allow_redirects=False, timeout=30)
        echoed = any(token in answer.text for token in (alice.tokens["access_token"], charlie.tokens["access_token"]))
        found = "echoes a token" if echoed else doors.fault(answer)
        return f"{method} {path}: {found}" if found else ""

    probes = [
        (method, path, caller, body)
        for method, path, caller in itertools.product(doors.METHODS, doors.addresses(), callers)
        for body in (BODIES if method in ("POST", "PUT", "PATCH") else (NO_BODY,))
    ]
    with ThreadPoolExecutor(4) as pool:
        faults = list(filter(None, pool.map(lambda probe: send(*probe), probes)))
    assert len(doors.addresses()) > 40
    assert not faults, faults[:20]


def test_every_page_for_somebody_signed_in(stack: Stack) -> None:
    """Forms with their CSRF token, as a browser sends them, with every naughty text in every field."""
    person = sign_in_anew(stack, "globex", "charlie")
    browser, url = person.browser.session, stack.public_url
    for path in doors.addresses():
        if "sign-out" not in path and "disconnect" not in path:
            assert doors.fault(browser.get(url + path, timeout=30)) == "", path
    page = browser.get(f"{url}/dashboard/policy/", timeout=30)
    (form, *_) = [form for form in forms_in(page) if "key" in form.fields]
    faults = {}
    for text in naughty.TEXTS:
        sent = [{name: text} for name in (*form.fields, "value", "action") if name != "csrfmiddlewaretoken"]
        answers = [submit(browser, page, form, **change) for change in sent]
        queries = (f"{place}{quote(text, safe='')}" for place in ("audit/?before=", "policy/?saved="))
        answers += [browser.get(f"{url}/dashboard/{query}", timeout=30) for query in queries]
        found = {doors.fault(answer) or "<script>alert" * ("<script>alert" in answer.text) for answer in answers}
        faults.update({text[:40]: found - {""}} if found - {""} else {})
    assert not faults


def test_a_form_of_another_site_changes_nothing(stack: Stack) -> None:
    """BI-G1, through the running product: a stranger's page posts with the person's cookies."""
    browser = sign_in_anew(stack, "globex", "charlie").browser.session
    doors_that_end = ("sign-out/", "connections/sign-out-device/", "connections/sign-out-everywhere/", "policy/change/")
    ending = [f"/dashboard/{door}" for door in doors_that_end]
    for path in (*ending, "/connect/salesforce/disconnect/", "/connect/google/", "/connect/google/disconnect/"):
        for origin in ("https://evil.example", "null"):
            answer = browser.post(stack.public_url + path, data={"key": "search.ttl"}, headers={"Origin": origin})
            assert answer.status_code == 403
    assert "Charlie" in browser.get(f"{stack.public_url}/dashboard/", timeout=30).text


# --- Below HTTP's good manners (BI-A15) --------------------------------------------------------------


def raw(
    stack: Stack, method: str, path: str, headers: list[tuple[str, str]], body: bytes = b""
) -> tuple[int, str, str]:
    """Status, content type and Location of a request whose every header is the caller's own."""
    connection = http.client.HTTPConnection("127.0.0.1", int(urlsplit(stack.public_url).port or 80), timeout=10)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.headers.get("Content-Type", ""), answer.headers.get("Location", "")


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "localhost@evil.example", "a b", "[::1", ""]
)
@pytest.mark.parametrize("path", ["/api/v1/me/", "/o/authorize/", "/connect/salesforce/", "/dashboard/", "/"])
def test_a_strange_host(host: str, path: str, stack: Stack) -> None:
    """BI-A15."""
    status, kind, location = raw(stack, "GET", path, [("Host", host)])
    assert status == 400
    assert location == ""
    assert not path.startswith("/api/") or kind == "application/problem+json"


def test_cookies_that_take_long_to_read_are_refused_unread(stack: Stack) -> None:
    """Quadratic in some releases of Python: 60 KB of them took nine seconds."""
    host = ("Host", urlsplit(stack.public_url).netloc)
    for path in ("/dashboard/", "/healthz", "/o/authorize/", "/api/v1/me/"):
        status, kind, _ = raw(stack, "GET", path, [host, ("Cookie", 'a="' + "\\" * 9_000 + '"')])
        assert (status, kind) == (431, "application/problem+json")


SPOOFS = (
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Port", "1"),
    ("X-Forwarded-For", "127.0.0.1, " * 500),
    ("Forwarded", "host=evil.example;proto=https"),
    ("X-Original-URL", "/api/v1/members/"),
    ("X-Rewrite-URL", "/api/v1/members/"),
    ("X-HTTP-Method-Override", "DELETE"),
    ("X-Forwarded-Prefix", "//evil.example"),
    ("X-Real-IP", "'"),
    ("Origin", "https://evil.example"),
    ("Remote-User", "alice"),
)


@pytest.mark.parametrize(("name", "value"), SPOOFS, ids=[name for name, _ in SPOOFS])
def test_spoofed_headers_change_nothing(name: str, value: str, stack: Stack, alice: AddIn) -> None:
    """BI-A15: nobody is trusted who is not a configured proxy."""
    headers = {**alice.headers, name: value}
    plain = requests.get(f"{stack.public_url}/api/v1/me/", headers=alice.headers, timeout=30)
    spoofed = requests.get(f"{stack.public_url}/api/v1/me/", headers=headers, timeout=30)
    assert (spoofed.status_code, spoofed.json()) == (200, plain.json())
    page = requests.get(f"{stack.public_url}/dashboard/", headers={name: value}, allow_redirects=False, timeout=30)
    assert page.status_code == 200
    assert "evil.example" not in page.text
    assert requests.get(f"{stack.public_url}/api/v1/me/", headers={name: value}, timeout=30).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        [("Content-Length", "-1")],
        [("Content-Length", "abc")],
        [("Content-Length", "1"), ("Content-Length", "2")],
        [("Content-Length", "99999999999999999999")],
        [("Transfer-Encoding", "chunked"), ("Content-Length", "3")],
        [("Transfer-Encoding", "gzip, chunked")],
        [("Authorization", "Bearer " + "a" * 60_000)],
        [("Authorization", "Bearer \xff\xfe")],
        [("Cookie", "session=" + "\xff" * 4_000 + "; csrf=;;=;")],
        [("Accept", "*/*;q=abc, " * 900)],
        [("Accept-Language", "x-" * 9_000)],
        [("Range", "bytes=0-,0-,0-")],
        [("Expect", "nonsense")],
        [("Upgrade", "h2c"), ("Connection", "Upgrade")],
    ],
    ids=lambda headers: headers[0][0],
)
def test_broken_headers(headers: list[tuple[str, str]], stack: Stack) -> None:
    host = ("Host", urlsplit(stack.public_url).netloc)
    try:
        status, _, _ = raw(stack, "POST", "/api/v1/sidebar/people/", [host, *headers], b"{}")
    except (OSError, http.client.HTTPException):
        return  # hung up on: no answer, and no harm
    assert 400 <= status < 500


# --- Salesforce addresses (BI-I) --------------------------------------------------------------------


def test_no_other_host_is_ever_asked(stack: Stack) -> None:
    """BI-I1, BI-I2, C19, through the form as a browser sends it."""
    browser = requests.Session()
    url = f"{stack.public_url}/connect/salesforce/"
    (form,) = [form for form in forms_in(browser.get(url, timeout=30)) if "address" in form.fields]
    for text in [text for text in WAYS_AROUND if text.strip()]:
        data = {**form.fields, "login": "other", "address": text}
        answer = browser.post(url, data=data, headers={"Origin": stack.public_url}, allow_redirects=False, timeout=30)
        assert (answer.status_code, doors.fault(answer)) == (400, ""), text[:80]
        assert "Location" not in answer.headers


def test_no_other_host_is_registered(stack: Stack) -> None:
    """BI-I, at the operator's command; one process for all, since each start costs seconds."""
    program = (
        "import io, json, sys, django; django.setup()\n"
        "from django.core.management import CommandError, call_command\n"
        "for text in json.loads(sys.argv[1]):\n"
        "    sys.stdin = io.StringIO('consumer-secret-canary')\n"
        "    try: call_command('salesforce_app', f'--login-url={text}', '--client-id=own')\n"
        "    except CommandError as error: print('refused', error)\n"
    )
    texts = [text for text in WAYS_AROUND if "\0" not in text]
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(texts)],
        cwd=servers.ROOT,
        env={**stack.environment, "DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.count("refused") == len(texts), done.stdout + done.stderr
    assert "Stored" not in done.stdout
    assert "consumer-secret-canary" not in done.stdout + done.stderr


# --- Tokens, through every process of the running product (BI-B10, B11, B13, B18) -----------------------


def test_a_refresh_token_used_twice_ends_all_of_its_sign_in(stack: Stack) -> None:
    rita = sign_in_anew(stack, "acme", "rita")
    first = rita.tokens
    second = rita.token(grant_type="refresh_token", refresh_token=first["refresh_token"])
    form = {"client_id": "outlook-task-pane", "grant_type": "refresh_token"}
    for token in (first["refresh_token"], second["refresh_token"]):
        answer = requests.post(f"{stack.public_url}/o/token/", data={**form, "refresh_token": token}, timeout=30)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
        assert token not in answer.text
    deadline = time.monotonic() + 5
    headers = {"Authorization": f"Bearer {second['access_token']}"}
    while requests.get(f"{stack.public_url}/api/v1/me/", headers=headers, timeout=30).status_code != 401:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_token_counts_in_its_own_place_only(stack: Stack, alice: AddIn) -> None:
    me = f"{stack.public_url}/api/v1/me/"
    access, refresh = alice.tokens["access_token"], alice.tokens["refresh_token"]
    elsewhere: list[dict[str, Any]] = [
        {"params": {"access_token": access}},
        {"params": {"access_token": access}, "headers": alice.headers},
        {"cookies": {"session": access, "access_token": access}},
        {"headers": {"X-Access-Token": access}},
        {"headers": {"Authorization": f"Token {access}"}},
        {"headers": {"Authorization": f"Bearer {refresh}"}},
        {"headers": {"Authorization": f"Bearer {access[:-1]}"}},
        {"headers": {"Authorization": f"Bearer {access} {access}"}},
        {"headers": {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9."}},
        {"auth": ("alice", access)},
    ]
    for sent in elsewhere:
        answer = requests.get(me, timeout=30, **sent)
        assert (answer.status_code, doors.fault(answer)) == (401, ""), sent.keys()
        assert access not in answer.text
        assert refresh not in answer.text
