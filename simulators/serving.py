"""What every simulator is as a program: options, ports, servers, and the file of facts when all of it listens.

Knows no provider."""

import argparse
import asyncio
import contextlib
import ipaddress
import json
import secrets
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import uvicorn
from starlette.types import ASGIApp

from simulators import authority


class RefusedError(Exception):
    """Why the simulator will not start, in one line."""


@dataclass(frozen=True)
class Options:
    """`ca`: the directory that holds the certificate authority; without, it is made in `directory`. `push_to`: the push
    endpoint of Google's Pub/Sub; nobody is told of anything without one."""

    directory: Path
    ports_from: int = 0
    host: str = "127.0.0.1"
    redirect_uris: tuple[str, ...] = ()
    latency: float = 0.0
    ca: Path | None = None
    push_to: str = ""

    @property
    def authority(self) -> Path:
        return self.ca or self.directory


class Simulation(Protocol):
    def open_ports(self) -> None: ...
    async def run(self) -> None: ...


def main(name: str, simulation: Callable[[Options], Simulation], port: int, redirects: tuple[str, ...]) -> int:
    """The whole of `python -m simulators.<name>`."""
    options = options_from(name, port, redirects, sys.argv[1:])
    try:
        options.directory.mkdir(parents=True, exist_ok=True)
        made = simulation(options)
        made.open_ports()
    except RefusedError as reason:
        print(f"simulators.{name}: {reason}", file=sys.stderr)
        return 2
    asyncio.run(made.run())
    return 0


def options_from(name: str, port: int, redirects: tuple[str, ...], arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog=f"simulators.{name}")
    parser.add_argument("--directory", type=Path, required=True, help="where the facts and the grants are written")
    parser.add_argument("--ca", type=Path, help="directory of a certificate authority shared with other simulators")
    parser.add_argument("--ports-from", type=int, default=port, help="first port; 0 takes free ones")
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--redirect-uri", action="append", help="of the default app, exact; may be repeated")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="added to every API answer")
    if name == "google":
        parser.add_argument("--push-to", default="", help="where Pub/Sub posts what Gmail publishes")
    given = parser.parse_args(arguments)
    uris = tuple(given.redirect_uri or redirects)
    latency, push_to = given.latency_ms / 1000, getattr(given, "push_to", "")
    return Options(given.directory, given.ports_from, given.host, uris, latency, given.ca, push_to)


def check_loopback(host: str) -> None:
    """The pages speak plain http and sign in without a password: never off this machine."""
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise RefusedError(f"the simulator's pages are plain http and listen on loopback only, not on {host}")


def kept_secret(file: Path) -> str:
    """Kept over a restart, so that grants and clients are found as they were."""
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(32))
    return file.read_text()


class _Server(uvicorn.Server):
    """Leaves signals to the one loop that runs all servers, and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class Serving:
    """Servers of one process. Ports go up one by one from `options.ports_from`; 0 takes free ones."""

    def __init__(self, options: Options) -> None:
        check_loopback(options.host)
        self.options = options
        self._next_port = options.ports_from
        self._context = authority.server_context(options.authority)
        self._servers: list[tuple[_Server, list[socket.socket]]] = []

    @property
    def ca(self) -> str:
        return str(authority.certificate(self.options.authority).resolve())

    def api(self, app: ASGIApp) -> str:
        """Serves it over TLS; the origin."""
        return f"https://localhost:{self._serve(app, self._context)}"

    def pages(self, app: ASGIApp) -> str:
        """Serves it over plain http; the origin."""
        return f"http://localhost:{self._serve(app, None)}"

    def _serve(self, app: ASGIApp, context: ssl.SSLContext | None) -> int:
        sockets = _listen(self.options.host, self._next_port)
        self._next_port += 1 if self._next_port else 0
        self._servers.append((_server(app, context), sockets))
        port: int = sockets[0].getsockname()[1]
        return port

    async def run(self, file: Path, facts: Callable[[], dict[str, Any]]) -> None:
        """Until a signal. `file` gets the facts, whole or not at all, once every port listens."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop)
        tasks = [asyncio.create_task(server.serve(sockets)) for server, sockets in self._servers]
        await asyncio.gather(*(server.listening.wait() for server, _ in self._servers))
        temporary = file.with_suffix(".new")
        temporary.write_text(json.dumps(facts(), indent=2, ensure_ascii=False))
        temporary.chmod(0o600)
        temporary.replace(file)
        print("ready", flush=True)
        await asyncio.gather(*tasks)

    def stop(self) -> None:
        for server, _ in self._servers:
            server.should_exit = server.force_exit = True  # nobody waits for an answer any more


def _listen(host: str, port: int) -> list[socket.socket]:
    """IPv4, and the same port of IPv6 where there is one: `localhost` may mean either."""
    first = _bind(socket.AF_INET, "127.0.0.1" if host == "localhost" else host, port)
    sockets = [first]
    with contextlib.suppress(OSError):
        sockets.append(_bind(socket.AF_INET6, "::1", first.getsockname()[1]))
    return sockets


def _bind(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    # asyncio switches off Nagle (40 ms on each answer) only where the protocol is named
    each = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        each.bind((host, port))
    except OSError as error:
        each.close()
        if family == socket.AF_INET:
            raise RefusedError(f"port {port} on {host} is not free: {error.strerror}") from None
        raise
    return each


def _server(app: ASGIApp, context: ssl.SSLContext | None) -> _Server:
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,  # each answer tells the time of its provider
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
        backlog=2048,
    )
    config.load()
    config.ssl = context
    return _Server(config)
