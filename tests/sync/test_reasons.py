"""Every rule and note has a sentence, and nothing that might be content gets into one."""

import pytest

from sync.conclusions import Conclusion
from sync.reasons import Note, Outcome, Ranked, Rule, Verdict, fields_of, outcome_of, say_note, say_ranked, verdict


@pytest.mark.parametrize("rule", Rule)
def test_every_rule_decides_and_says_so(rule: Rule) -> None:
    values = dict.fromkeys(fields_of(rule), "x1")
    made = Verdict(rule, values)
    assert made.outcome is outcome_of(rule)
    assert made.sentence.endswith(".")
    assert "{" not in made.sentence


def test_every_outcome_has_a_rule() -> None:
    assert {outcome_of(rule) for rule in Rule} == set(Outcome)


@pytest.mark.parametrize("note", Note)
def test_every_note_counts(note: Note) -> None:
    """But for one: how many files are missing after the last try nobody knows."""
    assert say_note(note, 3).endswith("with it." if note is Note.FILES_MISSING else " 3.")


@pytest.mark.parametrize("why", Ranked)
def test_every_ranking_is_put_in_words(why: Ranked) -> None:
    (sentence,) = say_ranked([why.value])
    assert sentence.endswith(".")


def test_reasons_of_an_older_release_are_passed_over() -> None:
    assert say_ranked(["richest", "yours", ""]) == ("You own this record.",)


@pytest.mark.parametrize(
    "value", ["jane@customer.example", "Our offer", "", "a\nb", "x" * 254, "<1>", "müller", "https://x.example/"]
)
def test_what_may_be_content_is_no_value(value: str) -> None:
    with pytest.raises(ValueError, match="neither a domain"):
        verdict(Rule.BLOCKED_DOMAIN, domain=value)


def test_a_sentence_gets_its_values_and_no_other() -> None:
    with pytest.raises(ValueError, match="takes"):
        verdict(Rule.BLOCKED_DOMAIN)
    with pytest.raises(ValueError, match="takes"):
        verdict(Rule.DRAFT, domain="x.example")
    assert verdict(Rule.REFUSED, provider="Salesforce", code="FIELD_CUSTOM_VALIDATION_EXCEPTION").sentence == (
        "Salesforce refused it (FIELD_CUSTOM_VALIDATION_EXCEPTION)."
    )


def test_nobody_has_a_reason_who_is_not_asked_about() -> None:
    first, second = "003000000000001AAA", "003000000000002AAA"
    why = {first: (Ranked.YOURS,)}
    assert Conclusion(verdict(Rule.SEVERAL_PEOPLE), asked_ids=(second, first), asked_why=why).asked_why == why
    with pytest.raises(ValueError, match="whom it does not ask about"):
        Conclusion(verdict(Rule.SEVERAL_PEOPLE), asked_ids=(second,), asked_why=why)
