"""Keeps a test run on this machine: whoever looks up or connects to a host beyond it is refused, and his test fails.

`python -m tests.loopback manage.py ...` runs a command in the same way, where the refusal is all that happens."""

import ipaddress
import runpy
import socket
import sys
from typing import Any
from urllib.parse import urlsplit

from tests import servers

#: Hosts that were asked for and refused. Names that lead nowhere by definition (RFC 6761) are refused without a word.
refused: list[str] = []
_NOWHERE = ".invalid"


def guard() -> None:
    """For the rest of this process."""
    sys.addaudithook(_look)


def _look(event: str, args: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto") and isinstance(args[1], tuple):
        _require_here(args[1][0], ConnectionRefusedError)
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        _require_here(args[0], socket.gaierror)


def _require_here(host: str | bytes | None, error: type[OSError]) -> None:
    name = (host.decode() if isinstance(host, bytes) else host or "").lower()
    if _is_here(name):
        return
    if not name.endswith(_NOWHERE):
        refused.append(name)
    raise error(f"tests stay on this machine: {name}")


def _is_here(name: str) -> bool:
    given = {urlsplit(url).hostname for url in servers.GIVEN.values()}
    if name in {"", "localhost", "0.0.0.0", "::", *given}:  # noqa: S104  nothing is bound here
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name.endswith(".localhost")


if __name__ == "__main__":
    guard()
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
