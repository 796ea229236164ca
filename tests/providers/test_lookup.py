"""The lookup against the simulated Salesforce: one call for a conversation, each person's own rights."""

import threading
import zlib

import pytest

from providers.errors import NotFound
from providers.salesforce import access
from tests.providers.simulated import (
    CONVERSATION,
    JANE,
    VERSION,
    Someone,
    groups,
    one,
    paths,
    someone,
)
from tests.simulators.running import Running


def test_a_conversation_of_twelve_costs_one_call(salesforce: Running, alice: Someone) -> None:
    """C55, C56: everybody with account, open opportunities, cases and activities."""
    found = alice.crm.find_people(CONVERSATION)
    assert paths(salesforce) == [f"/services/data/v{VERSION}/composite/"]
    assert list(found) == CONVERSATION
    kinds = {address: [person.kind for person in match.people] for address, match in found.items()}
    assert kinds == {
        **{address: ["Contact"] for address in CONVERSATION[:7]},
        "sofia.rossi@rossi-vini.example": ["Contact", "Lead"],
        "ines.carvalho@postbox.example": ["PersonAccount"],
        "max+newsletter@mustermann.example": ["Lead"],
        "nobody@nowhere.example": [],
        "o'brien%_\\@quotes.example": [],
    }
    jane = one(found[JANE])
    assert groups(jane).keys() == {"Account", "Opportunity", "Case", "Activity"}
    assert groups(jane)["Account"] == ["Northwind Shipping"]
    assert {field.name for field in jane.record.fields} >= {"Title", "Email", "Phone", "MobilePhone", "Department"}
    assert jane.record.url == f"{alice.pages}/{jane.record.id}"
    assert all(match.notes == () for match in found.values())


def test_closed_opportunities_stay_out(salesforce: Running, alice: Someone) -> None:
    jane = one(alice.crm.find_people([JANE])[JANE])
    shown = {record.id for group in jane.groups if group.object == "Opportunity" for record in group.records}
    records = {row["Id"]: row for row in salesforce.sim("state?object=Opportunity")["records"]["Opportunity"]}
    assert shown
    assert all(records[record_id]["IsClosed"] is False for record_id in shown)


def test_plus_tags_and_case(alice: Someone) -> None:
    """C54: the tag is left out where nobody has it; case does not matter."""
    asked = ["jane.doe+invoices@northwind.example", "JANE.DOE@northwind.example", "fatima.alsayed@oasis-travel.example"]
    found = alice.crm.find_people(asked)
    assert [one(found[address]).record.name for address in asked] == ["Jane Doe", "Jane Doe", "Fatima Al-Sayed"]


def test_converted_leads_are_left_out(alice: Someone) -> None:
    address = "hannah.goldberg@lighthouse-media.example"
    assert [person.kind for person in alice.crm.find_people([address])[address].people] == ["Contact"]


def test_a_hundred_addresses_still_cost_one_call(salesforce: Running, alice: Someone) -> None:
    rows = salesforce.sim("state?object=Contact")["records"]["Contact"]
    addresses = list(dict.fromkeys(row["Email"].lower() for row in rows if row.get("Email")))[:100]
    salesforce.reset(only=["calls"])
    found = alice.crm.find_people(addresses)
    assert len(paths(salesforce)) == 1
    assert sum(bool(match.people) for match in found.values()) >= 99


def test_very_long_addresses_take_more_calls_rather_than_none(salesforce: Running, alice: Someone) -> None:
    addresses = [f"{'a' * 60}.{number}@{'.'.join(['b' * 60] * 3)}.example" for number in range(100)]
    found = alice.crm.find_people([*addresses[:99], JANE])
    assert len(found) == 100
    assert found[JANE].people
    assert 2 <= len(paths(salesforce)) <= 4


def test_bob_sees_less_and_is_told_so(salesforce: Running, alice: Someone, bob: Someone) -> None:
    """C6, C15: no opportunities, two fields hidden, a private account's people not found."""
    private = "veronika@project-nightingale.example"
    assert alice.crm.find_people([private])[private].people
    found = bob.crm.find_people([JANE, private])
    jane = one(found[JANE])
    assert "Opportunity" not in groups(jane)
    shown = {field.name for field in jane.record.fields}
    assert {"MobilePhone", "Department"} <= {
        field.name for field in one(alice.crm.find_people([JANE])[JANE]).record.fields
    }
    assert not {"MobilePhone", "Department"} & shown
    assert found[private].people == ()
    assert found[JANE].notes[0] == "Opportunities are not visible to you in Salesforce."
    assert any(note.startswith("Not visible to you in Salesforce (Contact): ") for note in found[JANE].notes)
    may_edit = [{field.name for field in who.crm.form_for("Contact", jane.record.id).fields} for who in (alice, bob)]
    assert ["LeadSource" in names for names in may_edit] == [True, False]


def test_charlie_is_in_another_world(salesforce: Running, alice: Someone) -> None:
    charlie = someone(salesforce, "charlie", "globex")
    theirs = one(charlie.crm.find_people([JANE])[JANE])
    ours = one(alice.crm.find_people([JANE])[JANE])
    assert (theirs.kind, ours.kind) == ("Lead", "Contact")
    assert theirs.record.id != ours.record.id
    assert paths(salesforce, "globex") == [f"/services/data/v{VERSION}/composite/"]
    with pytest.raises(NotFound):
        charlie.crm.form_for("Contact", ours.record.id)


def test_a_field_hidden_meanwhile_costs_one_describe(salesforce: Running, alice: Someone) -> None:
    """C15: what was visible at connect is not any more; one describe, one retry, then as before."""
    salesforce.sim("users/alice", {"hide": ["Contact.Phone"]})
    try:
        jane = one(alice.crm.find_people([JANE])[JANE])
        assert "Phone" not in {field.name for field in jane.record.fields}
        assert len(paths(salesforce)) == 3
        alice.crm.find_people([JANE])
        assert len(paths(salesforce)) == 4
        assert alice.store.kept is not None
        assert "Phone" not in alice.store.kept.objects["Contact"].fields
    finally:
        salesforce.sim("users/alice", {"show": ["Contact.Phone"]})


def test_what_is_kept_of_describe_is_small(alice: Someone) -> None:
    assert alice.store.kept is not None
    assert len(zlib.compress(alice.store.kept.to_json().encode())) < 60_000
    assert access.ObjectAccess.from_json(alice.store.kept.to_json()) == alice.store.kept
    assert "IsPersonAccount" in alice.store.kept.objects["Account"].fields


def test_without_a_kept_describe_two_calls_the_first_time(salesforce: Running, alice: Someone) -> None:
    alice.store.kept = None
    alice.crm.find_people([JANE])
    alice.crm.find_people([JANE])
    assert len(paths(salesforce)) == 3


def test_many_threads_share_connections_and_mix_nothing(salesforce: Running, alice: Someone, bob: Someone) -> None:
    """Alice and Bob at once over one pooled session: nobody sees the other's fields."""
    bob.crm = type(bob.crm)(bob.tokens, bob.store, bob.budget, alice.session, VERSION, bob.pages)
    leaks: list[str] = []

    def look(person: Someone, may_see: bool) -> None:
        for _ in range(10):
            jane = one(person.crm.find_people([JANE])[JANE])
            if ("Opportunity" in groups(jane)) is not may_see:
                leaks.append(jane.record.id)

    threads = [threading.Thread(target=look, args=(who, who is alice)) for who in (alice, bob) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert leaks == []
    assert len(paths(salesforce)) == 80
