"""Requests that mean harm, or are none: answered at once, and nothing followed but what was signed (BI-D2, BI-D7,
BI-D9, BI-D10). Over HTTP, against the hot process."""

import socket
import struct

import pytest

from config.embedded import ports
from tests.tracking import recorded_agents as ua
from tests.tracking.conftest import Room
from tests.tracking.hot_process import HotProcess, a_click, an_open, link, pixel, request
from tracking.classify import LINKS_AT_ONCE, Verdict
from tracking.hot.hits import Flag
from tracking.hot.pages import GIF, NOT_FOUND
from tracking.hot.tokens import Kind
from tracking.models import Event

database = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
TARGET = "https://www.example.com/offers?id=123"
EVIL = "https://evil.example/"

#: {click}: a good link's path, {open}: a good pixel's. None of these is one of them.
ASTRAY = [
    "/t/c/?url=https://evil.example/", "/t/c?url=https://evil.example/", "/t/c/x?url=//evil.example", "/t/c/#{click}",
    "/t/c/https://evil.example/", "/t/c//evil.example", "/t/c/%2f%2fevil.example", "/t/c/\\evil.example",
    "/t/r/?u=https://evil.example/", "/redirect?to=https://evil.example/", "/?next=https://evil.example/",
    "//evil.example", "//evil.example/%2f..", "/%5cevil.example", "/%09/evil.example", "/.evil.example",
    "/@evil.example", "/{click}", "//{click}", "/t{click}", "/t/c{click}", "/t/c/..{click}", "{click}/", "{click}/..",
    "{click}/.", "{click};", "{click};a=b", "{click}%3Burl=x", "{click}%3Furl=x", "{click}%23",
    "{click}&url=https://evil.example/", "{click}%00", "{click}%00.gif",
    "{click}%0d%0aLocation:%20https://evil.example/", "{click}%20", "{click},{click}", "{click}.gif", "{click}%252e",
    "/t/x/..%2fc/x", "/t/c/..%2f..%2fetc%2fpasswd", "/t/c/%2e%2e/%2e%2e/etc/passwd", "/t/c/....//....//etc/passwd",
    "/t/c/..;/..;/etc/passwd", "/t/c/%252e%252e%252fetc%252fpasswd", "/../../etc/passwd", "/t/c/%c0%ae%c0%ae/",
    "/t/c/%u002e%u002e/", "/t/c/..%5c..%5cwindows", "/t/../t/./nothing", "/t", "/t/", "/t/o", "/t/c", "/t/x/{click}",
    "/T/C/x", "/t/C{click}", "/%74%2f%63/x", "/t/c/%ff%fe", "/t/c/%zz", "/t/c/%", "/t/c/" + "a" * 60_000,
    "/t/c/" + "%41" * 20_000, "/t/c/" + "../" * 10_000, "/" + "/" * 50_000, "/favicon.ico", "/robots.txt", "/.env",
    "/admin/", "/metrics", "/healthz/", "/healthz/..", "/api/v1/", "/t/c/?" + "a=b&" * 10_000, "*",
]  # fmt: skip
#: Of a pixel's place, and no pixel of ours.
NO_PIXELS = [
    "/t/o/", "/t/o/.gif", "/t/o/..gif", "/t/o/x.gif", "/t/o/x.png", "/t/o/../../etc/passwd",
    "/t/o/..%2f..%2fetc/passwd", "/t/o/%2e%2e/c/x", "/t/o/../c/x", "/t/o/..%2fc%2fx", "/t/o/..{click}",
    "/t/o/x.gif;.gif", "/t/o/x.gif/.gif", "/t/o/?x.gif", "/t/o/%00.gif", "/t/o/" + "a" * 60_000 + ".gif", "{open}/",
    "{open}%00.gif", "{open}.gif", "{open};.gif", "{open}%20", "/t/o/..{open}", "/t/o/{open}", "{open}%252e",
    "/t/o/%ff.gif", "/t/o/%zz.gif", "/t/o/https://evil.example/x.gif", "/t/o/" + "%2e" * 20_000 + ".gif",
]  # fmt: skip
#: What is added to a good link changes nothing: it leads where it was signed to lead.
DRESSED_UP = [
    "{click}?url=https://evil.example/", "{click}?next=//evil.example&to=javascript:alert(1)", "{click}?utm_source=x",
    "{click}#https://evil.example/", "{click}?", "{click}?%0d%0aLocation:%20https://evil.example/",
    "{click}?" + "a" * 60_000, "https://evil.example{click}", "http://user:password@evil.example:99{click}?x",
    "HTTP://t.example{click}",
]  # fmt: skip


def filled(paths: list[str], hot: HotProcess) -> list[str]:
    good = {"{click}": link(a_click(hot.keyring, TARGET)), "{open}": pixel(an_open(hot.keyring))}
    return [path.replace("{click}", good["{click}"]).replace("{open}", good["{open}"]) for path in paths]


def test_paths_that_lead_astray(hot: HotProcess) -> None:
    """BI-D2, BI-D10: the page, or where it is no request at all, a refusal; nobody is led anywhere."""
    hot.forget()
    paths = filled(ASTRAY, hot)
    for path, answer in zip(paths, hot.ask_each(*map(request, paths)), strict=True):
        assert answer is not None
        assert (answer.status, answer.body, answer.header("location")) == (404, NOT_FOUND, ""), path[:80]
    assert hot.hits() == []


def test_what_is_no_pixel_is_an_image_all_the_same(hot: HotProcess) -> None:
    hot.forget()
    paths = filled(NO_PIXELS, hot)
    for path, answer in zip(paths, hot.ask_each(*map(request, paths)), strict=True):
        assert answer is not None
        assert (answer.status, answer.body) == (200, GIF), path[:80]
    assert hot.hits() == []


def test_what_is_added_to_a_good_link_leads_nobody_elsewhere(hot: HotProcess) -> None:
    hot.forget()
    lines = [
        "Host: evil.example",
        "X-Forwarded-Host: evil.example",
        "X-Original-URL: /t/c/x",
        "Forwarded: host=evil.example",
    ]
    paths = filled(DRESSED_UP, hot)
    for path, answer in zip(paths, hot.ask_each(*(request(path, *lines) for path in paths)), strict=True):
        assert answer is not None
        assert (answer.status, answer.header("location")) == (302, TARGET), path[:80]
    assert len(hot.hits()) == len(paths)


def test_methods_that_there_are_not(hot: HotProcess) -> None:
    hot.forget()
    paths = filled(["{click}", "{open}", "/t/c/x", "/"], hot)
    methods = [
        "POST",
        "PUT",
        "PATCH",
        "DELETE",
        "OPTIONS",
        "TRACE",
        "CONNECT",
        "PROPFIND",
        "SEARCH",
        "FOO",
        "get",
        "PRI",
    ]
    asked = [request(path, method=method) for path in paths for method in methods if method != "CONNECT"]
    asked.append(request("evil.example:443", method="CONNECT"))
    for answer in hot.ask_each(*asked):
        assert answer is not None
        assert (answer.status, answer.body, answer.header("location")) == (405, b"", "")
    assert hot.hits() == []


BROKEN = [
    b"\r\n\r\n", b"GET\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/2.0\r\n\r\n",
    b"\x00" * 100 + b"\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"{open} HTTP/1.1\r\n\r\n",
    b"GET {open} HTTP/1.1\r\nHost\r\n\r\n", b"GET  {open} HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET {open} x HTTP/1.1\r\nHost: x\r\n\r\n", b"G\xffT {open} HTTP/1.1\r\n\r\n",
    b"GET {open} HTTP/1.1\r\nA: b\r\n c\r\n\r\n", b"GET {open} HTTP/1.1\r\nUser-Agent: a\x00b\r\n\r\n",
    b"GET {open} HTTP/1.1\r\nUser-Agent: a\x07\r\n\r\n", b"GET {open} HTTP/1.1\r\n: x\r\n\r\n",
    b"GET {open} HTTP/1.1\r\nA B: x\r\n\r\n", b"GET {open} HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"GET {open} HTTP/1.1\r\nContent-Length: 1x\r\n\r\n",
    b"GET {open} HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", b"GET {open}\x00 HTTP/1.1\r\n\r\n",
    b"GET {open} HTTP/1.1\r\n" + b"".join(b"X-%d: a\r\n" % number for number in range(200)) + b"\r\n",
    b"GET {open} HTTP/1.1\r\nX: " + b"a" * 2_000_000 + b"\r\n\r\n", b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
]  # fmt: skip


def test_what_is_no_request_is_refused_or_hung_up_on(hot: HotProcess) -> None:
    """Not even the image, since nobody knows what was asked for; and the next one is served."""
    hot.forget()
    good = pixel(an_open(hot.keyring)).encode()
    for raw, answer in zip(BROKEN, hot.ask_each(*(raw.replace(b"{open}", good) for raw in BROKEN)), strict=True):
        assert answer is None or answer.status in (400, 414, 431, 505), raw[:60]
    assert hot.hits() == []
    assert hot.ask(request(good))[0].body == GIF


def test_what_comes_along_as_a_body_is_no_request(hot: HotProcess) -> None:
    """Whichever way it says how long it is: the good link inside is not followed, the one behind it is answered."""
    hot.forget()
    hidden, asked = request(link(a_click(hot.keyring, EVIL))), request(pixel(an_open(hot.keyring)))
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(hidden), hidden)
    for line, body in ((f"Content-Length: {len(hidden)}", hidden), ("Transfer-Encoding: chunked", chunked)):
        first = request("/t/o/x.gif", line, body=body)
        assert [each.body for each in hot.ask(first, asked, connections=1)] == [GIF, GIF]
    both = request("/t/o/x.gif", "Content-Length: 4", "Transfer-Encoding: chunked", body=chunked)
    hot.ask_each(both)
    assert [hit.link for hit in hot.hits()] == [0, 0]


def test_many_at_once_are_answered_in_their_order(hot: HotProcess) -> None:
    """BI-D9: 2,000 for one pixel and link, on four connections, all of them written before the first is answered."""
    hot.forget()
    paths = filled(["{open}", "{click}", "/t/c/x", "/t/o/x.gif"], hot) * 500
    answers = hot.ask(*map(request, paths), connections=4)
    assert [answer.status for answer in answers] == [200, 302, 404, 200] * 500
    assert len({hit.id for hit in hot.hits()}) == 1_000


def test_a_slow_one_keeps_nobody_waiting_and_is_hung_up_on(hot: HotProcess) -> None:
    """A hundred halves of requests; the others are answered meanwhile. One that comes byte by byte is served, too."""
    hot.forget()
    good = request(pixel(an_open(hot.keyring)))
    with _connections(hot, 101) as (late, *halves):
        for each in halves:
            each.sendall(good[: len(good) // 2])
        for byte in good:
            late.sendall(bytes([byte]))
        assert GIF in late.recv(4_096)
        assert {answer.body for answer in hot.ask(*[good] * 50)} == {GIF}
        assert all(b" 200 " not in each.recv(4_096) for each in halves)
    assert len(hot.hits()) == 51


class _connections:  # noqa: N801  read as a function
    def __init__(self, hot: HotProcess, number: int) -> None:
        self._open = [socket.create_connection((ports.LOOPBACK, hot.port), timeout=20) for _ in range(number)]

    def __enter__(self) -> list[socket.socket]:
        return self._open

    def __exit__(self, *_: object) -> None:
        for each in self._open:
            each.close()


#: How a program asks; what is written down of it.
MACHINES = [
    ("HEAD", "", Flag.HEAD), ("GET", "Range: bytes=0-0", Flag.PARTIAL), ("GET", "Range: bytes=0-,-1", Flag.PARTIAL),
    ("GET", "Range: lines=1", Flag.PARTIAL), ("GET", 'If-None-Match: "x"', Flag.PARTIAL),
    ("GET", "If-None-Match: *", Flag.PARTIAL),
    ("GET", "If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT", Flag.PARTIAL),
    ("GET", "If-Modified-Since: x", Flag.PARTIAL), ("GET", "Purpose: prefetch", Flag.PREFETCH),
    ("GET", "Sec-Purpose: prefetch;prerender", Flag.PREFETCH), ("GET", "SEC-PURPOSE: PREFETCH", Flag.PREFETCH),
    ("GET", "X-Purpose: preview", Flag.PREFETCH), ("GET", "X-Moz: prefetch", Flag.PREFETCH),
    ("HEAD", "Purpose: prefetch", Flag.HEAD | Flag.PREFETCH), ("HEAD", "Range: bytes=0-0", Flag.HEAD | Flag.PARTIAL),
]  # fmt: skip
MAIL_PROXIES = [ua.GMAIL_AHEAD, ua.APPLE_PRIVACY, ua.PYTHON, ua.CURL, ua.FACEBOOK, ua.BING_PREVIEW]


@database
@pytest.mark.parametrize("kind", Kind)
def test_machines_are_answered_and_marked(room: Room, kind: Kind) -> None:
    """BI-D7: the same answers as anybody gets (no 206, no 304), and no verdict of a person's in the table."""
    paths = room.paths(kind, len(MACHINES) + len(MAIL_PROXIES), TARGET * (kind is Kind.CLICK))
    asked = [
        request(path, *[line] * bool(line), method=method)
        for path, (method, line, _) in zip(paths[: len(MACHINES)], MACHINES, strict=True)
    ]
    asked += [
        request(path, f"User-Agent: {each}") for path, each in zip(paths[len(asked) :], MAIL_PROXIES, strict=True)
    ]
    status, body, location = (200, GIF, "") if kind is Kind.OPEN else (302, b"", TARGET)
    for sent, answer in zip(asked, room.hot.ask(*asked), strict=True):
        assert (answer.status, answer.header("location")) == (status, location)
        assert answer.body == (b"" if sent.startswith(b"HEAD") else body)
    flags = {hit.link: hit.flags for hit in room.hits()}
    assert [flags[number] for number in range(len(asked))] == [flag for *_, flag in MACHINES] + [0] * len(MAIL_PROXIES)
    assert room.stored() == len(asked)
    assert set(Event.objects.values_list("verdict", flat=True)) == {Verdict.SCANNER, Verdict.PROXY_PREFETCH}
    assert not Event.objects.filter(reason=LINKS_AT_ONCE.reason).exists()


#: (Lines of the head, its method): asked for with a body that never comes, or to talk about something else.
UNUSUAL = [
    ("Content-Length: 1000000000", "GET"), ("Content-Length: 1000000000", "POST"),
    ("Transfer-Encoding: chunked", "GET"), ("Transfer-Encoding: chunked", "POST"),
    ("Content-Length: 9\r\nExpect: 100-continue", "GET"),
    ("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA", "GET"),
    ("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA", "GET"),
    ("Connection: close", "GET"), ("Host: evil.example", "GET"), ("X-HTTP-Method-Override: DELETE", "GET"),
    ("Connection: User-Agent, X", "GET"),
]  # fmt: skip


def test_bodies_that_never_come_and_other_languages(hot: HotProcess) -> None:
    good = pixel(an_open(hot.keyring))
    for (line, method), answer in zip(
        UNUSUAL, hot.ask_each(*(request(good, line, method=method) for line, method in UNUSUAL)), strict=True
    ):
        assert answer is not None, line
        assert (answer.status, answer.body) == ((200, GIF) if method == "GET" else (405, b"")), line


def test_whoever_hangs_up_stops_nobody(hot: HotProcess) -> None:
    """Two hundred that ask and are gone, some of them with a reset; those who wait in the same batches are answered."""
    good = request(pixel(an_open(hot.keyring)))
    with _connections(hot, 200) as gone:
        for number, each in enumerate(gone):
            each.sendall(good)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", number % 2, 0))
    assert {answer.body for answer in hot.ask(*[good] * 100)} == {GIF}


def test_none_of_it_is_in_the_log(hot: HotProcess) -> None:
    """Neither who asked nor for what; and nothing broke."""
    paths = filled(ASTRAY + NO_PIXELS + DRESSED_UP, hot)
    lines = ["User-Agent: canary-agent", "X-Forwarded-For: 203.0.113.77", "Cookie: canary=cookie"]
    hot.ask_each(*(request(path, *lines) for path in paths))
    hot.settle()
    log = hot.log.read_text()
    for word in ("canary", "203.0.113.77", "evil", "/t/", "Traceback", "ERROR", "WARN", "panic"):
        assert word not in log
