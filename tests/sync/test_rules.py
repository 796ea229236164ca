"""What a mail's headers decide: every rule by itself, every pair in their order, and what nobody loosens."""

from datetime import timedelta
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.mail import Heading
from sync.rules import (
    Candidate,
    Outcome,
    Rule,
    Rulebook,
    Thread,
    Verdict,
    decide_asked,
    decide_by_heading,
    decide_by_letter,
)
from tests.sync import mails
from tests.sync.mails import ALICE, BOB, FOLDERS, JANE, JOHN, WHEN, book, heading, letter, rules

#: Each rule on what a mail's surroundings are, in their order: what brings it about (heading, rules, beside them).
SURROUNDINGS: dict[Rule, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    Rule.DRAFT: ({"is_draft": True}, {}, {}),
    Rule.SYNC_OFF: ({}, {"is_on": False}, {}),
    Rule.KEPT_PRIVATE: ({}, {}, {"is_private": True}),
    Rule.IN_TRASH: ({"folders": ("f-inbox", "f-trash")}, {}, {}),
    Rule.IN_JUNK: ({"folders": ("f-inbox", "f-junk")}, {}, {}),
    Rule.OTHER_FOLDER: ({}, {"folders": ("Clients",)}, {}),
    Rule.BEFORE_START: ({}, {}, {"since": WHEN + timedelta(seconds=1)}),
    Rule.NOT_A_REPLY: ({}, {"replies_only": True}, {}),
}
#: The same for the rules on who and what it is about.
AMONG: dict[Rule, tuple[dict[str, Any], dict[str, Any]]] = {
    Rule.BLOCKED_DOMAIN: ({}, {"blocked_domains": frozenset({"customer.example"})}),
    Rule.PRIVATE_PHRASE: ({"subject": "Project Falcon"}, {"private_phrases": ("project falcon",)}),
    Rule.MARKED_PRIVATE: ({"sensitivity": "Private"}, {}),
    Rule.SIGN_IN_CODE: ({"subject": "Your verification code"}, {}),
    Rule.PERSONNEL: ({"subject": "Re: Your salary review"}, {}),
    Rule.LEGAL: ({"subject": "Attorney-Client Privileged: draft"}, {}),
    Rule.ONLY_COLLEAGUES: ({"sender": BOB}, {}),
    Rule.NO_ADDRESS: ({"sender": "", "to": ""}, {}),
}


def decide(mail: Heading, rulebook: Rulebook, *, is_private: bool = False, since: Any = None) -> Verdict | Candidate:
    return decide_by_heading(mail, FOLDERS, rulebook, thread=Thread(is_private), since=since)


def rule_of(decided: Verdict | Candidate) -> Rule | None:
    return decided.rule if isinstance(decided, Verdict) else None


def test_a_mail_with_a_stranger_is_a_candidate() -> None:
    decided = decide(heading(JANE, f"{ALICE}, Bob <{BOB}>", cc=JOHN), book())
    assert isinstance(decided, Candidate)
    assert [party.address for party in decided.strangers] == [JANE, JOHN]
    assert [party.address for party in decided.colleagues] == [BOB]
    assert not decided.is_outgoing


def test_what_is_gone_is_said_to_be() -> None:
    gone = decide_by_heading(None, FOLDERS, book())
    assert (rule_of(gone), isinstance(gone, Verdict) and gone.outcome) == (Rule.GONE, Outcome.IGNORED)


@pytest.mark.parametrize("rule", SURROUNDINGS)
def test_each_rule_on_its_surroundings(rule: Rule) -> None:
    mail, changes, beside = SURROUNDINGS[rule]
    assert rule_of(decide(heading(**mail), book(**changes), **beside)) is rule


@pytest.mark.parametrize(("first", "second"), list(combinations(SURROUNDINGS, 2)))
def test_the_earlier_rule_speaks(first: Rule, second: Rule) -> None:
    """Every pair, so that the order is what is written here and nothing else."""
    (mail, changes, beside), (mail2, changes2, beside2) = SURROUNDINGS[first], SURROUNDINGS[second]
    folders = tuple({*mail.get("folders", ()), *mail2.get("folders", ())})
    both = {**mail, **mail2, **({"folders": folders} if folders else {})}
    decided = decide(heading(**both), book(**{**changes, **changes2}), **{**beside, **beside2})
    assert rule_of(decided) is first


@pytest.mark.parametrize("rule", AMONG)
def test_each_rule_on_who_and_what_it_is_about(rule: Rule) -> None:
    mail, changes = AMONG[rule]
    assert rule_of(decide(heading(**mail), book(**changes))) is rule


@pytest.mark.parametrize("rule", [rule for rule in AMONG if rule not in (Rule.ONLY_COLLEAGUES, Rule.NO_ADDRESS)])
@pytest.mark.parametrize("before", SURROUNDINGS)
def test_surroundings_come_first(before: Rule, rule: Rule) -> None:
    mail, changes, beside = SURROUNDINGS[before]
    more, changes2 = AMONG[rule]
    assert rule_of(decide(heading(**{**mail, **more}), book(**{**changes, **changes2}), **beside)) is before


@pytest.mark.parametrize("sensitivity", ["Personal", "private", "Company-Confidential", " PRIVATE "])
def test_marks_of_the_sender(sensitivity: str) -> None:
    mail = heading(sensitivity=sensitivity)
    assert rule_of(decide(mail, book())) is Rule.MARKED_PRIVATE
    assert rule_of(decide(mail, book(may_be_sensitive=True))) is None
    assert rule_of(decide(heading(sensitivity="Normal"), book())) is None


@pytest.mark.parametrize(
    ("blocked", "is_blocked"),
    [
        ("customer.example", True),
        ("example", True),
        ("sub.customer.example", False),
        ("tomer.example", False),
        ("customer.example.org", False),
        ("acme.example", False),  # the member's own address is not what is meant
    ],
)
def test_blocked_domains(blocked: str, is_blocked: bool) -> None:
    decided = decide(heading(JOHN, f"{ALICE}, {JANE}"), book(blocked_domains=frozenset({blocked, "nowhere.example"})))
    assert isinstance(decided, Verdict) is is_blocked
    if isinstance(decided, Verdict):
        assert decided.values == {"domain": blocked}
        assert blocked in decided.sentence


@pytest.mark.parametrize("line", ["cc", "bcc", "to", "from"])
def test_one_blocked_address_anywhere_is_enough(line: str) -> None:
    lines: dict[str, Any] = {"sender": JANE, line.replace("from", "sender"): "X <eve@mail.Blocked.example>"}
    mail = heading(**lines)
    assert rule_of(decide(mail, book(blocked_domains=frozenset({"blocked.example"})))) is Rule.BLOCKED_DOMAIN


def test_a_colleague_at_a_blocked_domain_is_one_address_as_well() -> None:
    """A company's lawyers may write from one of its own domains."""
    mail = heading(JANE, f"{ALICE}, counsel@legal.acme.example")
    decided = decide(mail, book(blocked_domains=frozenset({"legal.acme.example"})))
    assert rule_of(decided) is Rule.BLOCKED_DOMAIN


def test_nobody_is_too_far_behind_to_be_blocked() -> None:
    many = ", ".join(f"p{number}@customer.example" for number in range(600))
    mail = heading(JANE, ALICE, cc=f"{many}, x@blocked.example")
    assert rule_of(decide(mail, book(blocked_domains=frozenset({"blocked.example"})))) is Rule.BLOCKED_DOMAIN
    decided = decide(mail, book())
    assert isinstance(decided, Candidate)
    assert len(decided.strangers) == 499
    assert decided.envelope.unreadable == 1


def test_a_domain_in_another_script_is_blocked_by_its_labels() -> None:
    blocked = frozenset({"xn--mller-kva.example"})
    assert rule_of(decide(heading("x@Müller.example"), book(blocked_domains=blocked))) is Rule.BLOCKED_DOMAIN


@pytest.mark.parametrize(
    ("sender", "folders", "is_outgoing"),
    [
        (ALICE, ("f-sent",), True),
        (BOB, ("f-sent",), True),  # sent on somebody's behalf
        (ALICE, ("f-clients",), True),  # moved on
        (ALICE, (), True),
        (ALICE, ("f-inbox",), False),  # a forgery, or a note to oneself
        (ALICE, ("f-inbox", "f-sent"), True),
        (JANE, ("f-inbox",), False),
        (f"{ALICE}, {JANE}", ("f-clients",), True),
    ],
)
def test_which_mail_is_outgoing(sender: str, folders: tuple[str, ...], is_outgoing: bool) -> None:
    decided = decide(heading(sender, JANE, folders=folders), book(folders=("*",)))
    assert isinstance(decided, Candidate)
    assert decided.is_outgoing is is_outgoing


def test_outgoing_mail_has_its_own_rules() -> None:
    """Automatic logging: what is sent, although sync is off."""
    rulebook = Rulebook(incoming=rules(is_on=False), outgoing=rules(folders=("*",)), asked=rules())
    assert rule_of(decide(heading(), rulebook)) is Rule.SYNC_OFF
    assert rule_of(decide(heading(ALICE, JANE, folders=("f-sent",)), rulebook)) is None
    assert rulebook.is_on
    assert not Rulebook(rules(is_on=False), rules(is_on=False), rules()).is_on


def test_replies_are_synced_once_the_conversation_was_saved() -> None:
    decided = decide_by_heading(heading(), FOLDERS, book(replies_only=True), thread=Thread(is_logged=True))
    assert isinstance(decided, Candidate)


@pytest.mark.parametrize(
    ("folders", "was_chosen", "goes_on"),
    [
        ((), True, True),  # Gmail: put away
        (("f-archive",), True, True),
        (("f-archive",), False, False),
        ((), False, False),
        (("f-clients",), True, False),  # put where nothing is synced from: a decision
        (("f-archive", "f-clients"), True, False),
        (("f-unheard-of",), True, False),
        (("f-trash",), True, False),
    ],
)
def test_putting_a_mail_away_takes_nothing_back(folders: tuple[str, ...], was_chosen: bool, goes_on: bool) -> None:
    decided = decide_by_heading(heading(folders=folders), FOLDERS, book(), was_chosen=was_chosen)
    assert isinstance(decided, Candidate) is goes_on


def test_which_folders_are_worth_a_look() -> None:
    on, off = rules(folders=("inbox", "Clients")), rules(is_on=False, folders=("inbox",))
    assert Rulebook(on, on, off).folders == {"inbox", "Clients"}
    assert Rulebook(off, rules(folders=("sent",)), on).folders == {"sent"}
    assert Rulebook(off, off, on).folders == frozenset()


@pytest.mark.parametrize(
    ("headers", "rule"),
    [
        ({"sender": "jane@customer.example <eve@evil.example>"}, Rule.NO_ADDRESS),  # CVE-2023-27043
        ({"sender": "<<>>"}, Rule.NO_ADDRESS),
        ({"sender": BOB, "cc": "nonsense"}, Rule.NO_ADDRESS),
        ({"sender": BOB, "to": "undisclosed-recipients:;"}, Rule.ONLY_COLLEAGUES),
        ({"sender": JANE, "to": "nonsense"}, None),
    ],
)
def test_lines_that_cannot_be_read_without_doubt(headers: dict[str, Any], rule: Rule | None) -> None:
    assert rule_of(decide(heading(**headers), book())) is rule


def test_of_two_senders_lines_none_is_believed() -> None:
    mail = heading("")
    twice = Heading(
        mail.id, "", mail.folders, WHEN, 1, False, (("from", JANE), ("from", JOHN), ("to", ALICE), ("subject", "x"))
    )
    assert rule_of(decide(twice, book())) is Rule.NO_ADDRESS


def test_the_text_is_looked_at_last() -> None:
    waiting = mails.candidate()
    stays = decide_by_letter(letter("Your verification code is 123456."), waiting)
    assert stays is not None
    assert stays.rule is Rule.SIGN_IN_CODE
    assert decide_by_letter(letter("The code of order 123456 is attached."), waiting) is None
    open_minded = mails.candidate(may_be_sensitive=True)
    assert decide_by_letter(letter("Your verification code is 123456."), open_minded) is None


def test_what_a_person_asks_for_is_held_back_by_his_organization_alone() -> None:
    off = rules(is_on=False, folders=("nowhere",), private_phrases=("offer",))
    asked = rules(blocked_domains=frozenset({"blocked.example"}), may_be_sensitive=True)
    rulebook = Rulebook(off, off, asked)
    assert isinstance(decide_asked(letter(), rulebook), Candidate)
    blocked = decide_asked(letter(mail=heading("x@blocked.example")), rulebook)
    assert rule_of(blocked) is Rule.BLOCKED_DOMAIN
    assert rule_of(decide_asked(letter(), rulebook, thread=Thread(is_private=True))) is Rule.KEPT_PRIVATE
    sent = decide_asked(letter(mail=heading(ALICE, JANE)), rulebook)
    assert isinstance(sent, Candidate)
    assert sent.is_outgoing
    strict = Rulebook(off, off, rules())
    assert rule_of(decide_asked(letter("Your one-time passcode: 493021"), strict)) is Rule.SIGN_IN_CODE


_DOMAINS = st.sampled_from(["customer.example", "other.example", "sub.customer.example", "acme.example", "x.example"])
_ADDRESSES = st.builds(lambda name, domain: f"{name}@{domain}", st.sampled_from(["jane", "bob", "eve"]), _DOMAINS)
_LINES = st.lists(_ADDRESSES, max_size=3).map(", ".join)
_HEADINGS = st.builds(
    heading,
    _LINES,
    _LINES,
    cc=_LINES,
    bcc=_LINES,
    subject=st.sampled_from(["Our offer", "Your verification code", "Payslip", "Falcon", ""]),
    folders=st.lists(st.sampled_from(sorted(FOLDERS)), max_size=2),
    is_draft=st.booleans(),
)
_CHANGES = st.fixed_dictionaries(
    {
        "is_on": st.booleans(),
        "blocked_domains": st.frozensets(_DOMAINS, max_size=2),
        "private_phrases": st.lists(st.sampled_from(["falcon", "offer", "@x.example", "eve@x.example"]), max_size=2),
        "may_be_sensitive": st.booleans(),
        "replies_only": st.booleans(),
        "folders": st.lists(st.sampled_from(["inbox", "sent", "*", "Clients/*"]), max_size=2),
    }
)


@settings(max_examples=400)
@given(_HEADINGS, _CHANGES, _CHANGES)
def test_a_stricter_rule_lets_no_further_mail_through(mail: Heading, changes: Any, more: Any) -> None:
    """What restricts restricts: added to any rules whatsoever, it never turns a refusal into a candidate."""
    stricter = {
        **changes,
        "is_on": changes["is_on"] and more["is_on"],
        "blocked_domains": changes["blocked_domains"] | more["blocked_domains"],
        "private_phrases": [*changes["private_phrases"], *more["private_phrases"]],
        "may_be_sensitive": changes["may_be_sensitive"] and more["may_be_sensitive"],
        "replies_only": changes["replies_only"] or more["replies_only"],
    }
    before, after = decide(mail, book(**changes)), decide(mail, book(**stricter))
    assert isinstance(before, Candidate) or isinstance(after, Verdict)


@settings(max_examples=400)
@given(_HEADINGS, _CHANGES)
def test_a_candidate_has_a_stranger_whom_nothing_blocks(mail: Heading, changes: Any) -> None:
    decided = decide(mail, book(**changes))
    if isinstance(decided, Candidate):
        assert decided.strangers
        assert not {party.domain for party in decided.strangers} & {"acme.example", *changes["blocked_domains"]}
        assert {party.domain for party in decided.colleagues} <= {"acme.example"}
        assert ALICE not in {party.address for party in (*decided.strangers, *decided.colleagues)}


@settings(max_examples=300)
@given(st.lists(st.tuples(st.sampled_from(["from", "to", "cc", "subject", "sensitivity"]), st.text()), max_size=6))
def test_any_headers_get_a_decision(headers: list[tuple[str, str]]) -> None:
    mail = Heading("m", "t", ("f-inbox",), WHEN, 1, False, tuple(headers))
    decided = decide(mail, book(private_phrases=("x", "秘密")))
    assert isinstance(decided, Candidate) or decided.sentence
