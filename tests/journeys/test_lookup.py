"""A look-up from the add-in's request to Salesforce and back, over HTTP, against the product as `make run` has it."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.conftest import SignIn
from tests.journeys.people import AddIn, Salesforce

JANE = "jane.doe@northwind.example"
CONVERSATION = [
    JANE,
    '"O\'Connor, Liam" <liam.oconnor@northwind.example>',
    "zoe.vanderberg@northwind.example",
    "t.lukasiewicz@northwind.example",
    "priya.raman@kestrel-labs.example",
    "sofia.rossi@rossi-vini.example",
    "d.volkov@aurora-hydro.example",
    "ines.carvalho@postbox.example",
    "prince@paisley.example",
    "max+newsletter@mustermann.example",
    "nobody@nowhere.example",
    "ngozi.okafor@savannah-foods.example",
]


@pytest.fixture
def heard(alice: AddIn) -> None:
    """Every process knows by now what was changed before (epochs are read each second): it drops nothing more."""
    time.sleep(2.5)


@pytest.mark.usefixtures("heard")
def test_a_cold_conversation_of_twelve_is_one_call_and_a_warm_one_none(alice: AddIn, acme: Salesforce) -> None:
    """C54, C55, C56, C58."""
    before = len(acme.counted_calls("alice"))
    cold = alice.people(CONVERSATION)
    assert cold.status_code == 200
    made = acme.counted_calls("alice")[before:]
    assert len(made) == 1, made
    cards = {card["address"]: card for card in cold.json()["people"]}
    assert len(cards) == 12
    jane = cards[JANE]["records"][0]
    assert {group["object"] for group in jane["groups"]} == {"Account", "Opportunity", "Case", "Activity"}
    assert {record["kind"] for record in cards["sofia.rossi@rossi-vini.example"]["records"]} == {"Contact", "Lead"}
    assert cards["ines.carvalho@postbox.example"]["records"][0]["kind"] == "PersonAccount"
    assert cards["nobody@nowhere.example"]["records"] == []

    for _ in range(30):  # on connections of their own, so that both web processes are asked and warm up
        assert alice.people(CONVERSATION, fresh=True).status_code == 200
    calls = len(acme.counted_calls("alice"))
    for _ in range(20):
        assert alice.people(CONVERSATION, fresh=True).json()["people"][0]["address"] == JANE
    assert not acme.counted_calls("alice")[calls:]
    assert calls - before <= 2


def test_own_domain_is_left_out(alice: AddIn) -> None:
    answer = alice.people(["Bob <bob@acme.example>", "not an address"]).json()
    assert answer == {
        "people": [],
        "skipped": [{"address": "bob@acme.example", "reason": "own_domain"}],
        "invalid": [{"input_index": 1}],
    }


def asked(caller: AddIn, addresses: list[str], sent_away: list[requests.Response]) -> requests.Response:
    """Whoever is sent away because the house is full comes again."""
    answer = caller.people(addresses, fresh=True)
    if answer.status_code == 503:
        sent_away.append(answer)
        time.sleep(float(answer.headers["Retry-After"]))
        answer = caller.people(addresses, fresh=True)
    return answer


@pytest.mark.usefixtures("heard")
def test_two_hundred_at_once_make_one_call_per_process(alice: AddIn, acme: Salesforce) -> None:
    """C56: a stampede of equal look-ups, cold, over two web processes."""
    address = ["hannah.goldberg@lighthouse-media.example"]
    acme.desk("faults", {"times": 2, "delay": 0.5, "path": "/services/data"})
    before, sent_away = len(acme.counted_calls("alice")), list[requests.Response]()
    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(lambda _: asked(alice, address, sent_away), range(200)))
    assert len(sent_away) < 60, "most wait for the one answer"
    assert [answer.status_code for answer in answers] == [200] * 200
    made = acme.counted_calls("alice")[before:]
    assert len(made) <= 2, made


def test_who_never_connected_causes_no_call(stack_member_without_grant: AddIn, acme: Salesforce) -> None:
    """C9."""
    before = len(acme.counted_calls("erin"))
    answer = stack_member_without_grant.people([JANE])
    assert answer.status_code == 409
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"].endswith("/connect-required")
    assert "/connect/salesforce/" in answer.json()["reconnect_url"]
    assert len(acme.counted_calls("erin")) == before


@pytest.fixture
def stack_member_without_grant(signed_in: SignIn) -> AddIn:
    """Erin signed in and then disconnected; her add-in's token still works."""
    erin = signed_in("acme", "erin")
    connections = erin.call("GET", "connections/").json()["connections"]
    for connection in connections:
        assert erin.call("DELETE", f"connections/{connection['id']}/").status_code in (200, 202, 204)
    return erin


@pytest.mark.timeout(600)
def test_nobody_ever_gets_anothers_bytes(alice: AddIn, bob: AddIn, charlie: AddIn) -> None:
    """docs/hardening.md, row 5: 10,000 random probes by three people who see different things of the same people."""
    # Whom no other test edits: a colleague's card may lawfully be five minutes older than an edit by somebody else.
    addresses = [JANE, "zoe.vanderberg@northwind.example", "liam.oconnor@northwind.example"]
    callers = {"alice": alice, "bob": bob, "charlie": charlie}
    expected = {
        (name, address): strip(caller.people([address]).json())
        for name, caller in callers.items()
        for address in addresses
    }
    assert len({str(expected[name, JANE]) for name in callers}) == 3
    assert "Opportunity" not in str(expected["bob", JANE]["groups"])
    assert any("Opportunit" in note for note in expected["bob", JANE]["notes"])

    def probe(seed: int) -> None:
        chance = random.Random(seed)
        with requests.Session() as http:
            for _ in range(1250):
                name, address = chance.choice(list(callers)), chance.choice(addresses)
                refresh = chance.random() < 0.01
                answer = http.post(
                    f"{alice.url}/api/v1/sidebar/people/",
                    json={"addresses": [address], "refresh": refresh},
                    headers=callers[name].headers,
                    timeout=30,
                )
                assert answer.status_code == 200, answer.text
                assert strip(answer.json()) == expected[name, address]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(probe, range(8)))


def strip(answer: dict[str, Any]) -> dict[str, Any]:
    """One card as what it says, without when it was said."""
    (card,) = answer["people"]
    records = [{**record, "groups": None} for record in card["records"]]
    return {"records": records, "groups": [record["groups"] for record in card["records"]], "notes": card["notes"]}
