"""The lookup's queries and the cards made of their answers, without a network: what is asked, shown, cut and noted."""

import re
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import Person, PersonMatch
from providers.salesforce import cards, layout, lookup, soql
from providers.salesforce.access import FieldAccess, ObjectAccess, ObjectRights

CHILDREN = {
    "Contact": {"Tasks", "Events", "Cases"},
    "Lead": {"Tasks", "Events"},
    "Account": {"Opportunities", "Cases", "Contacts"},
}
PAGE = "https://acme.my.salesforce.com"


def rights(name: str, hidden: set[str] | None = None, **changes: Any) -> ObjectRights:
    fields = {
        each: FieldAccess(each, "string", updateable=True) for each in sorted(layout.kept(name) - (hidden or set()))
    }
    known = {"createable": True, "updateable": True, "queryable": True, "searchable": True, "fields": fields}
    return ObjectRights(
        name, name, layout.plural(name), **{**known, "children": frozenset(CHILDREN.get(name, ())), **changes}
    )


def everything(*without: str, hidden: set[str] | None = None) -> ObjectAccess:
    return ObjectAccess({name: rights(name, hidden) for name in layout.OBJECTS if name not in without})


def contact(number: int = 1, email: str = "jane@x.com", **more: Any) -> dict[str, Any]:
    row = {"Id": f"003{number:012d}AAA", "Name": f"Jane {number}", "Email": email, "AccountId": "001000000000001AAA"}
    return {**row, "Account": {"Id": row["AccountId"], "Name": "X Ltd", "Phone": "1"}, **more}


def found(*rows: dict[str, Any], done: bool = True) -> dict[str, Any]:
    return {"totalSize": len(rows), "done": done, "records": list(rows)}


def match(address: str, access: ObjectAccess | None = None, **answers: Any) -> PersonMatch:
    access = access or everything()
    notes = lookup.plan(access, lookup.asked_for([address])).notes
    return cards.Deck(access, answers, PAGE, notes).match(address)


def group(person: Person, name: str) -> Any:
    return next((each for each in person.groups if each.object == name), None)


def test_at_most_five_queries_for_a_hundred_addresses() -> None:
    """C56: one Composite call takes five queries; a hundred usual addresses fit one call."""
    addresses = [f"first.last{number}+tag@company-{number}.example" for number in range(100)]
    plan = lookup.plan(everything(), lookup.asked_for(addresses))
    assert list(plan.queries) == ["contacts", "leads", "accounts"]
    assert plan.fits()
    assert all(f"first.last{number}@" in plan.queries["contacts"] for number in range(100))


@given(st.sets(st.sampled_from(sorted(set().union(*(layout.kept(name) for name in layout.OBJECTS)) - {"Id"}))))
def test_no_hidden_field_is_ever_named(hidden: set[str]) -> None:
    """C15: one hidden field would fail the whole query."""
    access = everything(hidden=hidden)
    for query in lookup.plan(access, ["jane@x.com"]).queries.values():
        words = set(re.findall(r"[A-Za-z_.]+", query.replace("jane@x.com", "")))
        assert not {word.rpartition(".")[2] for word in words} & hidden


@pytest.mark.parametrize("missing", layout.OBJECTS)
def test_no_hidden_object_is_ever_named(missing: str) -> None:
    """C6: a plain note instead of an error."""
    access = everything(missing)
    plan = lookup.plan(access, ["jane@x.com"])
    relationships = {"Opportunity": "Opportunities", "Case": "Cases", "Task": "Tasks", "Event": "Events"}
    name = relationships.get(missing, missing)
    assert not any(re.search(rf"\b(FROM {name}|{name}\.)\b", query) for query in plan.queries.values())
    assert f"{layout.plural(missing)} are not visible to you in Salesforce." in plan.notes


def test_nobody_found_still_says_what_was_not_searched() -> None:
    result = match("jane@x.com", everything("Lead"), contacts=found())
    assert result.people == ()
    assert result.notes == ("Leads are not visible to you in Salesforce.",)
    assert result.creatable == ("Contact",)


def test_nobody_found_is_told_nothing_of_what_would_go_with_him() -> None:
    assert match("jane@x.com", everything("Opportunity"), contacts=found()).notes == ()


def test_exact_matches_come_before_those_without_the_tag() -> None:
    """Plus-addresses: both are found, the exact one first; case does not matter."""
    rows = found(contact(1, "Jane@X.com"), contact(2, "jane+news@x.com"))
    result = match("JANE+news@x.com", contacts=rows)
    assert [person.record.name for person in result.people] == ["Jane 2", "Jane 1"]
    assert [person.record.name for person in match("jane@x.com", contacts=rows).people] == ["Jane 1"]
    assert match("jane+other@y.com", contacts=rows).people == ()


@pytest.mark.parametrize(
    ("theirs", "asked"),
    [
        ("finance@x.com", "\ufb01nance@x.com"),
        ("strasse@x.com", "stra\u00dfe@x.com"),
        ("boss@x.com", "bo\u017fs@x.com"),
        ("kim@x.com", "\u212aim@x.com"),
    ],
)
def test_a_look_alike_is_nobody(theirs: str, asked: str) -> None:
    """C57: whatever a database's collation thinks, the card is of the person who wrote, or of nobody."""
    for one, other in ((theirs, asked), (asked, theirs)):
        assert match(other, contacts=found(contact(email=one))).people == ()
        assert len(match(one, contacts=found(contact(email=one))).people) == 1
    assert theirs not in lookup.asked_for([asked])


def test_account_opportunities_and_cases_hang_on_the_person() -> None:
    """C55."""
    opportunities = found({"Id": "006000000000001AAA", "Name": "Deal", "StageName": "Open"})
    account_cases = found({"Id": "500000000000002AAA", "Subject": "Old", "IsClosed": True})
    own_cases = found({"Id": "500000000000001AAA", "Subject": "New", "IsClosed": False})
    account = {"Id": "001000000000001AAA", "Opportunities": opportunities, "Cases": account_cases}
    (person,) = match("jane@x.com", contacts=found(contact(Cases=own_cases)), accounts=found(account)).people
    assert [(each.object, [record.name for record in each.records]) for each in person.groups] == [
        ("Account", ["X Ltd"]),
        ("Opportunity", ["Deal"]),
        ("Case", ["New", "Old"]),
    ]
    assert person.record.url == f"{PAGE}/{person.record.id}"
    assert {field.name: field.value for field in person.record.fields} == {"Email": "jane@x.com"}


def test_a_case_of_both_is_shown_once() -> None:
    case = found({"Id": "500000000000001AAA", "Subject": "One", "IsClosed": False})
    account = found({"Id": "001000000000001AAA", "Cases": case})
    (person,) = match("jane@x.com", contacts=found(contact(Cases=case)), accounts=account).people
    assert len(group(person, "Case").records) == 1


def test_more_is_said() -> None:
    cases = [{"Id": f"500{number:012d}AAA", "Subject": str(number)} for number in range(lookup.SHOWN + 1)]
    (person,) = match("jane@x.com", contacts=found(contact(Cases=found(*cases)))).people
    assert (len(group(person, "Case").records), group(person, "Case").more) == (lookup.SHOWN, True)
    (person,) = match("jane@x.com", contacts=found(contact(Cases=found(*cases[:2], done=False)))).people
    assert (len(group(person, "Case").records), group(person, "Case").more) == (2, True)
    (person,) = match("jane@x.com", contacts=found(contact(Cases=found(*cases[:5])))).people
    assert not group(person, "Case").more


CUT = "Salesforce has more matches than are shown here."
CROWDED_OUT = "Too many people share an address beside this one to show everybody; search Salesforce instead."


def test_a_cut_answer_is_noted() -> None:
    assert CUT in match("jane@x.com", contacts=found(contact(), done=False)).notes
    assert CUT in match("jane@x.com", contacts=found(*(contact(n) for n in range(lookup.MOST_PEOPLE)))).notes
    assert CUT not in match("jane@x.com", contacts=found(contact())).notes


def test_who_may_be_crowded_out_is_not_said_to_be_nobody() -> None:
    """C57: nobody found in a cut answer is no finding, and not to be kept."""
    rows = found(*(contact(n) for n in range(lookup.MOST_PEOPLE)))
    lonely, jane = match("lonely@y.com", contacts=rows), match("jane@x.com", contacts=rows)
    assert (lonely.people, lonely.notes, lonely.is_complete) == ((), (CROWDED_OUT,), False)
    assert jane.is_complete
    with_a_lead = match("lonely@y.com", contacts=rows, leads=found({**contact(1, "lonely@y.com"), "Company": "Y"}))
    assert len(with_a_lead.people) == 1
    assert not with_a_lead.is_complete
    assert match("lonely@y.com", contacts=found(contact())).is_complete


def deck(**answers: Any) -> cards.Deck:
    return cards.Deck(everything(), answers, PAGE, ())


def test_a_crowd_is_as_few_addresses_as_take_half_the_rows() -> None:
    crowd = [contact(n) for n in range(150)] + [contact(n, f"p{n}@y.com") for n in range(150, 200)]
    keys = ["jane@x.com", "lonely@y.com", *(f"p{n}@y.com" for n in range(150, 200))]
    assert deck(contacts=found(*crowd)).to_ask_again(keys) == keys[1:]
    assert deck(contacts=found(*crowd[1:])).to_ask_again(keys) == []
    assert deck(contacts=found(*crowd)).to_ask_again(["jane@x.com"]) == []
    cut = found({"Id": "001000000000001AAA"}, done=False)
    assert deck(contacts=found(*crowd[1:]), accounts=cut).to_ask_again(keys) == keys[1:]
    assert deck(contacts=found(done=False)).to_ask_again(keys) == []


def test_what_is_asked_again_counts_for_those_asked() -> None:
    crowd = [contact(n) for n in range(lookup.MOST_PEOPLE)]
    both = deck(contacts=found(*crowd))
    both.read_again({"contacts": found(contact(900, "lonely@y.com"))}, ["lonely@y.com", "other@y.com"])
    assert [person.record.name for person in both.match("lonely@y.com").people] == ["Jane 900"]
    assert both.match("lonely@y.com").notes == both.match("other@y.com").notes == ()
    assert both.match("other@y.com").is_complete
    assert len(both.match("jane@x.com").people) == lookup.MOST_PEOPLE
    assert both.match("jane@x.com").notes == (CUT,)


def test_activities_are_one_list_latest_first() -> None:
    tasks = found(
        {"Id": "00T000000000001AAA", "Subject": "May", "ActivityDate": "2026-05-01"},
        {"Id": "00T000000000002AAA", "Subject": "Undated", "ActivityDate": None},
    )
    events = found({"Id": "00U000000000001AAA", "Subject": "June", "StartDateTime": "2026-06-01T10:00:00.000+0000"})
    (person,) = match("jane@x.com", contacts=found(contact(Tasks=tasks, Events=events))).people
    activities = group(person, "Activity")
    assert [record.name for record in activities.records] == ["June", "May", "Undated"]
    assert [record.object for record in activities.records] == ["Event", "Task", "Task"]


def test_a_person_account_is_one_record_edited_as_account() -> None:
    row = contact(IsPersonAccount=True, MobilePhone="123")
    (person,) = match("jane@x.com", contacts=found(row)).people
    assert (person.kind, person.record.object, person.record.id) == ("PersonAccount", "Account", row["AccountId"])
    assert group(person, "Account") is None
    fields = {field.name: field for field in person.record.fields}
    assert fields["PersonMobilePhone"].value == "123"
    assert fields["PersonMobilePhone"].editable


def test_who_may_not_edit_sees_no_edit() -> None:
    """C15: from describe; Salesforce itself refuses as well."""
    objects = {**everything().objects, "Contact": rights("Contact", updateable=False)}
    (person,) = match("jane@x.com", ObjectAccess(objects), contacts=found(contact())).people
    assert not person.editable
    assert not any(field.editable for field in person.record.fields)


def test_hidden_fields_are_noted_in_plain_words() -> None:
    """C6, C15: what he may not see is a plain note on the card."""
    access = everything(hidden={"MobilePhone", "Birthdate"})
    notes = match("jane@x.com", access, contacts=found(contact())).notes
    assert "Not visible to you in Salesforce (Contact): Mobile phone, Birthdate." in notes
    assert not any("Mobile" in note for note in match("other@x.com", access, contacts=found(contact())).notes)


@given(st.lists(st.text(max_size=40), max_size=5))
def test_any_address_makes_a_safe_query(addresses: list[str]) -> None:
    asked = lookup.asked_for(addresses)
    for query in lookup.plan(everything(), asked).queries.values():
        outside = re.sub(r"'(?:[^'\\]|\\.)*'", "", query, flags=re.DOTALL)
        assert "'" not in outside
        assert "\n" not in outside
        assert "%00" not in soql.query_resource(query)


def test_access_survives_its_json_and_stays_small() -> None:
    access = everything().with_object(
        rights(
            "Case", fields={"Status": FieldAccess("Status", "picklist", picklist=(("New", "Neu"),), reference=("X",))}
        )
    )
    again = ObjectAccess.from_json(access.to_json())
    assert again == access
    assert len(zlib.compress(access.to_json().encode())) < 60_000
    for bad in ("{}", "[]", "nonsense", '{"format": 0, "objects": []}', '{"format": 1}'):
        with pytest.raises(ValueError, match="another format"):
            ObjectAccess.from_json(bad)
