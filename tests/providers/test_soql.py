"""Quoting for SOQL and SOSL: what a person types stays text (BI-A5)."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import NotFound
from providers.salesforce import ids, soql

_UNESCAPE = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


def read_literal(text: str) -> str:
    """How Salesforce reads a quoted string: up to the first quote that no backslash precedes."""
    assert text[0] == "'"
    out, at = [], 1
    while text[at] != "'":
        if text[at] == "\\":
            at += 1
            out.append(_UNESCAPE.get(text[at], text[at]))
        else:
            out.append(text[at])
        at += 1
    assert at == len(text) - 1, "the string ended early"
    return "".join(out)


@given(st.text())
def test_a_literal_reads_back_or_is_refused(text: str) -> None:
    try:
        quoted = soql.literal(text)
    except ValueError:
        assert re.search(r"[\x00-\x07\x0b\x0e-\x1f\x7f\ud800-\udfff]", text)
        return
    assert read_literal(quoted) == text


@pytest.mark.parametrize("text", ["\0", "a\x00b", "\x7f", "\ud800"])
def test_what_no_escape_can_carry_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a SOQL string"):
        soql.literal(text)


@given(st.text())
def test_search_words_leave_no_bare_operator(text: str) -> None:
    words = soql.search_words(text)
    bare = re.sub(r"\\.", "", words)
    bare = re.sub(r'(?<!\S)"(?:and|or|not)"(?!\S)', "", bare, flags=re.IGNORECASE)
    assert not re.search(r"""[?&|!{}\[\]()^~:\\"'+-]""", bare)
    assert bare.removesuffix("*").count("*") == 0
    assert not {"and", "or", "not"} & set(bare.lower().split())


def test_search_words() -> None:
    assert soql.search_words("Jane O'Neil") == "Jane O\\'Neil*"
    assert soql.search_words('a" OR {b}') == 'a\\" "OR" \\{b\\}'
    assert soql.search_words("rock and") == 'rock "and"'
    assert soql.search_words(" \0 ") == ""


def test_names_are_checked() -> None:
    with pytest.raises(ValueError, match="API name"):
        soql.select("Contact WHERE Id", ["Id"])
    with pytest.raises(ValueError, match="API name"):
        soql.select("Contact", ["Id, Secret"])
    with pytest.raises(ValueError, match="API name"):
        soql.find("a", [("Contact", ["Id)"], 1)], 1)


def test_ids() -> None:
    """BI-A7."""
    whole = ids.record_id("003D000000QOlkw")
    assert whole == "003D000000QOlkwIAD"
    assert ids.record_id(whole, "003") == whole
    for bad in (
        "",
        "003",
        whole[:14],
        whole[:16],
        whole + "A",
        "003D000000QOlkwIAA",
        whole.replace("0", "-"),
        "../" * 5,
    ):
        with pytest.raises(NotFound):
            ids.record_id(bad)
    with pytest.raises(NotFound):
        ids.record_id(whole, "00Q")
    for name in ("", "Contact/../x", "1a", "a b", "Contact\n", "a" * 81):
        with pytest.raises(NotFound):
            ids.object_name(name)
