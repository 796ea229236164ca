"""A small closed-loop HTTP/1.1 load generator for loopback: keep-alive connections, one request each in flight.

Bounded in time by its caller. Python, so that nobody has to install one; it makes about 15,000 requests a second,
twice what the servers measured here answer."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(slots=True)
class Outcome:
    """What one round saw. Latencies in milliseconds."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def request_bytes(url: str, *, method: str = "GET", body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    parts = urlsplit(url)
    lines = [f"{method} {parts.path or '/'}{'?' + parts.query if parts.query else ''} HTTP/1.1", f"Host: {parts.netloc}"]
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
        self.need = -1

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
            self.need = end + 4 + content_length(bytes(self.buffer[:end]))
        if len(self.buffer) >= self.need:
            self.answered()

    def answered(self) -> None:
        now = time.perf_counter()
        self.outcome.latencies.append((now - self.sent_at) * 1000)
        self.outcome.statuses[int(self.buffer[9:12])] += 1
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


def content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def _run(host: str, port: int, requests: list[bytes], seconds: float, connections: int) -> Outcome:
    outcome = Outcome()
    loop = asyncio.get_running_loop()
    start = time.perf_counter()
    made = [
        await loop.create_connection(
            lambda i=i: _Client(requests[i:] + requests[:i], start + seconds, outcome), host, port
        )
        for i in range(connections)
    ]
    await asyncio.gather(*(client.done for _, client in made))
    outcome.seconds = time.perf_counter() - start
    return outcome


def run(url: str, requests: list[bytes], *, seconds: float, connections: int) -> Outcome:
    """Send `requests` in turn over `connections` for `seconds`. Only loopback addresses are taken."""
    parts = urlsplit(url)
    if parts.hostname not in ("localhost", "127.0.0.1"):
        raise ValueError("load goes to this machine only")
    return asyncio.run(_run("127.0.0.1", parts.port or 80, requests, seconds, connections))
