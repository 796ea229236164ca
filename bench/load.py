"""A small closed-loop HTTP/1.1 load generator for loopback: keep-alive connections, one request each in flight.

Bounded in time by its caller. Python, so that nobody has to install one; it makes about 15,000 requests a second,
twice what the servers measured here answer."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit


@dataclass(slots=True)
class Outcome:
    """What one round saw. Latencies in milliseconds."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    last_size: int = 0  # bytes of the last answer, head and body

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def request_bytes(url: str, *, method: str = "GET", body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    parts = urlsplit(url)
    target = f"{parts.path or '/'}?{parts.query}".rstrip("?")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


class _Client(asyncio.Protocol):
    """One connection: send, wait for the whole answer, send again."""

    def __init__(self, requests: list[bytes], stop_at: float, outcome: Outcome) -> None:
        self.requests, self.stop_at, self.outcome = requests, stop_at, outcome
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.turn = 0
        self.buffer = bytearray()
        self.need = -1  # bytes of the answer; 0: it comes in chunks; -1: not known yet

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.send()

    def send(self) -> None:
        self.sent_at = time.perf_counter()
        self.transport.write(self.requests[self.turn % len(self.requests)])
        self.turn += 1

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if self.need < 0:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            length = content_length(bytes(self.buffer[:end]))
            self.need = 0 if length is None else end + 4 + length
        if (len(self.buffer) >= self.need) if self.need else self.buffer.endswith(b"\r\n0\r\n\r\n"):
            self.answered()

    def answered(self) -> None:
        now = time.perf_counter()
        self.outcome.latencies.append((now - self.sent_at) * 1000)
        self.outcome.statuses[int(self.buffer[9:12])] += 1
        self.outcome.last_size = len(self.buffer)
        self.buffer.clear()
        self.need = -1
        if now < self.stop_at:
            self.send()
        else:
            self.finish()

    def connection_lost(self, exc: Exception | None) -> None:
        self.finish()

    def finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)
        self.transport.close()


def content_length(head: bytes) -> int | None:
    """None for an answer in chunks, as granian sends what Django gave no length."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return None


async def _run(host: str, port: int, requests: list[bytes], seconds: float, connections: int) -> Outcome:
    outcome = Outcome()
    loop = asyncio.get_running_loop()
    start = time.perf_counter()
    clients: list[_Client] = []
    for turn in range(connections):
        own = requests[turn % len(requests) :] + requests[: turn % len(requests)]
        _, client = await loop.create_connection(partial(_Client, own, start + seconds, outcome), host, port)
        clients.append(client)
    await asyncio.gather(*(client.done for client in clients))
    outcome.seconds = time.perf_counter() - start
    return outcome


def run(url: str, requests: list[bytes], *, seconds: float, connections: int) -> Outcome:
    """Send `requests` in turn over `connections` for `seconds`. Only loopback addresses are taken."""
    parts = urlsplit(url)
    if parts.hostname not in ("localhost", "127.0.0.1"):
        raise ValueError("load goes to this machine only")
    return asyncio.run(_run("127.0.0.1", parts.port or 80, requests, seconds, connections))
