"""An address on this machine that Graph's notices are sent to: shakes hands, keeps what comes, answers as told."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest


class Receiver:
    """`url`: where it listens. `answers`: the next statuses, 202 after them. `token`: what the handshake gives back
    instead of the right one."""

    def __init__(self, url: str = "") -> None:
        self.url = url
        self.forget()

    def forget(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.handshakes = 0
        self.answers: list[int] = []
        self.token: str | None = None

    def wait_for(self, number: int, seconds: float = 5.0) -> list[dict[str, Any]]:
        until = time.monotonic() + seconds
        while len(self.got) < number and time.monotonic() < until:
            time.sleep(0.02)
        return self.got


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            token = parse_qs(urlsplit(self.path).query).get("validationToken")
            if token:
                receiver.handshakes += 1
                self._say(200, (receiver.token if receiver.token is not None else token[0]).encode())
                return
            receiver.got += json.loads(body)["value"]
            self._say(receiver.answers.pop(0) if receiver.answers else 202, b"")

        def _say(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://localhost:{server.server_port}/hooks/microsoft/graph/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@pytest.fixture(scope="session")
def hook() -> Iterator[Receiver]:
    with receiving() as found:
        yield found
