"""POST sidebar/people/ and prefetch/ through the whole stack of views, with a Crm that remembers."""

import json
import random
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from organizations import epochs
from organizations.models import Domain
from providers.base import PersonMatch, Priority
from providers.errors import NeedsReconnect, RateLimited, Transient
from sidebar.cache import cards
from tests.sidebar.conftest import Everybody
from vault.models import Connection


def test_a_conversation_is_one_call_cold_and_none_warm(everybody: Everybody) -> None:
    """C54, C56, C58."""
    asked = [f"person{n}@customer.example" for n in range(12)]
    cold = everybody.look_up(*asked)
    assert cold.status_code == 200
    assert [card["address"] for card in cold.json()["people"]] == asked
    assert everybody.look_up(*asked).content == cold.content
    assert everybody.look_up(*reversed(asked)).json()["people"] == cold.json()["people"][::-1]
    assert everybody.crms["alice"].lookups == [(asked, Priority.INTERACTIVE)]


def test_only_what_is_missing_is_asked_for(everybody: Everybody) -> None:
    everybody.look_up("jane@customer.example")
    everybody.look_up("joe@customer.example", "jane@customer.example")
    assert [addresses for addresses, _ in everybody.crms["alice"].lookups] == [
        ["jane@customer.example"],
        ["joe@customer.example"],
    ]


def test_an_incomplete_card_is_shown_and_not_kept(everybody: Everybody, monkeypatch: pytest.MonkeyPatch) -> None:
    """C57: where Salesforce's answer was cut, "nobody" is no finding."""
    crm = everybody.crms["alice"]
    cut = PersonMatch("lonely@customer.example", notes=("Too many people.",), is_complete=False)
    whole = crm.find_people(["jane@customer.example"])["jane@customer.example"]
    crm.lookups.clear()
    answers = {cut.address: cut, whole.address: whole}

    def find_people(addresses: Sequence[str], *, priority: Priority) -> Mapping[str, PersonMatch]:
        crm.lookups.append((list(addresses), priority))
        return {address: answers[address] for address in addresses}

    monkeypatch.setattr(crm, "find_people", find_people)
    for _ in range(2):
        people = everybody.look_up(*answers).json()["people"]
        assert people[0]["notes"] == ["Too many people."]
    assert [addresses for addresses, _ in crm.lookups] == [list(answers), [cut.address]]


def test_a_card_says_what_salesforce_said(everybody: Everybody) -> None:
    """C55: the groups of the answer."""
    answer = everybody.look_up("jane@customer.example", "bob@acme.example", "nonsense", "nobody@x.example").json()
    card, nobody = answer["people"]
    assert answer["skipped"] == [{"address": "bob@acme.example", "reason": "own_domain"}]
    assert answer["invalid"] == [{"input_index": 2}]
    assert card["as_of"].endswith("Z")
    assert card["notes"] == ["A note."]
    assert card["creatable"] == ["Contact", "Lead"]
    (record,) = card["records"]
    assert (record["object"], record["kind"], record["editable"]) == ("Contact", "Contact", True)
    assert record["fields"][1] == {
        "name": "Email",
        "label": "Email",
        "value": "jane@customer.example",
        "type": "email",
        "editable": True,
    }
    (group,) = record["groups"]
    assert (group["object"], group["more"], group["records"][0]["name"]) == ("Opportunity", True, "Deal for alice")
    assert nobody["records"] == []


def test_refresh_asks_again_and_replaces_what_was_kept(everybody: Everybody) -> None:
    everybody.look_up("jane@customer.example")
    everybody.crms["alice"].name = "alice, later,"
    assert b"later" not in everybody.look_up("jane@customer.example").content
    assert b"later" in everybody.look_up("jane@customer.example", refresh=True).content
    assert b"later" in everybody.look_up("jane@customer.example").content
    assert len(everybody.crms["alice"].lookups) == 2


def test_only_colleagues_and_nonsense_ask_nothing(everybody: Everybody) -> None:
    """C55."""
    answer = everybody.look_up("alice@acme.example", "nonsense")
    assert answer.json() == {
        "people": [],
        "skipped": [{"address": "alice@acme.example", "reason": "own_domain"}],
        "invalid": [{"input_index": 1}],
    }
    assert everybody.crms["alice"].calls == []


def test_a_new_own_domain_counts_at_once(everybody: Everybody) -> None:
    everybody.look_up("jane@subsidiary.example")
    Domain.objects.create(organization=everybody.members["alice"].organization, name="subsidiary.example")
    epochs.bump("organization", everybody.members["alice"].organization_id)
    assert everybody.look_up("jane@subsidiary.example").json()["people"] == []


def test_nobody_gets_anothers_bytes(everybody: Everybody) -> None:
    """C57, docs/hardening.md row 5: Alice, Bob (her colleague) and Charlie look the same people up."""
    draw = random.Random(7)
    for _ in range(600):
        name = draw.choice(["alice", "bob", "charlie"])
        asked = [f"person{draw.randrange(40)}@customer.example" for _ in range(draw.randrange(1, 4))]
        if draw.random() < 0.05:
            cards.drop_connection(str(everybody.connections[name].pk))
        content = everybody.look_up(*asked, by=name, refresh=draw.random() < 0.1).content.decode()
        assert f"as {name} sees it" in content
        assert not any(f"as {other} sees it" in content for other in {"alice", "bob", "charlie"} - {name})


class TestFailures:
    def test_without_a_connection_nothing_is_asked(self, everybody: Everybody) -> None:
        """C9: no Salesforce access without explicit authorization."""
        Connection.objects.all().delete()
        epochs.bump("organization", everybody.members["alice"].organization_id)
        people, values = {"addresses": ["a@b.example"]}, {"values": {"LastName": "x"}}
        for method, path, body in (
            ("post", "people/", people),
            ("post", "prefetch/", people),
            ("get", "search/?q=acme", None),
            ("get", "forms/Contact/", None),
            ("get", "forms/Contact/003000000000001AAA/", None),
            ("post", "records/Contact/", values),
            ("patch", "records/Contact/003000000000001AAA/", values),
            ("post", "records/Contact/003000000000001AAA/open/", {}),
        ):
            answer = getattr(everybody.client(), method)(
                f"/api/v1/sidebar/{path}",
                **({} if method == "get" else {"data": body}),
                **({} if method == "get" else {"content_type": "application/json"}),
                headers={"Idempotency-Key": "k"},
            )
            assert answer.status_code == 409, path
            assert answer.json()["type"].endswith("/connect-required")
            assert answer.json()["provider"] == "salesforce"
            assert answer.json()["reconnect_url"].endswith("/connect/salesforce/")
        assert everybody.crms["alice"].calls == []

    def test_a_revoked_grant_is_told(self, everybody: Everybody) -> None:
        """C17; that its cards are dropped shows test_with_salesforce."""
        everybody.crms["alice"].failing = NeedsReconnect("Salesforce ended this connection.", provider="salesforce")
        answer = everybody.look_up("joe@customer.example")
        assert answer.status_code == 409
        assert answer.json()["type"].endswith("/needs-reconnect")

    @pytest.mark.parametrize("error", [Transient("Slow.", retry_after=3), RateLimited("No more.", retry_after=30)])
    def test_a_failure_says_when_to_come_back_and_is_not_kept(self, everybody: Everybody, error: Exception) -> None:
        everybody.crms["alice"].failing = error
        answer = everybody.look_up("jane@customer.example")
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 3
        everybody.crms["alice"].failing = None
        assert everybody.look_up("jane@customer.example").status_code == 200

    def test_nobody_without_a_token(self, everybody: Everybody) -> None:
        from django.test import Client

        for headers in ({}, {"Authorization": "Bearer nonsense"}):
            answer = Client(headers=headers).post(
                "/api/v1/sidebar/people/", {"addresses": ["a@b.example"]}, content_type="application/json"
            )
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


class TestDrops:
    @pytest.mark.parametrize("kind", ["cards", "token"])
    def test_an_epoch_drops_the_cards_it_concerns(self, everybody: Everybody, kind: str) -> None:
        """C17: what another process changed ends what this one keeps."""
        everybody.look_up("jane@customer.example")
        everybody.look_up("jane@customer.example", by="charlie")
        alice = everybody.members["alice"]
        key = {"cards": everybody.connections["alice"].pk, "token": alice.pk}[kind]
        epochs.notify(kind, str(key))
        everybody.look_up("jane@customer.example")
        everybody.look_up("jane@customer.example", by="charlie")
        assert len(everybody.crms["alice"].lookups) == 2
        assert len(everybody.crms["charlie"].lookups) == 1

    def test_a_missed_poll_drops_everything(self, everybody: Everybody) -> None:
        everybody.look_up("jane@customer.example")
        epochs.notify("cards", "*")
        assert cards.counters().entries == 0


class TestPrefetch:
    def test_what_is_prefetched_is_warm(self, everybody: Everybody) -> None:
        everybody.look_up("jane@customer.example")
        asked = ["jane@customer.example", "joe@customer.example", "kim@customer.example", "bob@acme.example"]
        answer = everybody.post("prefetch/", {"addresses": asked})
        assert answer.status_code == 202
        assert answer.json() == {"prefetched": 2, "already": 1, "shed": False}
        assert everybody.crms["alice"].lookups[1] == (asked[1:3], Priority.PREFETCH)
        everybody.look_up(*asked)
        assert len(everybody.crms["alice"].lookups) == 2

    @pytest.mark.parametrize("error", [RateLimited("Shed."), Transient("Slow.")])
    def test_it_is_shed_without_an_error(self, everybody: Everybody, error: Exception) -> None:
        """Prefetch is shed first."""
        everybody.crms["alice"].failing = error
        answer = everybody.post("prefetch/", {"addresses": ["jane@customer.example"]})
        assert (answer.status_code, answer.json()) == (202, {"prefetched": 0, "already": 0, "shed": True})


@pytest.mark.django_db(transaction=True)
def test_a_write_while_a_look_up_is_under_way_wins(everybody: Everybody) -> None:
    """C57: what was asked before the write is not kept after it."""
    crm, asked, go_on = everybody.crms["alice"], threading.Event(), threading.Event()

    def hold() -> None:
        asked.set()
        assert go_on.wait(10)

    def look_up() -> int:
        try:
            return int(everybody.look_up("jane@customer.example").status_code)
        finally:
            connections.close_all()  # this thread's own

    crm.before = hold
    everybody.client()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(look_up)
        assert asked.wait(10)
        cards.drop_connection(str(everybody.connections["alice"].pk))
        go_on.set()
        assert slow.result() == 200
    crm.before = lambda: None
    everybody.look_up("jane@customer.example")
    assert len(crm.lookups) == 2


def test_canonical_json(everybody: Everybody) -> None:
    """Cached bytes joined are the JSON that rendering all at once would give."""
    content = everybody.look_up("jane@customer.example", "joe@customer.example").content
    assert json.dumps(json.loads(content), separators=(",", ":"), ensure_ascii=False).encode() == content
