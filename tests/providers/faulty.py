"""A small TLS server on loopback that misbehaves on demand, for faults no well-meaning simulator shows.

Imports nothing of ours. Each test says what the next answers are."""

import contextlib
import http.server
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

Behaviour = Callable[["Handler"], None]


@dataclass
class Seen:
    """One request that reached the server whole."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Faulty:
    """`behave` answers every request; `seen` are the requests, `handshakes` the TLS handshakes that succeeded."""

    port: int
    ca: Path
    behave: Behaviour = lambda handler: handler.answer(200, {})
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.faulty.seen.append(Seen(self.command, self.path, dict(self.headers), body))
        self.server.faulty.behave(self)

    do_GET = do_POST = do_PATCH = _handle  # noqa: N815 - http.server's names

    def answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Quiet."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    faulty: Faulty
    context: ssl.SSLContext

    def finish_request(self, request: Any, client_address: Any) -> None:
        """The handshake belongs to the connection's own thread: a client that breaks off must not stop the server."""
        with contextlib.suppress(OSError):
            wrapped = self.context.wrap_socket(request, server_side=True)
            self.faulty.connections += 1
            super().finish_request(wrapped, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients breaking off is what these tests are about."""


@contextlib.contextmanager
def faulty(folder: Path, certificate: Callable[[trustme.CA], trustme.LeafCert] | None = None) -> Iterator[Faulty]:
    """Serve on a free port of localhost; `certificate` makes another than a good one for localhost."""
    ca = trustme.CA()
    leaf = certificate(ca) if certificate else ca.issue_cert("localhost", "127.0.0.1")
    ca_file = folder / "ca.pem"
    ca.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    server = _Server(("127.0.0.1", 0), Handler)
    server.context = context
    server.faulty = Faulty(server.server_address[1], ca_file)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.faulty
    finally:
        server.shutdown()
        server.server_close()
