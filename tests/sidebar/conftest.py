"""Alice and Bob of Acme, Charlie of Globex: connected, with a token each, and a Crm that remembers."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from organizations.models import Member
from sidebar import lookup, records
from sidebar.cache import cards
from tests.organizations import people
from tests.sidebar.crm import RememberingCrm
from vault.clients import ConnectionRef
from vault.models import Connection, State


class Everybody:
    """Members, their connections and their Crms, by first name."""

    def __init__(self) -> None:
        people.add_in()
        self.members = dict(zip(("alice", "bob", "charlie"), people.everybody(), strict=True))
        self.connections = {name: connect(member) for name, member in self.members.items()}
        self.crms = {name: RememberingCrm(name) for name in self.members}
        self._clients: dict[str, Client] = {}

    def crm_for(self, connection: ConnectionRef, purpose: str) -> RememberingCrm:
        assert purpose.startswith("sidebar.")
        name = next(name for name, row in self.connections.items() if row.pk == connection.id)
        return self.crms[name]

    def token(self, name: str) -> str:
        return str(people.tokens_for(self.members[name])["access_token"])

    def client(self, name: str = "alice") -> Client:
        if name not in self._clients:
            self._clients[name] = Client(headers={"Authorization": f"Bearer {self.token(name)}"})
        return self._clients[name]

    def look_up(self, *addresses: str, by: str = "alice", **body: Any) -> Any:
        return self.post("people/", {"addresses": list(addresses), **body}, by=by)

    def post(self, path: str, body: Any, by: str = "alice", **extra: Any) -> Any:
        return self.client(by).post(f"/api/v1/sidebar/{path}", body, content_type="application/json", **extra)


def connect(member: Member) -> Connection:
    return Connection.objects.create(
        organization=member.organization,
        member=member,
        provider="salesforce",
        subject=member.salesforce_user_id,
        login_url="https://login.salesforce.com",
        state=State.HEALTHY,
        scopes=["id", "api", "refresh_token", "web"],
    )


@pytest.fixture
def everybody(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Everybody]:
    made = Everybody()
    monkeypatch.setattr(lookup, "crm_for", made.crm_for)
    monkeypatch.setattr(records, "crm_for", made.crm_for)
    cards.reset()
    yield made
    cards.reset()
