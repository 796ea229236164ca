"""The hot process as the product starts it, on a Valkey of its own, and a client that sends just the bytes it is given:
broken requests, halves of them, many at once. Judges nothing."""

import asyncio
import base64
import contextlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from redis import Redis

from config.embedded import ports, product
from config.embedded.processes import Supervisor
from config.embedded.valkey import Valkey
from tests import servers
from tracking.hot.boxes import BatchBox, Opening
from tracking.hot.hits import Hit, unpacked
from tracking.hot.stream import STREAM
from tracking.hot.tokens import Keyring, Kind, Opened

#: Milliseconds that granian waits for the rest of a head; 30,000 unless told otherwise.
HEAD_WITHIN = 2_000
PATIENCE = 30.0
#: The organization of what only says how far the process has come.
_NOBODY = b"nobody's at all."
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"


@dataclass(frozen=True, slots=True)
class Answer:
    """`headers`: names in lower case, without the date."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """ "" where there is none; several would be a mistake of ours."""
        (found, *more) = [value for key, value in self.headers if key == name] or [""]
        assert not more
        return found


class HotProcess:
    def __init__(self, port: int, valkey_url: str, key: bytes, spool: Path) -> None:
        self.host, self.port = ports.LOOPBACK, port
        self.valkey_url, self.key, self.spool = valkey_url, key, spool
        self.keyring, self.box = Keyring([key]), BatchBox([key])
        self.valkey = Redis.from_url(valkey_url)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def log(self) -> Path:
        return self.spool.parent / "tracking.log"

    def ask(self, *requests: bytes, connections: int = 24) -> list[Answer]:
        """Well-formed ones, each connection's share of them written at once. In the order of the requests."""
        shares = [requests[start::connections] for start in range(min(connections, len(requests)))]
        answers = asyncio.run(self._all(shares))
        return [answers[number % len(shares)][number // len(shares)] for number in range(len(requests))]

    def answers(self) -> bool:
        with contextlib.suppress(OSError):
            return self.ask(request("/healthz"))[0].status == 200
        return False

    def ask_each(self, *requests: bytes) -> list[Answer | None]:
        """Each on a connection of its own; None for what is hung up on without a word."""
        return asyncio.run(self._each(requests))

    def times(self, requests: list[bytes]) -> list[float]:
        """Seconds that each took, one after another on one connection."""
        return asyncio.run(self._timed(requests))

    def hits(self, day: Callable[[bytes], Opening | None] = lambda _: None) -> list[Hit]:
        """All that was written down since `forget`, each once. `day`: by its name, to see who asked."""
        self.settle()
        return [hit for hit in self._waiting(day) if hit.organization != _NOBODY]

    def forget(self) -> None:
        self.settle()
        self.valkey.delete(STREAM)

    def settle(self) -> None:
        """Until all that was asked for is in the stream. A slow disk sends it to the spool first, under heavy load."""
        mark, began = Opened(_NOBODY, os.urandom(16)), time.monotonic()
        self.ask(request(pixel(self.keyring.seal(Kind.OPEN, mark))))
        while not (self._is_in(mark) and not any(each.stat().st_size for each in self.spool.glob("*.hits"))):
            assert time.monotonic() - began < PATIENCE
            time.sleep(0.02)

    def _is_in(self, mark: Opened) -> bool:
        return any(hit.copy_id == mark.copy_id for hit in self._waiting(lambda _: None))

    def _waiting(self, day: Callable[[bytes], Opening | None]) -> list[Hit]:
        entries: Any = self.valkey.xrange(STREAM)
        opened = (unpacked(entry, self.box, day(entry.get(b"d", b""))) for _, entry in entries)
        return list({hit.id: hit for hits in opened for hit in hits}.values())

    async def _all(self, shares: list[tuple[bytes, ...]]) -> list[list[Answer]]:
        async with asyncio.timeout(PATIENCE * 2):
            return await asyncio.gather(*(self._pipelined(share) for share in shares))

    async def _each(self, requests: tuple[bytes, ...]) -> list[Answer | None]:
        free = asyncio.Semaphore(32)

        async def one(request: bytes) -> Answer | None:
            async with free, asyncio.timeout(PATIENCE):
                with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                    return (await self._pipelined((request,)))[0]
                return None

        return await asyncio.gather(*map(one, requests))

    async def _pipelined(self, requests: tuple[bytes, ...]) -> list[Answer]:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            writer.write(b"".join(requests))
            return [await _answer(reader, request) for request in requests]
        finally:
            writer.close()

    async def _timed(self, requests: list[bytes]) -> list[float]:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        took = []
        for each in requests:
            began = time.perf_counter()
            writer.write(each)
            await _answer(reader, each)
            took.append(time.perf_counter() - began)
        writer.close()
        return took


async def _answer(reader: asyncio.StreamReader, request: bytes) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    pairs = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    headers = tuple((name, value) for name, value in pairs if name != "date")
    length = 0 if request.startswith(b"HEAD ") else int(dict(headers).get("content-length", "0"))
    return Answer(int(first.split()[1]), headers, await reader.readexactly(length))


def request(path: str | bytes, *lines: str | bytes, method: str = "GET", body: bytes = b"") -> bytes:
    """`lines`: of its head, besides the host and the agent."""
    target = path if isinstance(path, bytes) else path.encode()
    head = [method.encode() + b" " + target + b" HTTP/1.1", b"Host: t.example"]
    head += [line if isinstance(line, bytes) else line.encode("latin-1") for line in lines]
    if not any(line.lower().startswith(b"user-agent:") for line in head):
        head.append(b"User-Agent: " + CHROME.encode())
    return b"\r\n".join([*head, b"", body])


def pixel(token: str) -> str:
    return f"/t/o/{token}.gif"


def link(token: str) -> str:
    return f"/t/c/{token}"


def an_open(keyring: Keyring) -> str:
    return keyring.seal(Kind.OPEN, Opened(os.urandom(16), os.urandom(16)))


def a_click(keyring: Keyring, target: str) -> str:
    return keyring.seal(Kind.CLICK, Opened(os.urandom(16), os.urandom(16), 1, target))


@contextlib.contextmanager
def started() -> Iterator[HotProcess]:
    folder = servers.folder() / f"hot-{secrets.token_hex(4)}"
    folder.mkdir(mode=0o711)
    valkey, port, key = Valkey(folder / "valkey", folder / "valkey.log"), ports.free(), secrets.token_bytes(32)
    supervisor = Supervisor()
    try:
        supervisor.start(valkey.program())
        supervisor.start(product.hot(port, folder, _environment(folder, valkey.url(), key)))
        yield HotProcess(port, valkey.url(), key, folder / "spool")
    finally:
        supervisor.stop()


@contextlib.contextmanager
def beside(first: HotProcess, host: str) -> Iterator[HotProcess]:
    """Another one for the same stream and keys, at an address that is not 127.0.0.1."""
    second = HotProcess(ports.free(), first.valkey_url, first.key, first.spool)
    second.host = host
    program = product.hot(
        second.port, first.spool.parent, _environment(first.spool.parent, first.valkey_url, first.key)
    )
    command = [host if each == ports.LOOPBACK else each for each in program.command]
    supervisor = Supervisor()
    try:
        supervisor.start(replace(program, name="another", command=command, is_ready=second.answers))
        yield second
    finally:
        supervisor.stop()


def _environment(folder: Path, valkey_url: str, key: bytes) -> dict[str, str]:
    return {
        **os.environ,
        "REDIS_URL": valkey_url,
        "TRACKING_KEY": base64.b64encode(key).decode(),
        "TRACKING_SPOOL_DIR": str(folder / "spool"),
        "GRANIAN_HTTP1_HEADER_READ_TIMEOUT": str(HEAD_WITHIN),
    }
