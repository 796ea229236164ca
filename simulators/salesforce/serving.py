"""Ports, certificates and the servers: all orgs in one process. Writes orgs.json when everything listens."""

import asyncio
import contextlib
import ipaddress
import json
import secrets
import signal
import socket
import ssl
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme
import uvicorn

from simulators.salesforce.oauth.apps import App
from simulators.salesforce.oauth.hosts import Host, hosts_of
from simulators.salesforce.org import LoginHost, Org
from simulators.salesforce.staff import PLANS
from simulators.salesforce.web import Web

DEFAULT_REDIRECTS = (
    "http://localhost:8000/connect/salesforce/callback/",
    "http://127.0.0.1:8000/connect/salesforce/callback/",
)


class RefusedError(Exception):
    """Why the simulator will not start, in one line."""


@dataclass(frozen=True)
class Options:
    directory: Path
    ports_from: int = 8100
    host: str = "127.0.0.1"
    redirect_uris: tuple[str, ...] = DEFAULT_REDIRECTS
    latency: float = 0.0


def check_loopback(host: str) -> None:
    """The pages speak plain http and sign in without a password: never off this machine."""
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise RefusedError(f"the simulator's pages are plain http and listen on loopback only, not on {host}")


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


class Simulation:
    def __init__(self, options: Options) -> None:
        check_loopback(options.host)
        self.options = options
        self.secret = self._client_secret()
        self.orgs = [Org(plan, [self._default_app()]) for plan in PLANS]
        self.logins = [
            LoginHost("login", "Salesforce", [org for org in self.orgs if org.plan.login == "login"]),
            LoginHost("test", "Salesforce sandboxes", [org for org in self.orgs if org.plan.login == "test"]),
        ]
        self.hosts = hosts_of(self.orgs, self.logins)
        self.servers: list[tuple[_Server, list[socket.socket]]] = []

    def _client_secret(self) -> str:
        """Kept in the directory, so that a restart finds the grants and the secret as they were."""
        file = self.options.directory / "client_secret"
        if not file.exists():
            file.write_text(secrets.token_hex(32))
            file.chmod(0o600)
        return file.read_text()

    def _default_app(self) -> App:
        return App(
            "sidebar-demo",
            self.secret,
            redirect_uris=list(self.options.redirect_uris),
            keys_below=True,
            any_loopback_port=True,
        )

    def open_ports(self) -> None:
        authority = trustme.CA(organization_name="Simulated Salesforce", organization_unit_name="local tests")
        authority.cert_pem.write_to_path(str(self.options.directory / "ca.pem"))
        leaf = authority.issue_cert("localhost", "127.0.0.1", "::1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf.configure_cert(context)
        port = self.options.ports_from
        for host in self.hosts:
            api, pages = self._listen(port), self._listen(port + 1 if port else 0)
            port += 2 if port else 0
            host.api_url = f"https://localhost:{api[0].getsockname()[1]}"
            host.pages_url = f"http://localhost:{pages[0].getsockname()[1]}"
            self.servers.append((self._server(Web(host, pages=False, latency=self.options.latency), context), api))
            self.servers.append((self._server(Web(host, pages=True), None), pages))
        self._tell_orgs()

    def _listen(self, port: int) -> list[socket.socket]:
        """IPv4, and the same port of IPv6 where there is one: `localhost` may mean either."""
        first = self._bind(socket.AF_INET, "127.0.0.1" if self.options.host == "localhost" else self.options.host, port)
        sockets = [first]
        with contextlib.suppress(OSError):
            sockets.append(self._bind(socket.AF_INET6, "::1", first.getsockname()[1]))
        return sockets

    def _bind(self, family: socket.AddressFamily, host: str, port: int) -> socket.socket:
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

    def _server(self, app: Web, context: ssl.SSLContext | None) -> _Server:
        config = uvicorn.Config(
            app,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
        )
        config.load()
        config.ssl = context
        return _Server(config)

    def _tell_orgs(self) -> None:
        for host in self.hosts:
            if host.org and host.is_site and host.org.site:
                host.org.site.api_url, host.org.site.pages_url = host.api_url, host.pages_url
            elif host.org:
                host.org.api_url, host.org.pages_url = host.api_url, host.pages_url
        for login in self.logins:
            host = next(h for h in self.hosts if h.key == login.key)
            for org in login.orgs:
                org.login_url = host.api_url
        for org in self.orgs:
            org.grants.load(self.options.directory / f"grants-{org.key}.json")

    def description(self) -> dict[str, Any]:
        """What orgs.json says."""
        return {
            "ca": str((self.options.directory / "ca.pem").resolve()),
            "orgs": [self._describe(org) for org in self.orgs],
            "login_hosts": [_urls(host) | {"sandboxes": host.key == "test"} for host in self.hosts if host.org is None],
        }

    def _describe(self, org: Org) -> dict[str, Any]:
        site = next((h for h in self.hosts if h.org is org and h.is_site), None)
        users = [
            {
                "key": u.key,
                "username": u.username,
                "password": u.password,
                "name": u.name,
                "email": u.email,
                "id": u.id,
                "profile": u.profile.name,
            }
            for u in org.users.values()
        ]
        return {
            "key": org.key,
            "name": org.name,
            "salesforce_org_id": org.id,
            "is_sandbox": org.plan.is_sandbox,
            "api_url": org.api_url,
            "pages_url": org.pages_url,
            "login_host": org.plan.login,
            "users": users,
            "client_id": "sidebar-demo",
            "client_secret": self.secret,
            "site": _urls(site) if site else None,
        }

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop)
        tasks = [asyncio.create_task(server.serve(sockets)) for server, sockets in self.servers]
        await asyncio.gather(*(server.listening.wait() for server, _ in self.servers))
        file = self.options.directory / "orgs.json"
        temporary = file.with_suffix(".new")
        temporary.write_text(json.dumps(self.description(), indent=2, ensure_ascii=False))
        temporary.chmod(0o600)
        temporary.replace(file)
        print("ready", flush=True)
        await asyncio.gather(*tasks)

    def stop(self) -> None:
        for server, _ in self.servers:
            server.should_exit = server.force_exit = True  # nobody waits for an answer any more


def _urls(host: Host) -> dict[str, Any]:
    return {
        "key": host.key,
        "name": host.name,
        "api_url": host.api_url,
        "pages_url": host.pages_url,
        "login_url": host.issuer,
        "prefix": host.prefix,
    }
