"""People who are connected at the simulated Salesforce, in this test's database."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pytest_django import Settings

from organizations.membership import Arrival, join
from organizations.models import Member
from providers.base import Secret
from tests.faults.oracle import Oracle
from tests.organizations import people
from tests.simulators.running import Running, simulated_salesforce
from vault import grants, keys
from vault.grants import Grant
from vault.models import Connection, State


@dataclass
class Person:
    """`token`: the access token that she was given first."""

    member: Member
    connection: Connection
    token: str

    def again(self) -> Connection:
        return Connection.objects.get(pk=self.connection.pk)


@pytest.fixture
def simulator(oracle: Oracle, settings: Settings) -> Iterator[Running]:
    """A simulated Salesforce of its own, whose ledger the oracle reads; the ledger is asked before it ends."""
    with simulated_salesforce() as running:
        settings.SALESFORCE_ORIGINS = running.origins()
        settings.OUTBOUND_CA_BUNDLE = running.ca
        settings.SALESFORCE_CLIENT_ID = "sidebar-demo"
        settings.SALESFORCE_CLIENT_SECRET = running.org()["client_secret"]
        told: dict[str, Any] = {}
        oracle.witness(lambda: told)
        yield running
        told.update(running.sim("ledger"))


def connect(running: Running, user: str) -> Person:
    """A whole authorization at the simulator, and its grant sealed here."""
    keys.verify_kek()
    answer = running.tokens(user)
    url = running.org()["api_url"]
    user_id = answer["id"].rsplit("/", 1)[-1]
    member = join(replaced(user, user_id))
    grant = Grant(
        access_token=Secret(answer["access_token"]),
        refresh_token=Secret(answer["refresh_token"]),
        client_id="sidebar-demo",
        login_url=url,
        issuer=url,
        token_endpoint=f"{url}/services/oauth2/token",
        revocation_endpoint=f"{url}/services/oauth2/revoke",
        api_url=url,
        page_url=url,
        identity=answer["id"],
        scopes=tuple(answer["scope"].split()),
    )
    row = Connection.objects.create(
        organization=member.organization,
        member=member,
        provider="salesforce",
        subject=user_id,
        login_url=url,
        state=State.HEALTHY,
        scopes=list(grant.scopes),
    )
    grants.store(row, grant)
    return Person(member, row, answer["access_token"])


def replaced(user: str, user_id: str) -> Arrival:
    return people.replace(people.ALICE, salesforce_user_id=user_id, username=f"{user}@acme.example", name=user)
