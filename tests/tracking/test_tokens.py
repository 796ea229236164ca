"""A token of a pixel or link is ours whole, or it is nothing (BI-D1, BI-D2)."""

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.hot.tokens import MAX_TOKEN, Keyring, KeyUnusable, Kind, Opened, TokenTooLong, read_keys

KEY, OTHER = os.urandom(32), os.urandom(32)
RING = Keyring([KEY])
IDS = st.binary(min_size=16, max_size=16)
#: What tracking.targets lets through is ASCII without white space.
TARGETS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=900)


def an_open() -> Opened:
    return Opened(os.urandom(16), os.urandom(16))


@given(IDS, IDS, st.integers(0, 65_535), TARGETS)
def test_what_was_sealed_comes_back(organization: bytes, copy: bytes, link: int, target: str) -> None:
    """C51: the destination byte for byte."""
    opened = Opened(organization, copy, link, target)
    text = RING.seal(Kind.CLICK, opened)
    assert RING.open(Kind.CLICK, text) == opened
    assert len(text) % 4 == 0
    assert "=" not in text


def test_every_flipped_bit_is_refused() -> None:
    text = RING.seal(Kind.CLICK, Opened(os.urandom(16), os.urandom(16), 3, "https://example.com/a?b=c#d"))
    raw = base64.urlsafe_b64decode(text)
    for bit in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        assert RING.open(Kind.CLICK, base64.urlsafe_b64encode(changed).decode()) is None


def test_every_changed_character_is_refused() -> None:
    """No two texts are one token: each character counts with all of its bits."""
    text = RING.seal(Kind.OPEN, an_open())
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=% .\n\u0131\uff21"
    for at, old in enumerate(text):
        for new in alphabet:
            assert new == old or RING.open(Kind.OPEN, text[:at] + new + text[at + 1 :]) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-1],
        lambda text: text[:-4],
        lambda text: text + "=",
        lambda text: text + "====",
        lambda text: text + "AAAA",
        lambda text: text[:0],
        lambda text: text.replace("-", "+").replace("_", "/") if set("-_") & set(text) else text + "+",
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text * 40,
        lambda text: text[0] * 10_000_000,
        lambda text: "\ud800" + text[1:],
        lambda text: text.upper(),
    ],
)
def test_other_spellings_are_refused(change: object) -> None:
    assert callable(change)
    assert RING.open(Kind.OPEN, change(RING.seal(Kind.OPEN, an_open()))) is None


def test_an_opens_token_is_no_clicks() -> None:
    text = RING.seal(Kind.OPEN, an_open())
    assert RING.open(Kind.CLICK, text) is None


def test_a_strangers_key_opens_nothing() -> None:
    assert Keyring([OTHER]).open(Kind.OPEN, RING.seal(Kind.OPEN, an_open())) is None


def test_a_new_key_in_front_leaves_the_old_tokens_good() -> None:
    old, rotated = RING.seal(Kind.OPEN, an_open()), Keyring([OTHER, KEY])
    assert rotated.open(Kind.OPEN, old)
    assert RING.open(Kind.OPEN, rotated.seal(Kind.OPEN, an_open())) is None


def test_what_is_too_long_for_a_link_is_said() -> None:
    with pytest.raises(TokenTooLong):
        RING.seal(Kind.CLICK, Opened(bytes(16), bytes(16), 1, "https://example.com/" + "x" * MAX_TOKEN))


@pytest.mark.parametrize("text", ["short", base64.b64encode(bytes(16)).decode(), "\u00e4" * 44, "a,b"])
def test_a_key_that_is_none_is_refused_in_words(text: str) -> None:
    with pytest.raises(KeyUnusable, match="TRACKING_KEY must be 32 random bytes in base64"):
        read_keys(text)


def test_no_key_at_all_is_refused_in_words() -> None:
    with pytest.raises(KeyUnusable, match="TRACKING_KEY is empty"):
        Keyring(read_keys(" , "))
