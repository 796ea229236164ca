"""The guard of tests/loopback.py: this machine answers, no other is asked."""

import socket

import pytest

from tests import loopback


def test_this_machine_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        assert socket.getaddrinfo("localhost", 80)
    assert loopback.refused == []


@pytest.mark.parametrize("host", ["login.salesforce.com", "192.0.2.1"])
def test_another_is_refused_and_told(host: str) -> None:
    with pytest.raises(OSError, match=f"tests stay on this machine: {host}"):
        socket.create_connection((host, 443), timeout=5)
    assert loopback.refused == [host]
    loopback.refused.clear()


def test_a_name_that_leads_nowhere_is_refused_without_a_word() -> None:
    with pytest.raises(socket.gaierror):
        socket.create_connection(("sidebar.invalid", 443))
    assert loopback.refused == []
