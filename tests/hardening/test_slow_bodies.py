"""BI-C12: a byte a second, or none, at the webhooks: cut after ten seconds."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from tests.running import Stack

#: The last piece of an answer in pieces (RFC 9112, 7.1).
END = b"0\r\n\r\n"
#: And whether its sender stands still.
DOORS = (("/hooks/google/gmail/", True), ("/hooks/microsoft/graph/", False))
SECONDS = 10.0


@dataclass
class Cut:
    """Seconds until an answer came, the answer, and whether the connection was closed."""

    answered: float = 0.0
    answer: bytes = b""
    is_closed: bool = False


def send_slowly(url: str, path: str, *, stands_still: bool) -> Cut:
    address, found = urlsplit(url), Cut()
    head = f"POST {path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: 1000\r\n"
    began = time.monotonic()
    with socket.create_connection((address.hostname or "", address.port or 80), timeout=1.0) as connection:
        connection.sendall(f"{head}Content-Type: application/json\r\n\r\n ".encode())
        while (
            not (found.is_closed or (stands_still and found.answer.endswith(END)))
            and time.monotonic() - began < 3 * SECONDS
        ):
            try:
                connection.sendall(b"" if stands_still else b" ")
                piece = connection.recv(65_536)
            except TimeoutError:
                continue
            except OSError:
                piece = b""
            found.answered = found.answered or time.monotonic() - began
            found.answer += piece
            found.is_closed = not piece
            time.sleep(0.0 if found.is_closed else 1.0)
    return found


@pytest.mark.timeout(240)
def test_who_is_too_slow_is_cut(stack: Stack) -> None:
    """A connection on which not even a byte comes may stay: no thread that answers waits for it. After ten seconds, or
    after another's ten where granian has both wait for one thread (how exact we are: config/test_pace.py)."""
    with ThreadPoolExecutor(len(DOORS)) as pool:
        sent = [pool.submit(send_slowly, stack.public_url, door, stands_still=each) for door, each in DOORS]
        found = [each.result() for each in sent]
    for each in found:
        assert each.answer.startswith(b"HTTP/1.1 408 "), each
        assert b"/problems/too-slow" in each.answer
        assert SECONDS - 0.5 < each.answered < 2 * SECONDS + 5
    assert found[-1].is_closed
