"""The outbound session against slow, broken, lying and redirecting servers, and names that point inside (FT21-FT26)."""

import gzip
import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme

from providers import http, pinning
from providers.base import Secret
from providers.errors import HostNotAllowed, Transient
from tests.providers.conftest import settings_for
from tests.providers.faulty import Behaviour, Faulty, Handler, faulty

TOKEN = Secret("00D-canary-token")


def ask(session: http.Session, server: Faulty, **kwargs: Any) -> requests.Response:
    return http.ask(session, "POST", f"{server.url}/services/x", auth=http.Bearer(TOKEN), data="{}", **kwargs)


def test_a_plain_exchange(session: http.Session, server: Faulty) -> None:
    server.behave = lambda handler: handler.answer(200, {"ok": True})
    response = ask(session, server)
    assert response.json() == {"ok": True}
    assert server.seen[0].headers["Authorization"] == f"Bearer {TOKEN.reveal()}"
    assert server.seen[0].headers["Host"] == f"localhost:{server.port}"
    assert "Authorization" not in response.request.headers
    assert TOKEN.reveal() not in repr(vars(session))


def test_connections_are_kept(session: http.Session, server: Faulty) -> None:
    for _ in range(5):
        ask(session, server)
    assert (len(server.seen), server.connections) == (5, 1)


def trickle(head: bytes, every: float) -> Behaviour:
    def behave(handler: Handler) -> None:
        handler.close_connection = True
        for byte in head + b"x" * 1_000:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            time.sleep(every)

    return behave


@pytest.mark.parametrize(
    "behave",
    [
        trickle(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n", 0.05),
        trickle(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 0.05),
        trickle(b"HTTP/1.1 200 OK\r\nX-Long: ", 0.05),
        lambda _: time.sleep(4),
    ],
    ids=["body", "chunks", "headers", "silence"],
)
def test_a_trickle_ends_at_the_deadline(session: http.Session, server: Faulty, behave: Behaviour) -> None:
    """FT21: every byte comes in time, the answer never does."""
    server.behave = behave
    started = time.monotonic()
    with pytest.raises(Transient) as failure:
        ask(session, server)
    assert time.monotonic() - started < 2.2
    assert failure.value.outcome_unknown


def test_a_server_that_never_shakes_hands(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, faulty(tmp_path) as good:
        url = f"https://localhost:{listener.getsockname()[1]}"
        session = http.Session(
            http.Settings(origins=frozenset({url}), ca_bundle=str(good.ca), connect_seconds=0.5, total_seconds=1.0)
        )
        started = time.monotonic()
        with pytest.raises(Transient):
            http.ask(session, "GET", url)
        assert time.monotonic() - started < 2.0


def cut(handler: Handler) -> None:
    handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"id": ')
    handler.close_connection = True


def reset(handler: Handler) -> None:
    handler.close_connection = True


@pytest.mark.parametrize("behave", [cut, reset])
def test_a_cut_answer_leaves_the_outcome_unknown(session: http.Session, server: Faulty, behave: Behaviour) -> None:
    server.behave = behave
    with pytest.raises(Transient) as failure:
        ask(session, server)
    assert failure.value.outcome_unknown
    assert len(server.seen) == 1
    with pytest.raises(Transient) as failure:
        ask(session, server, is_write=False)
    assert not failure.value.outcome_unknown


def broken_record(handler: Handler) -> None:
    """What a TLS peer never sends: bytes that are no record, on the connection of a whole request."""
    handler.close_connection = True
    os.write(handler.connection.fileno(), b"HTTP/1.1 502 Bad Gateway\r\n\r\n")


def alert(handler: Handler) -> None:
    """A record of the right form whose content does not verify: the client's own TLS ends it with bad_record_mac."""
    handler.close_connection = True
    os.write(handler.connection.fileno(), b"\x17\x03\x03\x00\x40" + b"x" * 64)


def broken_body(handler: Handler) -> None:
    handler.wfile.write(b'HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n{"id": ')
    broken_record(handler)


@pytest.mark.parametrize("behave", [broken_record, alert, broken_body])
def test_tls_that_breaks_after_the_request_leaves_the_outcome_unknown(
    session: http.Session, server: Faulty, behave: Behaviour
) -> None:
    """V4, I3: the request was read; that TLS fails says nothing about what was done with it."""
    server.behave = behave
    with pytest.raises(Transient) as failure:
        ask(session, server)
    assert failure.value.outcome_unknown
    assert "nothing was sent" not in str(failure.value)
    assert len(server.seen) == 1
    with pytest.raises(Transient) as failure:
        ask(session, server, is_write=False)
    assert not failure.value.outcome_unknown


@pytest.mark.parametrize("behave", [broken_record, reset])
def test_what_breaks_behind_a_proxy_leaves_the_outcome_unknown(server: Faulty, behave: Behaviour) -> None:
    """V4: the proxy was reached, and so was who stands behind it."""
    server.behave = behave
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_tunnel_once, args=(listener, server.port, []), daemon=True).start()
        proxy = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(Transient) as failure:
            ask(http.Session(settings_for(server, proxy=proxy)), server)
    assert len(server.seen) == 1
    assert failure.value.outcome_unknown


def test_an_earlier_request_says_nothing_about_the_next(tmp_path: Path, server: Faulty) -> None:
    """A handshake that fails sends nothing, whatever this thread has sent before."""
    assert ask(http.Session(settings_for(server)), server).status_code == 200
    with faulty(tmp_path, expired) as other:
        with pytest.raises(Transient) as failure:
            ask(http.Session(settings_for(other)), other)
        assert other.seen == []
    assert not failure.value.outcome_unknown
    assert "nothing was sent" in str(failure.value)


def test_nobody_listening(server: Faulty) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    session = http.Session(http.Settings(origins=frozenset({f"https://localhost:{port}"})))
    with pytest.raises(Transient) as failure:
        http.ask(session, "POST", f"https://localhost:{port}/")
    assert not failure.value.outcome_unknown


@pytest.mark.parametrize("target", ["https://169.254.169.254/latest", "http://localhost/", "https://evil.example/"])
def test_redirects_are_not_followed(session: http.Session, server: Faulty, target: str) -> None:
    """BI-I4."""
    server.behave = lambda handler: handler.answer(302, {}, {"Location": target})
    assert ask(session, server).status_code == 302
    assert len(server.seen) == 1


def expired(ca: trustme.CA) -> trustme.LeafCert:
    return ca.issue_cert("localhost", not_after=datetime.now(UTC) - timedelta(days=1))


@pytest.mark.parametrize(
    "certificate",
    [expired, lambda ca: ca.issue_cert("evil.example"), lambda _: trustme.CA().issue_cert("localhost")],
    ids=["expired", "wrong host", "unknown issuer"],
)
def test_bad_certificates_get_nothing(tmp_path: Path, certificate: Callable[[trustme.CA], trustme.LeafCert]) -> None:
    """C19, FT25: no byte of a request is sent."""
    with faulty(tmp_path, certificate) as server:
        session = http.Session(settings_for(server))
        for verify in (True, False):
            with pytest.raises(Transient) as failure:
                http.ask(session, "POST", server.url, auth=http.Bearer(TOKEN), verify=verify)
            assert not failure.value.outcome_unknown
            assert "certificate" in str(failure.value)
        assert server.seen == []


def test_old_tls_is_refused(tmp_path: Path) -> None:
    assert pinning.tls_context().minimum_version.name == "TLSv1_2"


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "169.254.169.254", "10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "0.0.0.0", "::1",  # noqa: S104
     "fe80::1", "fe80::1%eth0", "fc00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "224.0.0.1",
     "192.0.0.8", "192.88.99.1", "fec0::1", "3fff::1", "2001:20::1", "nonsense"],
)  # fmt: skip
def test_names_that_point_inside(server: Faulty, address: str) -> None:
    """FT26, BI-DNS: a Salesforce name whose address is private; nothing is connected."""
    asked = []

    def resolver(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["136.146.44.1", address]

    settings = http.Settings(host_suffixes=(".salesforce.com",), ca_bundle=str(server.ca))
    with pytest.raises(HostNotAllowed):
        http.ask(http.Session(settings, resolver), "GET", "https://acme.my.salesforce.com/")
    assert asked == ["acme.my.salesforce.com"]
    assert server.connections == 0


def test_a_machine_without_a_thread_left_says_so_and_recovers(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(threading.Thread, "start", no_thread)
        for _ in range(65):  # one more than may look up at once
            with pytest.raises(Transient, match="thread"):
                pinning.resolve("localhost", 443)
    assert pinning.resolve("localhost", 443)


def test_the_checked_address_is_the_connected_one(server: Faulty) -> None:
    """FT26: the second answer of a rebinding name server is never asked for."""
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    session = http.Session(settings_for(server), lambda *_: next(answers))
    for _ in range(3):
        assert ask(session, server).status_code == 200
    assert next(answers) == ["169.254.169.254"]


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/",
        "https://evil.example/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://acme.my.salesforce.com:8443/",
        "https://acme.my.salesforce.com.evil.example/",
        "https://evilsalesforce.com/",
        "https://2130706433/",
    ],
)
def test_only_listed_hosts(server: Faulty, url: str) -> None:
    """C20: the last line of defence, behind the allow-list of hosts."""
    settings = http.Settings(origins=frozenset({server.url}), host_suffixes=(".salesforce.com",))
    session = http.Session(settings, lambda *_: pytest.fail("resolved"))
    with pytest.raises((HostNotAllowed, Transient)):
        http.ask(session, "GET", url)


def test_large_answers_are_cut_off(server: Faulty) -> None:
    session = http.Session(settings_for(server, largest_answer=100_000))
    server.behave = lambda handler: handler.answer(200, b"x" * 100_001)
    with pytest.raises(Transient, match="too large"):
        ask(session, server)
    bomb = gzip.compress(b"\0" * 50_000_000)
    server.behave = lambda handler: handler.answer(200, bomb, {"Content-Encoding": "gzip"})
    with pytest.raises(Transient, match="too large"):
        ask(session, server)


def test_no_cookie_travels_on(session: http.Session, server: Faulty) -> None:
    server.behave = lambda handler: handler.answer(200, {}, {"Set-Cookie": "sid=alice; Path=/"})
    ask(session, server)
    ask(session, server)
    assert "Cookie" not in server.seen[1].headers


def test_the_environment_changes_nothing(server: Faulty, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, "/nonexistent")
    assert ask(http.Session(settings_for(server)), server).status_code == 200


def test_one_session_per_process(server: Faulty) -> None:
    assert http.session(settings_for(server)) is http.session(settings_for(server))
    assert http.session(settings_for(server, read_seconds=2.0)) is not http.session(settings_for(server))


def test_failures_say_nothing(session: http.Session, server: Faulty) -> None:
    """No host, address or token in what may be logged, nor in what hangs on the exception."""
    server.behave = reset
    with pytest.raises(Transient) as failure:
        ask(session, server, params={"q": "canary@example.org"})
    text = repr(failure.value) + str(failure.value)
    assert "localhost" not in text
    assert failure.value.__context__ is None
    assert failure.value.__cause__ is None


def test_a_proxy_tunnels(server: Faulty) -> None:
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_tunnel_once, args=(listener, server.port, asked), daemon=True).start()
        proxy = f"http://127.0.0.1:{listener.getsockname()[1]}"
        session = http.Session(settings_for(server, proxy=proxy), lambda *_: pytest.fail("resolved"))
        assert ask(session, server).status_code == 200
        with pytest.raises(HostNotAllowed):
            http.ask(session, "GET", "https://evil.example/")
    assert asked[0].startswith(f"CONNECT localhost:{server.port} ".encode())
    assert b"canary" not in asked[0]


def test_a_proxy_must_be_plain_http() -> None:
    with pytest.raises(ValueError, match="OUTBOUND_PROXY"):
        http.Session(http.Settings(proxy="https://proxy.example"))


def _tunnel_once(listener: socket.socket, port: int, asked: list[bytes]) -> None:
    client, _ = listener.accept()
    asked.append(client.recv(4096))
    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    upstream = socket.create_connection(("127.0.0.1", port))
    for source, sink in ((client, upstream), (upstream, client)):
        threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
