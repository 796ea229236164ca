"""Who a mail is saved with: every kind and setting, two good candidates, colleagues, and nobody ever guessed."""

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.activities import FoundPerson, PersonKind, Role
from sync.matching import Match, addresses_to_ask, decide_by_match, match
from sync.reasons import Note, Outcome, Ranked, Rule
from tests.sync.mails import ALICE, BOB, JANE, JOHN, MEMBER, OTHER_MEMBER, candidate, found, heading, person

CONTACT, LEAD, ACCOUNT, USER = PersonKind.CONTACT, PersonKind.LEAD, PersonKind.PERSON_ACCOUNT, PersonKind.USER


def matched(*people: FoundPerson, mail: Any = None, chosen: tuple[str, ...] = (), **changes: Any) -> Match:
    return match(candidate(mail, **changes), found(*people), member_id=MEMBER, chosen=chosen)


def ids(match: Match) -> list[str]:
    return [target.person.id.rstrip("A").rstrip("0") for target in match.targets]


#: What is found for one address, what is switched off -> whom it is saved with, the rule, what is noted.
CASES: list[tuple[list[tuple[str, PersonKind]], dict[str, Any], list[str], Rule, set[Note]]] = [
    ([], {}, [], Rule.NOBODY_FOUND, {Note.UNKNOWN}),
    ([("c1", CONTACT)], {}, ["c1"], Rule.MATCHED, set()),
    ([("l1", LEAD)], {}, ["l1"], Rule.MATCHED, set()),
    ([("p1", ACCOUNT)], {}, ["p1"], Rule.MATCHED, set()),
    ([("c1", CONTACT)], {"with_contacts": False}, [], Rule.CONTACTS_OFF, {Note.CONTACTS_OFF}),
    ([("l1", LEAD)], {"with_leads": False}, [], Rule.LEADS_OFF, {Note.LEADS_OFF}),
    ([("p1", ACCOUNT)], {"with_person_accounts": False}, [], Rule.PERSON_ACCOUNTS_OFF, {Note.PERSON_ACCOUNTS_OFF}),
    ([("p1", ACCOUNT)], {"with_contacts": False}, ["p1"], Rule.MATCHED, set()),
    ([("c1", CONTACT)], {"with_person_accounts": False}, ["c1"], Rule.MATCHED, set()),
    ([("c1", CONTACT), ("l1", LEAD)], {}, ["c1"], Rule.MATCHED, {Note.LEAD_BEHIND_CONTACT}),
    ([("c1", CONTACT), ("l1", LEAD)], {"with_contacts": False}, ["l1"], Rule.MATCHED, {Note.CONTACTS_OFF}),
    ([("c1", CONTACT), ("c2", CONTACT)], {}, [], Rule.SEVERAL_PEOPLE, {Note.AMBIGUOUS}),
    ([("c1", CONTACT), ("p1", ACCOUNT)], {}, [], Rule.SEVERAL_PEOPLE, {Note.AMBIGUOUS}),
    ([("c1", CONTACT), ("p1", ACCOUNT)], {"with_person_accounts": False}, ["c1"], Rule.MATCHED,
     {Note.PERSON_ACCOUNTS_OFF}),
    ([("l1", LEAD), ("l2", LEAD)], {}, [], Rule.SEVERAL_PEOPLE, {Note.AMBIGUOUS}),
    ([("c1", CONTACT), ("c2", CONTACT)], {"with_contacts": False}, [], Rule.CONTACTS_OFF, {Note.CONTACTS_OFF}),
    ([("c1", CONTACT), ("c1", CONTACT)], {}, ["c1"], Rule.MATCHED, set()),
    ([("u1", USER)], {}, [], Rule.ONLY_COLLEAGUES, set()),
    ([("u1", USER), ("c1", CONTACT)], {}, ["c1"], Rule.MATCHED, set()),
]  # fmt: skip


@pytest.mark.parametrize(("people", "changes", "expected", "rule", "notes"), CASES)
def test_one_address(
    people: list[tuple[str, PersonKind]], changes: dict[str, Any], expected: list[str], rule: Rule, notes: set[Note]
) -> None:
    for order in permutations(people):  # whatever Salesforce answers first
        result = matched(*(person(name, kind) for name, kind in order), **changes)
        assert (ids(result), decide_by_match(result).rule, set(result.notes)) == (expected, rule, notes)


@pytest.mark.parametrize("kind", [CONTACT, LEAD, ACCOUNT])
def test_owned_only(kind: PersonKind) -> None:
    theirs, mine = person("x1", kind, owner_id=OTHER_MEMBER), person("x2", kind, owner_id=MEMBER)
    assert decide_by_match(matched(theirs, owned_only=True)).rule is Rule.OWNED_BY_OTHERS
    assert decide_by_match(matched(person("x1", kind, owner_id=""), owned_only=True)).rule is Rule.OWNED_BY_OTHERS
    assert ids(matched(theirs)) == ["x1"]
    both = matched(theirs, mine, owned_only=True)
    assert (ids(both), both.notes) == (["x2"], {Note.OWNED_BY_OTHERS: 1})
    assert matched(theirs, mine).targets == ()  # owning one of them makes it likelier, and decides nothing


def test_ids_of_15_and_18_characters_are_one() -> None:
    assert ids(matched(person("c1", owner_id=MEMBER[:15]), owned_only=True)) == ["c1"]
    short = FoundPerson(person("c1").id[:15], CONTACT, JANE, MEMBER)
    assert len(matched(person("c1"), short).targets) == 1


def test_everybody_in_a_mail() -> None:
    mail = heading(JANE, f"{ALICE}, x@new.example", cc=f"{JOHN}, {BOB}", bcc="kim@lead.example")
    people = (
        person("c2", address=JOHN),
        person("c1"),
        person("l1", LEAD, "kim@lead.example"),
        person("u2", USER, BOB, owner_id=""),
        person("u1", USER, ALICE, owner_id=""),
    )
    result = matched(*people, mail=mail)
    assert ids(result) == ["c1", "c2", "l1"]  # in the order of their roles
    assert [target.party.role for target in result.targets] == [Role.FROM, Role.CC, Role.BCC]
    assert [target.party.address for target in result.colleagues] == [BOB]
    assert result.notes == {Note.UNKNOWN: 1, Note.COLLEAGUES: 1}
    assert result.reasons == (
        "Colleagues, never matched: 1.",
        "Addresses that nobody in Salesforce has: 1.",
    )


def test_whom_salesforce_is_asked_about() -> None:
    mail = heading(f"Jane <{JANE.upper()}>", f"{ALICE}, {BOB}", cc=JANE)
    assert addresses_to_ask(candidate(mail)) == (JANE, BOB)


def test_a_colleague_is_never_matched_as_a_customer() -> None:
    """An own domain is a colleague's, whatever records there are with such an address."""
    mail = heading(JANE, f"{ALICE}, {BOB}")
    result = matched(person("c9", address=BOB), person("u2", USER, BOB), mail=mail)
    assert result.targets == ()
    assert [target.person.kind for target in result.colleagues] == [USER]


def test_the_member_himself_is_no_colleague() -> None:
    mine = FoundPerson(MEMBER, USER, JANE)
    result = matched(mine)
    assert (result.colleagues, decide_by_match(result).rule) == ((), Rule.ONLY_COLLEAGUES)


@pytest.mark.parametrize("address", ["jane+news@customer.example", "jan@customer.example", "jane@customer.example.org"])
def test_only_exact_addresses_match(address: str) -> None:
    assert decide_by_match(matched(person("c1", address=address))).rule is Rule.NOBODY_FOUND


def test_a_person_has_one_place_however_many_addresses() -> None:
    mail = heading(JANE, ALICE, cc=JOHN)
    result = matched(person("c1"), person("c1", address=JOHN), mail=mail)
    assert (ids(result), result.targets[0].party.role) == (["c1"], Role.FROM)


def test_a_question_beside_a_match() -> None:
    mail = heading(JANE, ALICE, cc=JOHN)
    same_account = person("c3", address=JOHN, owner_id=OTHER_MEMBER, account_id="001A")
    people = (person("c1", account_id="001A"), person("c2", address=JOHN, owner_id=OTHER_MEMBER), same_account)
    result = matched(*people, mail=mail)
    assert ids(result) == ["c1"]
    assert decide_by_match(result).rule is Rule.MATCHED
    (question,) = result.questions
    assert question.party.address == JOHN
    assert [(ranking.person.id[:2], ranking.why) for ranking in question.rankings] == [
        ("c3", (Ranked.SAME_ACCOUNT,)),
        ("c2", ()),
    ]
    assert result.asked_ids == (same_account.id, people[1].id)
    assert result.asked_why == {same_account.id: (Ranked.SAME_ACCOUNT,)}


def test_somebody_has_said_who_is_meant() -> None:
    people = (person("c1"), person("c2"), person("l1", LEAD))
    for picked in people:
        result = matched(*people, chosen=(picked.id[:15],))
        assert [target.person for target in result.targets] == [picked]
        assert result.notes == {Note.CHOSEN: 1}
    assert matched(*people, chosen=(person("c9").id,)).targets == ()
    assert matched(*people, chosen=(people[0].id, people[1].id)).targets == ()


def test_an_answer_that_was_cut_is_no_answer() -> None:
    """Somebody may be missing in it: the one who is there might be the wrong one."""
    cut = match(candidate(), found(person("c1"), crowded=[JANE]), member_id=MEMBER)
    assert (cut.targets, cut.notes) == ((), {Note.CUT: 1})
    assert decide_by_match(cut).outcome is Outcome.PARKED
    empty = match(candidate(), found(crowded=[JANE]), member_id=MEMBER)
    assert (empty.questions[0].rankings, decide_by_match(empty).rule) == ((), Rule.SEVERAL_PEOPLE)
    picked = match(candidate(), found(person("c1"), crowded=[JANE]), member_id=MEMBER, chosen=(person("c1").id,))
    assert ids(picked) == ["c1"]


def test_kinds_that_the_member_may_not_see_are_noted() -> None:
    result = match(candidate(), found(hidden=[LEAD, USER]), member_id=MEMBER)
    assert result.notes == {Note.UNKNOWN: 1, Note.NOT_VISIBLE: 1}


_PEOPLE = st.lists(
    st.builds(
        person,
        st.sampled_from(["c1", "c2", "c3"]),
        st.sampled_from(list(PersonKind)),
        st.sampled_from([JANE, JOHN, BOB]),
        owner_id=st.sampled_from([MEMBER, OTHER_MEMBER, ""]),
        account_id=st.sampled_from(["", "001A"]),
    ),
    max_size=6,
    unique_by=lambda each: (each.id, each.address),  # a record is of one kind, and has one owner
)
_SWITCHES = st.fixed_dictionaries(
    {name: st.booleans() for name in ("with_contacts", "with_leads", "with_person_accounts", "owned_only")}
)


@settings(max_examples=500)
@given(_PEOPLE, _SWITCHES)
def test_nobody_is_guessed(people: list[FoundPerson], switches: dict[str, bool]) -> None:
    """Whoever is taken is the only one of his kind with that address whom the rules allow, and is no colleague."""
    waiting = candidate(heading(JANE, f"{ALICE}, {BOB}", cc=JOHN), **switches)
    result = match(waiting, found(*people), member_id=MEMBER)
    off = {CONTACT: "with_contacts", LEAD: "with_leads", ACCOUNT: "with_person_accounts"}
    for target in result.targets:
        taken = target.person
        rivals = {
            each.id
            for each in people
            if each.address == taken.address
            and each.kind in off
            and switches[off[each.kind]]
            and (each.owner_id == MEMBER or not switches["owned_only"])
            and (each.kind is not LEAD or taken.kind is LEAD)
        }
        assert rivals == {taken.id}
        assert taken.address in (JANE, JOHN)
    assert len({target.person.id for target in result.targets}) == len(result.targets)
    assert bool(result.targets) == (decide_by_match(result).rule is Rule.MATCHED)
    for question in result.questions:
        assert question.party.address not in {target.party.address for target in result.targets}


@settings(max_examples=300)
@given(_PEOPLE, _SWITCHES, st.randoms(use_true_random=False))
def test_the_order_of_the_answer_changes_nothing(people: list[FoundPerson], switches: Any, random: Any) -> None:
    waiting = candidate(heading(JANE, f"{ALICE}, {BOB}", cc=JOHN), **switches)
    before = match(waiting, found(*people), member_id=MEMBER)
    random.shuffle(people)
    after = match(waiting, found(*people), member_id=MEMBER)
    assert (before.targets, before.questions, before.notes) == (after.targets, after.questions, after.notes)
