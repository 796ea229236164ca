"""What the providers' tests share: a misbehaving TLS server, and sessions that trust it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from providers import http
from tests.providers.faulty import Faulty, faulty
from tests.simulators.running import salesforce, salesforce_process

__all__ = ["salesforce", "salesforce_process"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Faulty]:
    with faulty(tmp_path) as running:
        yield running


@pytest.fixture
def session(server: Faulty) -> http.Session:
    return http.Session(settings_for(server))


def settings_for(server: Faulty, **changes: float | int | str) -> http.Settings:
    values = {"connect_seconds": 2.0, "read_seconds": 1.0, "total_seconds": 1.5, **changes}
    return http.Settings(origins=frozenset({server.url}), ca_bundle=str(server.ca), **values)  # type: ignore[arg-type]
