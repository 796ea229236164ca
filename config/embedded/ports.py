"""Loopback ports: a free one, and whether one is free."""

import random
import socket

LOOPBACK = "127.0.0.1"
#: Below what Linux and macOS take for outgoing connections: one of these could have the port before its server does.
_SERVERS = range(10_000, 32_768)


def free() -> int:
    """Raises OSError where none is left."""
    for port in random.sample(_SERVERS, 200):
        if can_listen(port):
            return port
    raise OSError("No free port was found on this machine.")


def can_listen(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
