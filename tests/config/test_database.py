"""What our database connections ask of the network, read from a real socket."""

import os
import socket
from typing import Any

import psycopg
import pytest

from config import env

ADDRESS = os.environ["DATABASE_URL"]


def limits(address: str) -> list[int]:
    """Seconds of silence, between two questions, how many of these; milliseconds for what nobody acknowledges."""
    entry: Any = env.database(address, "DATABASE_URL")
    options = {name: value for name, value in entry["OPTIONS"].items() if name != "pool"}
    who = {"user": entry["USER"], "password": entry["PASSWORD"], "host": entry["HOST"], "port": entry["PORT"]}
    with psycopg.connect(**who, dbname="postgres", **options) as connection:
        ours = socket.socket(fileno=os.dup(connection.fileno()))
        with ours:
            if ours.family == socket.AF_UNIX:
                pytest.skip("a Unix socket has no network to be cut off from")
            names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
            return [ours.getsockopt(socket.IPPROTO_TCP, name) for name in names]


def test_a_database_that_is_cut_off_keeps_no_thread_for_long() -> None:
    """V5: a place in the pool neither. Linux alone would wait for a quarter of an hour."""
    assert limits(ADDRESS) == [15, 5, 3, 30_000]


def test_an_operator_says_otherwise_in_the_address() -> None:
    mark = "&" if "?" in ADDRESS else "?"
    assert limits(f"{ADDRESS}{mark}tcp_user_timeout=9000&keepalives_idle=60") == [60, 5, 3, 9_000]
