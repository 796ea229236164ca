"""A dry run decides as the rules do, asks Salesforce in few calls, counts all, and writes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from providers.activities import Copy, FoundPeople
from providers.errors import Transient
from providers.mail import Heading
from sync.dry_run import AT_ONCE, Foreseen, as_if_on, forecast, foresee
from sync.elsewhere import Copies, Elsewhere
from sync.reasons import Outcome, Rule, verdict
from sync.rules import Rulebook, Thread
from tests.sync.mails import BOB, FOLDERS, MEMBER, WHEN, book, found, heading, person, rules


class Salesforce:
    """Knows everybody at known.example, and two at twice.example for each address. `copies`: of mails."""

    def __init__(self, **copies: Copy) -> None:
        self.calls: list[Sequence[str]] = []
        self.copies = {f"<{name}@mail.example>": (copy,) for name, copy in copies.items()}

    def people(self, addresses: Sequence[str], message_ids: Sequence[str]) -> FoundPeople:
        self.calls.append(addresses)
        known = [person(f"c{each}", address=each) for each in addresses if each.endswith("@known.example")]
        twice = [each for each in addresses if each.endswith("@twice.example")]
        people = found(*known, *(person(f"{n}{each}", address=each) for each in twice for n in "ab"))
        return replace(people, copies={each: self.copies[each] for each in message_ids if each in self.copies})


def strangers_work(copies: Copies) -> Elsewhere:
    """None of it stands in our ledger."""
    return Elsewhere(copies, ())


def run(mails: Sequence[str], salesforce: Salesforce, rulebook: Rulebook | None = None) -> list[Foreseen]:
    headings = (heading(sender, id=f"m{number}") for number, sender in enumerate(mails))
    asked = {"member_id": MEMBER, "thread_of": lambda _: Thread()}
    return list(foresee(headings, FOLDERS, rulebook or book(), salesforce.people, strangers_work, **asked))  # type: ignore[arg-type]


def test_each_mail_is_decided_once() -> None:
    senders = ["a@known.example", BOB, "x@new.example", "b@twice.example", "y@blocked.example"] * 3
    decided = run(senders, Salesforce(), book(blocked_domains=frozenset({"blocked.example"})))
    by_id = {each.message_id: each.verdict.rule for each in decided}
    expected = [Rule.MATCHED, Rule.ONLY_COLLEAGUES, Rule.NOBODY_FOUND, Rule.SEVERAL_PEOPLE, Rule.BLOCKED_DOMAIN] * 3
    assert [by_id[f"m{number}"] for number in range(15)] == expected
    assert len(decided) == 15


def test_salesforce_is_asked_once_about_each_and_about_many_at_once() -> None:
    """A tenth of a call for each mail, at most."""
    salesforce = Salesforce()
    decided = run([f"p{number % 250}@known.example" for number in range(2_000)], salesforce)
    assert len(decided) == 2_000
    assert all(each.verdict.rule is Rule.MATCHED for each in decided)
    asked = [address for call in salesforce.calls for address in call]
    assert sorted(asked) == sorted(set(asked))
    assert len(asked) == 250
    assert len(salesforce.calls) <= 5
    assert max(map(len, salesforce.calls)) <= AT_ONCE


def test_nobody_is_asked_about_mail_that_stays_out_anyway() -> None:
    salesforce = Salesforce()
    run([BOB, "y@blocked.example"], salesforce, book(blocked_domains=frozenset({"blocked.example"})))
    assert salesforce.calls == []


def test_a_mail_with_more_addresses_than_a_call_takes() -> None:
    salesforce = Salesforce()
    many = ", ".join(f"p{number}@known.example" for number in range(250))
    assert [each.verdict.rule for each in run([many], salesforce)] == [Rule.MATCHED]
    assert [len(call) for call in salesforce.calls] == [100, 100, 50]


def test_what_another_program_has_saved_is_not_saved_by_us() -> None:
    """F7: what a first sync would create, beside the tool that was there before. A forged id keeps nothing out."""
    theirs = Copy("A@known.example", "Our  offer", WHEN - timedelta(hours=9))
    forged = replace(theirs, sender="else@known.example")
    salesforce = Salesforce(one=theirs, two=forged)
    mails = [
        heading("a@known.example", id="1", message_id="<one@mail.example>"),
        heading("a@known.example", id="2", message_id="<two@mail.example>"),
        heading("a@known.example", id="3", message_id="<three@mail.example>"),
        heading("b@twice.example", id="4", message_id="<one@mail.example>"),
    ]
    told = foresee(
        mails, FOLDERS, book(), salesforce.people, strangers_work, member_id=MEMBER, thread_of=lambda _: Thread()
    )
    rules = [each.verdict.rule for each in told]
    assert rules == [Rule.SAVED_ELSEWHERE, Rule.MATCHED, Rule.MATCHED, Rule.SEVERAL_PEOPLE]


def test_what_is_there_already_is_not_counted_as_saved() -> None:
    told = [Foreseen("1", WHEN, verdict(Rule.SAVED_ELSEWHERE)), Foreseen("2", WHEN, verdict(Rule.MATCHED))]
    assert forecast(told).sentence == "1 of 2 emails would have been saved, 1 would not."


def rules_by_thread(mails: Sequence[Heading], threads: Mapping[str, Thread]) -> list[Rule]:
    told = foresee(
        mails,
        FOLDERS,
        book(),
        Salesforce().people,
        strangers_work,
        member_id=MEMBER,
        thread_of=lambda each: threads[each.id],
    )
    return [each.verdict.rule for each in told]


def test_whoever_was_chosen_for_a_conversation_is_meant() -> None:
    mails = [heading("b@twice.example", id=str(number)) for number in range(2)]
    threads = {"0": Thread(chosen=frozenset({"ab@twice.example"})), "1": Thread()}
    assert rules_by_thread(mails, threads) == [Rule.MATCHED, Rule.SEVERAL_PEOPLE]


def test_it_is_told_as_it_goes() -> None:
    """The headings are not all read before the first is told."""
    read: list[str] = []

    def headings() -> object:
        for number in range(1_000):
            read.append(str(number))
            yield heading("a@known.example", id=str(number))

    told = foresee(
        headings(),  # type: ignore[arg-type]
        FOLDERS, book(), Salesforce().people, strangers_work, member_id=MEMBER, thread_of=lambda _: Thread(),
    )  # fmt: skip
    assert next(told).message_id == "0"
    assert len(read) <= 200


def test_what_salesforce_cannot_answer_is_not_made_up() -> None:
    def away(*_: Sequence[str]) -> FoundPeople:
        raise Transient("Salesforce is away")

    told = foresee([heading()], FOLDERS, book(), away, strangers_work, member_id=MEMBER, thread_of=lambda _: Thread())
    with pytest.raises(Transient):
        list(told)


def test_the_thread_of_each_counts() -> None:
    headings = [heading("a@known.example", id="1"), heading("a@known.example", id="2")]
    threads = {"1": Thread(is_private=True), "2": Thread()}
    assert rules_by_thread(headings, threads) == [Rule.KEPT_PRIVATE, Rule.MATCHED]


def test_as_if_it_were_on() -> None:
    off = rules(is_on=False, replies_only=True)
    rulebook = as_if_on(Rulebook(off, off, off))
    assert (rulebook.incoming.is_on, rulebook.outgoing.is_on, rulebook.asked) == (True, True, off)
    assert rulebook.incoming.replies_only


def test_a_forecast_counts_and_says() -> None:
    rules_met = [verdict(Rule.MATCHED)] * 41 + [verdict(Rule.NOBODY_FOUND)] * 200
    rules_met += [verdict(Rule.BLOCKED_DOMAIN, domain="a.example")] * 7
    rules_met += [verdict(Rule.BLOCKED_DOMAIN, domain="b.example")] * 5
    seen = forecast(Foreseen(str(number), WHEN, each) for number, each in enumerate(rules_met))
    assert (seen.seen, seen.synced) == (253, 41)
    assert seen.sentence == "41 of 253 emails would have been saved, 212 would not."
    assert [(line.rule, line.count) for line in seen.lines] == [
        (Rule.NOBODY_FOUND, 200),
        (Rule.MATCHED, 41),
        (Rule.BLOCKED_DOMAIN, 7),
        (Rule.BLOCKED_DOMAIN, 5),
    ]
    assert seen.lines[0].outcome is Outcome.UNMATCHED
    assert forecast([]).sentence == "0 of 0 emails would have been saved, 0 would not."
