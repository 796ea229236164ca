"""Search, forms, writes and one-time links against the simulated Salesforce, as the person himself."""

from dataclasses import replace

import pytest
import requests

from providers.errors import NotFound, PermissionMissing, Rejected
from providers.salesforce import layout, lookup
from providers.salesforce.access import ObjectAccess
from tests.providers.simulated import (
    JANE,
    Someone,
    one,
    paths,
    someone,
)
from tests.simulators.running import Running


def test_search_covers_custom_objects_in_one_call(salesforce: Running, alice: Someone, bob: Someone) -> None:
    """C16."""
    found = alice.crm.search("northwind")
    assert len(paths(salesforce)) == 1
    assert {"Account", "Opportunity"} <= {record.object for record in found}
    assert all(record.label and record.name and record.url.endswith(record.id) for record in found)
    names = {row["Name"] for row in salesforce.sim("state?object=Project__c")["records"]["Project__c"]}
    name = min(names)
    assert "Project__c" in {record.object for record in alice.crm.search(name)}
    assert "Opportunity" not in {record.object for record in bob.crm.search("northwind")}


def test_search_names_no_more_objects_than_sosl_takes(alice: Someone) -> None:
    """C16: forms add objects to what is kept; the standard ones are searched first and always."""
    assert alice.store.kept
    custom = alice.store.kept.objects["Project__c"]
    others = {f"Thing{number}__c": replace(custom, name=f"Thing{number}__c") for number in range(40)}
    kept = ObjectAccess({**others, **alice.store.kept.objects})
    asked = lookup.searched(kept)
    assert len(asked) == layout.MOST_SEARCHED == 20
    assert {rights.name for rights in asked[:5]} == set(layout.SEARCHED)
    assert all(rights.name.startswith("Thing") for rights in asked[5:])


@pytest.mark.parametrize(
    "text", ["O'Connor", 'a" OR {b}', "50% & more", "c\\d e", "and or not", "Müller & Söhne", "日本語", "wh?t* ~x^y"]
)
def test_search_text_is_only_text(alice: Someone, text: str) -> None:
    """BI-A5: Salesforce sees the characters, not operators: a record of that name is found, and no error comes."""
    record = alice.crm.create("Lead", {"LastName": text, "Company": "Odd"})
    assert record.id in {each.id for each in alice.crm.search(text)}


def test_search_stays_within_its_limit(alice: Someone) -> None:
    found = alice.crm.search("northwind", limit=50)
    assert len([record for record in found if record.object == "Opportunity"]) > 1
    assert len(found) > 3
    assert len(alice.crm.search("northwind", limit=3)) == 3


def test_search_needs_two_letters(salesforce: Running, alice: Someone) -> None:
    for text in ("", "a", "!!!", "a" * 201):
        with pytest.raises(Rejected):
            alice.crm.search(text)
    assert paths(salesforce) == []


def test_create_edit_and_open(salesforce: Running, alice: Someone) -> None:
    """C12, C14: a record made, changed and opened as this person."""
    form = alice.crm.form_for("Lead")
    assert {field.name for field in form.fields if field.required} >= {"LastName", "Company"}
    status = next(field for field in form.fields if field.name == "Status")
    assert status.options
    record = alice.crm.create(
        "Lead", {"FirstName": "Nora", "LastName": "Quist", "Company": "Q", "Email": "n@q.example"}
    )
    assert (record.object, record.name) == ("Lead", "Nora Quist")
    alice.crm.update("Lead", record.id, {"Title": "CTO"})
    person = one(alice.crm.find_people(["n@q.example"])["n@q.example"])
    assert person.record.id == record.id
    assert {field.name: field.value for field in person.record.fields}["Title"] == "CTO"
    edit = alice.crm.form_for("Lead", record.id)
    assert {field.name: field.value for field in edit.fields}["LastName"] == "Quist"


def test_a_person_account_is_edited_as_account(alice: Someone) -> None:
    address = "ines.carvalho@postbox.example"
    person = one(alice.crm.find_people([address])[address])
    assert (person.kind, person.record.object) == ("PersonAccount", "Account")
    form = alice.crm.form_for("Account", person.record.id)
    assert "PersonEmail" in {field.name for field in form.fields}
    alice.crm.update("Account", person.record.id, {"PersonTitle": "Lead architect"})
    fields = {field.name: field for field in one(alice.crm.find_people([address])[address]).record.fields}
    assert fields["PersonTitle"].value == "Lead architect"
    assert fields["PersonTitle"].editable


def test_salesforce_refuses_and_we_say_why(salesforce: Running, alice: Someone, bob: Someone) -> None:
    """C15: the forced call is made, and Salesforce's refusal comes back unchanged."""
    with pytest.raises(Rejected) as refusal:
        alice.crm.create("Lead", {"FirstName": "No", "LastName": "Company"})
    assert refusal.value.details[0].code == "REQUIRED_FIELD_MISSING"
    assert "Company" in refusal.value.details[0].fields
    jane = one(bob.crm.find_people([JANE])[JANE])
    with pytest.raises((Rejected, PermissionMissing)) as forced:
        bob.crm.update("Contact", jane.record.id, {"LeadSource": "Web"})
    assert forced.value.details
    with pytest.raises((PermissionMissing, NotFound)):
        bob.crm.create("Opportunity", {"Name": "x", "StageName": "Prospecting", "CloseDate": "2030-01-01"})
    with pytest.raises(PermissionMissing):
        bob.crm.form_for("Opportunity")


def test_read_only_people_get_no_form_and_a_refusal(salesforce: Running) -> None:
    rita = someone(salesforce, "rita")
    match = rita.crm.find_people([JANE])[JANE]
    assert match.creatable == ()
    assert not one(match).editable
    with pytest.raises(PermissionMissing):
        rita.crm.form_for("Contact")
    with pytest.raises(PermissionMissing):
        rita.crm.form_for("Contact", one(match).record.id)
    with pytest.raises((PermissionMissing, NotFound)) as refusal:
        rita.crm.create("Contact", {"LastName": "x"})
    assert refusal.value.details


@pytest.mark.parametrize("name", ["", "Contact/../User", "Contact?x", "session", "bulk", "Contact'", "a" * 200])
def test_object_names_are_checked(salesforce: Running, alice: Someone, name: str) -> None:
    with pytest.raises((NotFound, PermissionMissing, Rejected)):
        alice.crm.create(name, {"LastName": "x"})
    with pytest.raises((NotFound, PermissionMissing, Rejected)):
        alice.crm.form_for(name)


def test_record_ids_are_checked_before_any_call(salesforce: Running, alice: Someone) -> None:
    """BI-A7."""
    for bad in ("", "003", "x" * 16, "../../sobjects/User", "001Ac0000000001IAA"):
        with pytest.raises(NotFound):
            alice.crm.update("Contact", bad, {"Title": "x"})
    assert paths(salesforce) == []


def test_values_are_checked(alice: Someone) -> None:
    for bad in ({"Last Name": "x"}, {"LastName": {"a": 1}}, {"LastName": float("nan")}, {"a" * 90: 1}):
        with pytest.raises(Rejected):
            alice.crm.create("Contact", bad)


def test_one_time_link(salesforce: Running, alice: Someone) -> None:
    """C14: opens the record in a browser that was never signed in; works once."""
    jane = one(alice.crm.find_people([JANE])[JANE])
    link = alice.crm.open_url(jane.record.id)
    assert link.reveal() not in repr(link)
    assert alice.tokens.current.access_token.reveal() not in link.reveal()
    with requests.Session() as browser:
        browser.verify = salesforce.ca
        page = browser.get(link.reveal(), timeout=10)
        assert "Jane Doe" in page.text
    with requests.Session() as browser:
        browser.verify = salesforce.ca
        assert "Head of Procurement" not in browser.get(link.reveal(), timeout=10).text


def test_without_the_web_scope_the_plain_link(salesforce: Running) -> None:
    alice = someone(salesforce, "alice", scopes="id api refresh_token")
    assert "web" not in alice.tokens.current.scopes
    jane = one(alice.crm.find_people([JANE])[JANE])
    assert alice.crm.open_url(jane.record.id).reveal() == jane.record.url


def test_a_snapshot_is_what_the_record_holds_now(salesforce: Running, alice: Someone, bob: Someone) -> None:
    """Fields that nobody has, or this person may not see, are not in it; who changed it last, and when, is."""
    made = alice.crm.create("Contact", {"LastName": "Snap", "Title": "CFO", "Department": "Sales"})
    first = alice.crm.snapshot("Contact", made.id, ["Title", "Department", "Nothing__c"])
    assert first.values == {"Title": "CFO", "Department": "Sales"}
    bob.crm.update("Contact", made.id, {"Title": "CEO"})
    then = alice.crm.snapshot("Contact", made.id[:15], ["Title"])
    assert then.values == {"Title": "CEO"}
    assert first.changed_at is not None
    assert then.changed_at is not None
    assert first.changed_at <= then.changed_at
    assert first.changed_at.tzinfo is not None
    assert first.changed_by != then.changed_by != ""
    with pytest.raises(NotFound):
        alice.crm.snapshot("Contact", f"{made.id[:11]}zzzz", ["Title"])
