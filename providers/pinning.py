"""Sockets that go only where they may: the checked address is the connected address, and every read has a deadline.

Knows nothing of HTTP answers or providers (docs/hardening.md BI-I, FT21, FT26)."""

import contextlib
import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import certifi
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util import connection as urllib3_connection

from providers.errors import HostNotAllowed, Transient

RESOLVE_SECONDS = 3.0
#: Longest wait for the next byte of a body that is read piece by piece.
IDLE_SECONDS = 10.0
_lookups = threading.BoundedSemaphore(64)  # a dead name server must not cost a thread per caller

#: (host, port) -> True where private addresses are allowed, False where only public ones; raises HostNotAllowed.
Policy = Callable[[str, int], bool]
Resolver = Callable[[str, int], list[str]]

_local = threading.local()


@contextlib.contextmanager
def deadline(seconds: float, idle: float) -> Iterator[None]:
    """All socket operations of this thread end within `seconds` in sum, each single wait within `idle`. One may stand
    within another: a piece is read of one answer while another request is being sent."""
    before = getattr(_local, "until", None), getattr(_local, "idle", None), getattr(_local, "has_sent", False)
    _local.until, _local.idle, _local.has_sent = time.monotonic() + seconds, idle, False
    try:
        yield
    finally:
        _local.until, _local.idle, _local.has_sent = before


def remaining() -> float | None:
    """Seconds left for the next socket operation; None outside a deadline. Raises TimeoutError when none are left."""
    until = getattr(_local, "until", None)
    if until is None:
        return None
    left = float(until) - time.monotonic()
    if left <= 0:
        raise TimeoutError("deadline passed")
    return min(left, float(_local.idle))


def has_sent() -> bool:
    """Whether this thread, since its deadline began, has begun to send anything over TLS after the handshake."""
    return bool(getattr(_local, "has_sent", False))


class DeadlineSocket(ssl.SSLSocket):
    """A TLS socket that asks for its time-out before each operation: one byte a second does not keep it alive.

    `send` carries requests only: the handshake does not pass it, nor does what is said to a proxy."""

    def _arm(self) -> None:
        left = remaining()
        if left is not None:
            self.settimeout(left)

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self._arm()
        return super().recv_into(*args, **kwargs)

    def recv(self, *args: Any, **kwargs: Any) -> bytes:
        self._arm()
        return super().recv(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:
        self._arm()
        _local.has_sent = True
        return super().send(*args, **kwargs)


def tls_context(ca_bundle: str = "") -> ssl.SSLContext:
    """TLS 1.2 or newer, names and chains checked, against `ca_bundle` or the system's certificates."""
    paths = ssl.get_default_verify_paths()
    has_system_store = bool(paths.cafile or paths.capath)
    context = ssl.create_default_context(cafile=ca_bundle or (None if has_system_store else certifi.where()))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = DeadlineSocket
    return context


#: Of which releases of Python think differently (IANA's special-purpose registries; RFC 3879, 7526, 9637).
_NOBODYS = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "fec0::/10", "3fff::/20", "2001::/23")))


def resolve(host: str, port: int) -> list[str]:
    """All addresses of `host`, within RESOLVE_SECONDS although getaddrinfo itself knows no time-out."""
    answer: queue.SimpleQueue[list[str] | None] = queue.SimpleQueue()
    if not _lookups.acquire(timeout=RESOLVE_SECONDS):
        raise Transient("The name server does not answer.")
    try:
        threading.Thread(target=_look_up, args=(host, port, answer), daemon=True).start()
    except RuntimeError:  # none is to be had, or this process is ending
        _lookups.release()
        raise Transient("This machine has no thread left.") from None
    try:
        found = answer.get(timeout=RESOLVE_SECONDS)
    except queue.Empty:
        found = None
    if not found:
        raise Transient("A provider's host name could not be resolved.")
    return found


def _look_up(host: str, port: int, answer: "queue.SimpleQueue[list[str] | None]") -> None:
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        answer.put(None)
    else:
        answer.put(list(dict.fromkeys(str(info[4][0]) for info in infos)))
    finally:
        _lookups.release()


def is_public(address: str) -> bool:
    """False for loopback, private, link-local, shared, multicast, reserved and tunnelled-in IPv4 of these kinds."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None) or _nat64(ip)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or any(ip in network for network in _NOBODYS))


def _nat64(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    is_nat64 = ip in ipaddress.ip_network("64:ff9b::/96")
    return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if is_nat64 else None


def pool_class(policy: Policy, resolver: Resolver = resolve) -> type[HTTPSConnectionPool]:
    """A connection pool whose connections resolve once, check every address, and connect to a checked one.

    SNI and certificate check keep the name, so a rebinding DNS answer between check and use changes nothing."""

    class PinnedConnection(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            addresses = _checked(self.host, self.port, policy, resolver)
            return _connect(self, addresses)

    class PinnedPool(HTTPSConnectionPool):
        ConnectionCls = PinnedConnection

    return PinnedPool


def _checked(host: str, port: int, policy: Policy, resolver: Resolver) -> list[str]:
    may_be_private = policy(host, port)
    addresses = resolver(host, port)
    if not may_be_private and not all(is_public(address) for address in addresses):
        raise HostNotAllowed("A provider's host name points into a private network; nothing was sent.")
    return addresses


def _connect(connection: HTTPSConnection, addresses: list[str]) -> socket.socket:
    timeout = connection.timeout if isinstance(connection.timeout, (int, float)) else RESOLVE_SECONDS
    error: OSError | None = None
    for address in addresses[:4]:
        try:
            return urllib3_connection.create_connection(
                (address, connection.port), timeout, socket_options=connection.socket_options
            )
        except OSError as failure:
            error = failure
    if isinstance(error, TimeoutError):
        raise ConnectTimeoutError(connection, "connect timed out") from None
    raise NewConnectionError(connection, "connect failed") from None
