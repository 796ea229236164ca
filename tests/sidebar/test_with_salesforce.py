"""The look-up with everything real below it: vault, client, wire and the simulated Salesforce."""

import gc
import logging
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from django.db import connection as database
from pytest_django import Settings

from organizations.models import Member
from providers.base import Secret
from providers.errors import NeedsReconnect
from sidebar import lookup, records
from sidebar.cache import CardCache, cards
from tests.organizations import people
from tests.sidebar.conftest import connect
from tests.sidebar.memory import holders_of
from tests.sidebar.wsgi import over_wsgi
from tests.simulators.running import Running, salesforce, salesforce_process  # noqa: F401  fixtures
from vault import access, clients, grants, keys, leases
from vault.grants import Grant
from vault.models import Connection

pytestmark = pytest.mark.django_db(databases=["default", "keys"])

JANE = "jane.doe@northwind.example"


@dataclass
class Asker:
    """Alice with a real grant, and Salesforce's control desk."""

    member: Member
    connection: Connection
    token: str
    desk: Running

    def calls(self) -> int:
        return len(self.desk.calls())

    def rename_jane(self, name: str) -> None:
        org = self.desk.org()
        tokens = self.desk.tokens("alice")
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        found = self.desk.http.get(
            f"{org['api_url']}/services/data/v62.0/query",
            params={"q": "SELECT Id FROM Contact WHERE Email = 'jane.doe@northwind.example'"},
            headers=headers,
            timeout=10,
        ).json()
        url = f"{org['api_url']}/services/data/v62.0/sobjects/Contact/{found['records'][0]['Id']}"
        assert self.desk.http.patch(url, json={"LastName": name}, headers=headers, timeout=10).status_code == 204


def forget_all() -> None:
    keys.forget_all()
    leases._leases.clear()
    clients._refs.clear()
    access._recent.clear()
    cards.reset()


@pytest.fixture
def alice(db: None, salesforce: Running, settings: Settings) -> Iterator[Asker]:  # noqa: F811
    settings.SALESFORCE_ORIGINS = salesforce.origins()
    settings.OUTBOUND_CA_BUNDLE = salesforce.ca
    settings.SALESFORCE_CLIENT_ID = "sidebar-demo"
    settings.SALESFORCE_CLIENT_SECRET = salesforce.org()["client_secret"]
    forget_all()
    people.add_in()
    member = people.everybody()[0]
    row = connect(member)
    grants.store(row, grant_of(salesforce))
    yield Asker(member, row, str(people.tokens_for(member)["access_token"]), salesforce)
    forget_all()


def grant_of(running: Running) -> Grant:
    answer, org = running.tokens("alice"), running.org()
    return Grant(
        access_token=Secret(answer["access_token"]),
        refresh_token=Secret(answer["refresh_token"]),
        client_id="sidebar-demo",
        login_url=org["api_url"],
        issuer=org["api_url"],
        token_endpoint=f"{org['api_url']}/services/oauth2/token",
        revocation_endpoint=f"{org['api_url']}/services/oauth2/revoke",
        api_url=answer["instance_url"],
        page_url=org["pages_url"],
        identity=answer["id"],
        scopes=("id", "api", "refresh_token", "web"),
    )


def test_cold_is_one_call_and_warm_is_none(alice: Asker) -> None:
    """C56, C58, by the simulator's own count; what the person may see is known from an earlier describe."""
    over_wsgi(alice.token, "someone@else.example")
    before = alice.calls()
    answer = over_wsgi(alice.token, JANE, *(f"person{n}@customer.example" for n in range(11)))
    assert b'"Jane Doe"' in answer
    assert alice.calls() - before == 1
    over_wsgi(alice.token, JANE)
    assert alice.calls() - before == 1


@pytest.mark.parametrize(
    "ask",
    [
        lambda member: lookup.look_up_people(member, ["x@y.example"]),
        lambda member: records.search_records(member, "x1"),
    ],
)
def test_a_revoked_grant_takes_its_cards_with_it(alice: Asker, ask: Callable[[Member], object]) -> None:
    """C17: whichever call is the first to be refused; the vault tells this process, as it tells the others."""
    over_wsgi(alice.token, JANE, "someone@else.example")
    assert cards.counters().entries == 2
    alice.desk.sim("users/alice", {"revoke": True})
    with pytest.raises(NeedsReconnect):
        ask(alice.member)
    assert cards.counters().entries == 0
    assert b"needs-reconnect" in over_wsgi(alice.token, JANE)


@pytest.mark.parametrize("has_sweeper", [True, False])
def test_no_layer_below_keeps_a_card(alice: Asker, has_sweeper: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """C59: 15 seconds after a card's time neither the cache nor the client, its connections or its errors hold it,
    with the collector off, as in a process that idles. With the sweeper off the same check fails."""
    canary = secrets.token_hex(12).encode()
    alice.rename_jane(canary.decode())
    short = CardCache(sweep_every=0.1 if has_sweeper else None)
    monkeypatch.setattr(lookup, "cards", short)
    monkeypatch.setattr(lookup, "card_lifetime", lambda _: 2.0)
    gc.collect()
    gc.disable()
    try:
        assert canary in over_wsgi(alice.token, JANE)
        time.sleep(2.5)
        deadline = time.monotonic() + 12.5
        while has_sweeper and holders_of(canary) and time.monotonic() < deadline:
            time.sleep(0.5)
        assert bool(holders_of(canary)) is not has_sweeper, holders_of(canary)
    finally:
        gc.enable()
        short.close()


def test_a_thousand_real_look_ups_leave_no_trace(alice: Asker) -> None:
    """C57: the canary in a contact's name is in no table and no log line."""
    canary = secrets.token_hex(12)
    alice.rename_jane(canary)
    logged: list[str] = []
    handler = logging.Handler(logging.NOTSET)
    handler.emit = lambda record: logged.append(f"{record.getMessage()} {record.__dict__}")  # type: ignore[method-assign]
    everyone = [logging.getLogger(), *(logging.getLogger(name) for name in logging.root.manager.loggerDict)]
    levels = [(logger, logger.level) for logger in everyone]
    everyone[0].addHandler(handler)
    for logger in everyone:  # also those that config/logging.py keeps quiet
        logger.setLevel(logging.DEBUG)
    try:
        for number in range(1000):
            if number % 50 == 0:
                cards.drop_connection(str(alice.connection.pk))
            assert canary.encode() in over_wsgi(alice.token, JANE)
    finally:
        everyone[0].removeHandler(handler)
        for logger, level in levels:
            logger.setLevel(level)
    assert logged
    assert not [line for line in logged if canary in line or JANE in line]
    with database.cursor() as cursor:
        for table in database.introspection.table_names(cursor):
            cursor.execute(f'SELECT count(*) FROM "{table}" t WHERE t::text LIKE %s', [f"%{canary}%"])  # noqa: S608
            assert cursor.fetchone() == (0,), table
