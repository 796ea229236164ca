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


def crowd(salesforce: Running, alice: Someone, address: str, people: int) -> None:
    """Anybody who may write contacts, or a web form, can do this."""
    token, url = alice.tokens.current.access_token.reveal(), alice.tokens.current.api_url
    records = [
        {"attributes": {"type": "Contact"}, "LastName": f"Crowd {number}", "Email": address} for number in range(people)
    ]
    for start in range(0, people, 200):
        made = salesforce.http.post(
            f"{url}/services/data/v{VERSION}/composite/sobjects",
            json={"records": records[start : start + 200]},
            headers={"Authorization": f"Bearer {token}", "Sforce-Duplicate-Rule-Header": "allowSave=true"},
            timeout=60,
        )
        assert all(each["success"] for each in made.json()), made.text[:300]
    salesforce.reset(only=["calls"])


def test_a_crowd_on_one_address_hides_nobody(salesforce: Running, alice: Someone) -> None:
    """C57: 205 people share an address; a second call finds the others, and only then."""
    alice.crm.create("Contact", {"LastName": "Lonely", "Email": "lonely@victim.example"})
    crowd(salesforce, alice, "info@shared.example", 205)
    asked = ["info@shared.example", "lonely@victim.example", "nobody@victim.example", JANE]
    found = alice.crm.find_people(asked)
    assert len(paths(salesforce)) == 2
    assert one(found["lonely@victim.example"]).record.name == "Lonely"
    assert one(found[JANE]).record.name == "Jane Doe"
    assert found["nobody@victim.example"].people == ()
    assert found["nobody@victim.example"].notes == ()
    assert len(found["info@shared.example"].people) == 200
    assert found["info@shared.example"].notes == ("Salesforce has more matches than are shown here.",)
    assert all(match.is_complete for match in found.values())
    alice.crm.find_people(asked[1:])
    assert len(paths(salesforce)) == 3


def test_who_is_crowded_out_twice_is_told_to_search(salesforce: Running, alice: Someone) -> None:
    """C57: never "nobody" for want of rows."""
    alice.crm.create("Contact", {"LastName": "Lonely", "Email": "lonely@victim.example"})
    for number in range(2):
        crowd(salesforce, alice, f"info{number}@shared.example", 205)
    found = alice.crm.find_people(["info0@shared.example", "info1@shared.example", "lonely@victim.example"])
    assert len(paths(salesforce)) == 2
    lonely = found["lonely@victim.example"]
    assert not lonely.is_complete
    assert lonely.people == ()
    assert lonely.notes == (
        "Too many people share an address beside this one to show everybody; search Salesforce instead.",
    )


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
