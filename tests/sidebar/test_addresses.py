"""From RFC 5322 strings to correspondents: the short cut must agree with the parser."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from providers.addresses import parse_addresses
from sidebar.addresses import _PLAIN, correspondents

OWN = frozenset({"acme.example"})
ATOM = st.text("abcxyz019!#$%&'*+/=?^_`{|}~-.", min_size=1, max_size=40)
DOMAIN = st.text("abcxn019-.", min_size=1, max_size=60)


@given(st.builds("{}@{}".format, ATOM, DOMAIN))
@example("jane@xn--mller-kva.de")
@example("a@b.co")
@example("x@1.2.3.4")
@example("jane.doe+news@mail.customer.example")
@settings(max_examples=500)
def test_what_the_short_cut_takes_is_what_the_parser_makes_of_it(text: str) -> None:
    match = _PLAIN.fullmatch(text)
    if match:
        mailboxes, invalid = parse_addresses([text])
        assert [mailbox.address for mailbox in mailboxes] == [text]
        assert invalid == []
        assert match[1] == text.rpartition("@")[2]


@pytest.mark.parametrize("text", ["jane@customer.example", "j.doe@a.b.example", "jane+x@y.example"])
def test_ordinary_addresses_take_the_short_cut(text: str) -> None:
    assert _PLAIN.fullmatch(text)


@given(st.lists(st.text(max_size=60), max_size=8))
@settings(max_examples=200)
def test_no_text_makes_it_fail(texts: list[str]) -> None:
    """C55, BI-A5."""
    found = correspondents(texts, OWN)
    assert all(0 <= index < len(texts) for index in found.invalid)


def test_colleagues_are_left_out_and_everybody_comes_once_in_order() -> None:
    """C55: own domains skipped, names with commas, groups, case, IDN."""
    found = correspondents(
        [
            '"Doe, Jane" <Jane@Customer.example>',
            "joe@customer.example",
            "alice@acme.example",
            "jane@customer.example",
            "Team: kim@b.example, Bob <bob@ACME.example>;",
            "no address",
            "jörg@müller.example",
            "alice@notacme.example",
            "a@b@c",
        ],
        OWN,
    )
    assert found.wanted == [
        "jane@customer.example",
        "joe@customer.example",
        "kim@b.example",
        "jörg@xn--mller-kva.example",
        "alice@notacme.example",
    ]
    assert found.skipped == ["alice@acme.example", "bob@acme.example"]
    assert found.invalid == [5, 8]


def test_a_look_alike_is_another_correspondent() -> None:
    """C57: no folding but of ASCII letters, or the card would be another person's."""
    strings = ["\ufb01nance@x.com", "FINANCE@x.com", "Stra\u00dfe@x.com", "bo\u017fs@x.com"]
    who = correspondents(strings, frozenset())
    assert who.wanted == ["\ufb01nance@x.com", "finance@x.com", "stra\u00dfe@x.com", "bo\u017fs@x.com"]
    assert correspondents(["\u212aim@x.com", "\u0130nfo@x.com"], frozenset()).invalid == [0]
