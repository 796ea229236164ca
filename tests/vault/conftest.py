"""What the vault's tests share: a connection of Alice's whose tokens come from a rotating token endpoint."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from organizations import epochs
from organizations.models import Member
from providers.base import Secret
from tests.faults.oracle import judged, oracle
from tests.organizations import people
from tests.providers.faulty import faulty
from tests.vault.rotating import USER, Rotating
from vault import access, clients, grants, keys, leases
from vault.grants import Grant
from vault.models import Connection, State

__all__ = ["judged", "oracle"]  # fixtures: the fault tests are judged by the oracle


@pytest.fixture(autouse=True)
def cold() -> Iterator[None]:
    """Nothing is left in RAM from the test before."""
    _forget()
    yield
    _forget()


def _forget() -> None:
    keys.forget_all()
    leases._leases.clear()
    leases._noted.clear()
    clients._refs.clear()
    access._recent.clear()


@pytest.fixture(autouse=True)
def by_the_oracle(request: pytest.FixtureRequest) -> None:
    """Whoever works with the rotating provider is judged at the end."""
    if "provider" in request.fixturenames:
        request.getfixturevalue("judged")


@pytest.fixture
def polled(transactional_db: None) -> Iterator[None]:
    """This process hears of changed epochs, as every web and worker process does."""
    epochs.start_polling(0.1)
    yield
    epochs.stop_polling()


@pytest.fixture
def provider(tmp_path: Path, settings: Settings) -> Iterator[Rotating]:
    with faulty(tmp_path) as server:
        settings.SALESFORCE_ORIGINS = [server.url]
        settings.OUTBOUND_CA_BUNDLE = str(server.ca)
        settings.SALESFORCE_CLIENT_ID, settings.SALESFORCE_CLIENT_SECRET = "client", "client-secret"
        settings.VAULT_SPOOL_DIR = tmp_path / "spool"
        yield Rotating(server)


@dataclass
class Connected:
    member: Member
    connection: Connection
    grant: Grant

    def again(self) -> Connection:
        return Connection.objects.get(pk=self.connection.pk)


@pytest.fixture
def alice(provider: Rotating, transactional_db: None) -> Connected:
    keys.verify_kek()  # the first start
    member = people.everybody()[0]
    url = provider.server.url
    grant = Grant(
        access_token=Secret(provider.access_token),
        refresh_token=Secret(provider.refresh_token),
        client_id="client",
        login_url=url,
        issuer=url,
        token_endpoint=f"{url}/services/oauth2/token",
        revocation_endpoint=f"{url}/services/oauth2/revoke",
        api_url=url,
        page_url=url,
        identity=provider.identity,
        scopes=("id", "api", "refresh_token", "web"),
    )
    row = Connection.objects.create(
        organization=member.organization,
        member=member,
        provider="salesforce",
        subject=USER,
        login_url=url,
        state=State.HEALTHY,
        last_success_at=timezone.now(),
        scopes=list(grant.scopes),
    )
    grants.store(row, grant)
    return Connected(member, row, grant)
