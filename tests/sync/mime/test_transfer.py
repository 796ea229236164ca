"""Attachments decoded in a pass of their own; no difference by how the bytes come in."""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.mime import attachment, read, source
from sync.mime.transfer import Undone
from tests.sync.mime.mails import HEAD, MIXED, RECEIVED, chained, cheaply, letter, mixed, repeated


def in_pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    at = 0
    for cut in cuts:
        yield data[at : at + cut]
        at += cut
    yield data[at:]


def uuencoded(data: bytes) -> bytes:
    lines = (binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45))
    return b"begin 644 a\n" + b"".join(lines) + b"`\nend\n"


CODINGS: dict[bytes, Callable[[bytes], bytes]] = {
    b"base64": base64.encodebytes,
    b"Quoted-Printable ": lambda data: binascii.b2a_qp(data, istext=False),  # as text it makes all ends of lines alike
    b"x-uuencode": uuencoded,
    b"binary": lambda data: data,
}


@settings(max_examples=150)
@given(st.binary(max_size=600), st.sampled_from(sorted(CODINGS)), st.lists(st.integers(0, 90), max_size=20))
def test_what_was_encoded_comes_out(data: bytes, coding: bytes, cuts: list[int]) -> None:
    undone = Undone(coding, in_pieces(CODINGS[coding](data), cuts))
    assert b"".join(undone) == data
    assert not undone.is_bad


MAIL = HEAD + mixed(
    b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + "Grüße 😀\r\n--outer-not\r\n--\r\n".encode() * 20,
    b"Content-Type: a/b; name=a.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(bytes(500)),
    b"Content-Type: a/b; name=b.bin\r\nContent-Transfer-Encoding: binary\r\n\r\n\r\n\r\n-\r\n--o\r\n\r",
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 64, 1_000])
@pytest.mark.parametrize("mail", [MAIL, MAIL.replace(b"\r\n", b"\n"), MAIL.replace(b"\r\n", b"\r")])
def test_where_the_wire_cuts_a_message_makes_no_difference(
    size: int, mail: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = read([mail], RECEIVED)
    contents = [b"".join(attachment([mail], each.path)) for each in whole.attachments]
    monkeypatch.setattr(source, "_PIECE", size)
    cut = read([mail], RECEIVED)
    assert (cut.text, cut.problems, [each.name for each in cut.attachments]) == (whole.text, (), ["a.bin", "b.bin"])
    assert [b"".join(attachment([mail], each.path)) for each in cut.attachments] == contents
    assert contents[0] == bytes(500)
    assert contents[1].startswith((b"\r\n\r\n-", b"\n\n-", b"\r\r-"))


def test_a_large_attachment_comes_out_whole_in_little_memory() -> None:
    line = b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0\r\n"
    lines = 400_000
    opening = b"--outer\r\nContent-Type: a/b; name=a.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    found = hashlib.sha256()
    with cheaply(4.0, 16):
        for piece in attachment(chained(HEAD, MIXED, b"\r\n", opening, repeated(line, lines), b"--outer--"), "1"):
            found.update(piece)
            assert len(piece) <= 64 * 1024
    expected = hashlib.sha256()
    for _ in range(lines):
        expected.update(base64.b64decode(line))
    assert found.digest() == expected.digest()


def test_a_single_part_has_a_path_too() -> None:
    mail = HEAD + b"Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8="
    (only,) = letter(mail).attachments
    assert (only.path, only.name, only.size) == ("1", "a.pdf", 5)
    assert b"".join(attachment([mail], only.path)) == b"hello"


def test_an_attachment_is_given_out_before_the_message_is_all_there() -> None:
    def broken() -> Iterator[bytes]:
        yield HEAD + MIXED + b"\r\n--outer\r\nContent-Type: a/b\r\n\r\n" + bytes(200_000)
        raise ConnectionError

    pieces = attachment(broken(), "1")
    assert len(next(pieces)) > 0
    with pytest.raises(ConnectionError):
        list(pieces)


def test_quoted_printable_without_line_ends_and_with_spaces_before_them() -> None:
    assert b"".join(Undone(b"quoted-printable", in_pieces(b"=41" * 100_000, [65_000] * 4))) == b"A" * 100_000
    assert b"".join(Undone(b"quoted-printable", [b"hello \t\r\nthere=20\r\n"])) == b"hello\r\nthere \r\n"


def test_uuencode_comes_out_in_pieces_of_some_size() -> None:
    data = bytes(range(256)) * 2_000
    pieces = list(Undone(b"x-uuencode", [uuencoded(data)]))
    assert b"".join(pieces) == data
    assert len(pieces) < 10


def test_uuencode_of_short_lines_comes_out_whole_until_there_are_too_many() -> None:
    for length, lines, is_bad in ((24, 400_000, False), (1, 90_000, False), (1, 400_000, True)):
        line = binascii.b2a_uu(b"x" * length)
        undone = Undone(b"x-uuencode", chained(b"begin 644 a\n", repeated(line * 100, lines // 100), b"`\nend\n"))
        decoded = b"".join(undone)
        assert undone.is_bad is is_bad
        assert len(decoded) < 200_000 if is_bad else len(decoded) == length * lines
