"""Addresses of real and hostile mail: RFC 5322, IDN, plus-tags, disguises; fast, and no exception on any text."""

import sys
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.addresses import Mailbox, base_address, fold, parse_addresses


def addresses_of(*strings: str) -> list[str]:
    return [mailbox.address for mailbox in parse_addresses(strings)[0]]


@pytest.mark.parametrize(
    ("text", "address", "name"),
    [
        ("jane@x.com", "jane@x.com", ""),
        ('"Doe, Jane" <j@x>', "j@x", "Doe, Jane"),
        ("Jane Doe <Jane.Doe@Example.COM>", "Jane.Doe@example.com", "Jane Doe"),
        ("J. R. Doe <j@x.com>", "j@x.com", "J. R. Doe"),
        ("jane@x.com <Jane@x.com>", "Jane@x.com", ""),
        ("jane+news@x.com", "jane+news@x.com", ""),
        ("(comment (nested)) jane (another) @x.com", "jane@x.com", ""),
        ('"jane"@x.com', "jane@x.com", ""),
        ('"a b"@x.com', '"a b"@x.com', ""),
        (r'"O\"Neil\\" <o@x.com>', "o@x.com", 'O"Neil\\'),
        ("o'neil@x.com", "o'neil@x.com", ""),
        ("Jürgen Müller <jm@bücher.example>", "jm@xn--bcher-kva.example", "Jürgen Müller"),
        ("用户@例子.广告", "用户@xn--fsqu00a.xn--4rr70v", ""),
        ("=?utf-8?q?J=C3=BCrgen?= <j@x.com>", "j@x.com", "Jürgen"),
        ('"=?utf-8?B?SsO8cmdlbg==?=" <j@x.com>', "j@x.com", "Jürgen"),
        ("=?no-such-charset?q?abc?= <j@x.com>", "j@x.com", "=?no-such-charset?q?abc?="),
        ("Jane\r\n Doe <j@x.com>", "j@x.com", "Jane Doe"),
        ("<j@x.com>", "j@x.com", ""),
        ("evil\u202egnp.exe <j@x.com>", "j@x.com", "evilgnp.exe"),
    ],
)
def test_one_mailbox(text: str, address: str, name: str) -> None:
    """C54: display names with commas, comments, quoting, IDN."""
    assert parse_addresses([text]) == ([Mailbox(address, name, 0)], [])


def test_lists_groups_and_repeats() -> None:
    found, invalid = parse_addresses(
        ["a@x.com, B <b@x.com>", "Team: c@x.com, D <d@x.com>;, e@x.com", "undisclosed-recipients:;", "A@X.com"]
    )
    assert [(mailbox.address, mailbox.input_index) for mailbox in found] == [
        ("a@x.com", 0),
        ("b@x.com", 0),
        ("c@x.com", 1),
        ("d@x.com", 1),
        ("e@x.com", 1),
    ]
    assert invalid == []


def test_good_ones_survive_beside_bad_ones() -> None:
    assert parse_addresses(["not an address, a@x.com"]) == ([Mailbox("a@x.com", "", 0)], [0])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "jane",
        "@x.com",
        "jane@",
        "a@b@c",
        "<script>@x",
        "alice@example.org)bob@evil.com",
        "alice@example.org(bob@evil.com",
        "alice@example.org<bob@evil.com>",
        "alice@example.org <bob@evil.com>",
        "alice@example.org[bob@evil.com",
        "alice@example.org:bob@evil.com",
        "alice@example.org;bob@evil.com",
        'alice@example.org"bob@evil.com',
        "alice@example.org bob@evil.com",
        "<@hop.example:jane@x.com>",
        "jane@[127.0.0.1]",
        "jane@127.0.0.1",
        "jane@x..com",
        "jane@-x.com",
        "jane@x_y.com",
        ".jane@x.com",
        "jane..doe@x.com",
        "ja ne@x.com",
        "jane@x .com",
        "j\0ane@x.com",
        "j\ud800ne@x.com",
        "jane@x\ud800.com",
        "j\u202eane@x.com",
        "jane@x.com\x00",
        f"{'a' * 65}@x.com",
        f"a@{'b' * 64}.com",
        f"a@{'.'.join(['b' * 60] * 5)}",
        f"{'a' * 10_000}@x.com",
        "a" * 200_000,
        "(" * 3_000 + "a@x.com",
        "<" * 3_000,
        '"' * 3_001,
    ],
)
def test_refused(text: str) -> None:
    """BI-A5, CVE-2023-27043: never half an address, never the other one."""
    assert parse_addresses([text]) == ([], [0])


@settings(max_examples=400)
@given(st.lists(st.text(alphabet=st.characters() | st.sampled_from('@<>(),;:."\\ +='), max_size=80), max_size=4))
def test_never_raises_and_reads_its_own_output(texts: list[str]) -> None:
    found, invalid = parse_addresses(texts)
    assert all(0 <= index < len(texts) for index in invalid)
    for mailbox in found:
        assert addresses_of(mailbox.address) == [mailbox.address]
        assert len(mailbox.address.encode()) <= 254
        assert mailbox.display_name.isprintable()


@given(st.from_regex(r"[a-z0-9]{1,20}(\+[a-z0-9+]{0,10})?@[a-z]{1,20}\.(com|de)", fullmatch=True))
def test_plus_tag_is_kept_and_can_be_left_out(text: str) -> None:
    (mailbox,) = parse_addresses([text])[0]
    assert mailbox.address == text
    assert base_address(mailbox.address) == f"{text.partition('@')[0].partition('+')[0]}@{text.partition('@')[2]}"


def test_quoted_local_part_and_bare_tag_have_no_base() -> None:
    assert base_address('"a+b"@x.com') == '"a+b"@x.com'
    assert base_address("+tag@x.com") == "+tag@x.com"


@pytest.mark.parametrize(
    "text",
    [
        "(" * 99_000,
        "a@x.com," * 12_000,
        '"' + "\\" * 99_000,
        "=?utf-8?q?a?=" * 7_000 + " <a@x.com>",
        "a" * 99_000 + "@x",
    ],
)
def test_worst_cases_take_linear_time(text: str) -> None:
    """3,000 parentheses crash the standard library's parser."""
    started = time.process_time()
    parse_addresses([text])
    assert time.process_time() - started < 1.0


#: Letters that Unicode's folding, or its composition, makes ASCII.
LOOK_ALIKES = st.sampled_from("\ufb01\ufb05\u00df\u1e9e\u017f\u212a\u0130\u0131\u037e\u1fef\uff21\u00c5\u0301\u0331")


@given(st.text(alphabet=st.characters(codec="utf-8") | st.sampled_from("AZhKk\u0301") | LOOK_ALIKES))
def test_folding_changes_nothing_but_ascii_letters(text: str) -> None:
    """C57: another person's card is never shown for a look-alike."""
    folded = fold(text)
    assert folded.isascii() == text.isascii()
    assert fold(folded) == folded
    assert fold(unicodedata.normalize("NFC", folded)) == folded or any(char in text for char in "\u037e\u1fef\u212a")
    assert not set(folded) & set("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    if text.isascii():
        assert folded == text.lower()


@given(st.text(alphabet=st.sampled_from('abKz.+"') | LOOK_ALIKES | st.characters(categories=("L", "N")), min_size=1))
def test_a_local_part_beyond_ascii_never_becomes_ascii(local: str) -> None:
    for mailbox in parse_addresses([f"{local}@x.com", f'"{local}"@x.com', f"Someone <{local}@x.com>"])[0]:
        assert mailbox.address.isascii() == mailbox.key.isascii() == local.isascii()


@pytest.mark.parametrize("local", ["\ufb01nance", "stra\u00dfe", "bo\u017fs", "\u0130nfo", "Stra\u1e9ee"])
def test_look_alikes_are_others(local: str) -> None:
    ascii_one = local.casefold().encode("ascii", "ignore").decode()
    found = parse_addresses([f"{local}@x.com", f"{ascii_one}@x.com"])[0]
    assert [mailbox.address for mailbox in found] == [f"{local}@x.com", f"{ascii_one}@x.com"]


def test_every_character_that_composition_makes_ascii_is_refused() -> None:
    made_ascii = [
        char
        for char in map(chr, range(0x80, sys.maxunicode + 1))
        if not "\ud800" <= char <= "\udfff" and unicodedata.normalize("NFC", char).isascii()
    ]
    assert len(made_ascii) == 3
    for char in made_ascii:
        assert parse_addresses([f"j{char}ane@x.com", f'"j{char}ane"@x.com']) == ([], [0, 1])
        assert fold(char) == char


def test_a_name_in_a_charset_that_is_no_word_stays_as_written() -> None:
    found, invalid = parse_addresses(["=?0\u201eo-8859-1?q?x?= <a@example.com>"])
    assert ([each.address for each in found], invalid) == (["a@example.com"], [])
