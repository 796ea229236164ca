"""What the providers' tests share: a misbehaving TLS server, and sessions that trust it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from providers import http
from providers.activities import KeyForm
from tests.providers import desks
from tests.providers.desks import FORMS, Desk
from tests.providers.faulty import Faulty, faulty
from tests.providers.simulated import Someone, someone
from tests.simulators.running import Running, salesforce, salesforce_process

__all__ = ["salesforce", "salesforce_process"]


@pytest.fixture(scope="module", autouse=True)
def grants_of_their_own() -> None:
    desks.forget()


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


@pytest.fixture(scope="module")
def signed_in(salesforce_process: Running) -> dict[str, Someone]:
    """Alice and Bob, signed in once for each module: Salesforce ends the oldest of a person's grants at the sixth."""
    return {user: someone(salesforce_process, user) for user in ("alice", "bob")}


@pytest.fixture
def alice(salesforce: Running, signed_in: dict[str, Someone]) -> Someone:
    return signed_in["alice"].afresh()


@pytest.fixture
def bob(salesforce: Running, signed_in: dict[str, Someone]) -> Someone:
    return signed_in["bob"].afresh()


@pytest.fixture(params=list(KeyForm))
def desk(salesforce: Running, request: pytest.FixtureRequest) -> Desk:
    """Somebody who files mail, in each way that an organization may keep it single."""
    org, user = FORMS[request.param]
    return Desk(salesforce, org, user)
