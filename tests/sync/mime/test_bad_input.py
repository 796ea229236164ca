"""BI-E: what hostile and broken messages come to. Each gets a letter or a reason, within 2 s and 64 MiB."""

import base64
from collections.abc import Callable, Iterable

import pytest

from sync.envelope import envelope_of
from sync.letters import Letter, Problem, Undecipherable
from sync.mime import attachment, read
from sync.mime.bodies import Bodies
from sync.mime.bounds import KEPT_HEAD, KEPT_IN_ALL, KEPT_TAIL, MOST_DECODED
from sync.mime.walk import Walk
from tests.sync.mime.mails import HEAD, HTML, MIXED, RECEIVED, TEXT, chained, cheaply, headed, letter, mixed, repeated

UNCODED = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "


def nested(levels: int) -> bytes:
    opened = (b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(levels))
    return HEAD + b"".join(opened) + b"\r\ninnermost"


@pytest.mark.parametrize("levels", [31, 50, 100, 400, 1000, 3000])
def test_nesting_beyond_the_limit_is_undecipherable(levels: int) -> None:  # BI-E1
    with cheaply(0.5), pytest.raises(Undecipherable) as refused:
        letter(nested(levels))
    assert refused.value.code == "too_deep"


def test_nesting_up_to_the_limit_is_read() -> None:
    assert letter(nested(30)).text == "innermost"


def test_of_a_hundred_thousand_parts_the_first_are_read() -> None:  # BI-E2
    with cheaply():
        found = read(
            chained(HEAD, MIXED, b"\r\n", repeated(b"--outer\r\nContent-Type: a/b\r\n\r\nx\r\n", 100_000)), RECEIVED
        )
    assert len(found.attachments) == 499
    assert Problem.TOO_MANY_PARTS in found.problems


def test_of_a_hundred_thousand_headers_the_first_count() -> None:  # BI-E3
    with cheaply():
        found = read(chained(HEAD, repeated(b"X-Any: thing\r\n", 100_000), b"Cc: c@example.com\r\n\r\nhello"), RECEIVED)
    assert (found.subject, found.cc, found.text) == ("hello", (), "hello")
    assert Problem.TOO_MANY_HEADERS in found.problems


def test_a_header_of_a_megabyte_is_cut_between_two_addresses() -> None:  # BI-E3
    with cheaply():
        found = headed(b"To: " + b", ".join(b"a%d@example.com" % n for n in range(60_000)))
    assert len(found.to) == 500
    assert found.to[-1].addr == "a499@example.com"
    assert {Problem.LONG_HEADER, Problem.TOO_MANY_ADDRESSES} <= set(found.problems)


def test_two_halves_of_addresses_make_none() -> None:  # BI-E3
    given = [b"%s <n%05d.n%05d@example.com>" % (b"name " * 40, number, number) for number in range(450)]
    found = envelope_of(headed(b"Cc: " + b", ".join(given)).headers)
    halves = [party.address.partition("@")[0].split(".") for party in found.parties]
    assert len(halves) > 300
    assert all(first == second for first, second in halves)
    assert found.unreadable == 1


@pytest.mark.parametrize(
    "given",
    [
        (b"Message-ID: <>",),
        (),
        (b"Message-ID: <a@b>", b"Message-ID: <c@d>"),
        (b"Message-ID: <" + b"a" * 100_000 + b"@b>",),
        (b"Message-ID: <a\r\n b@c>",),
        (b"Message-ID: <a@b> <c@d>",),
        (b"Message-ID: <a\x00@b>",),
        ("Message-ID: <ä@b>".encode(),),
    ],
)
def test_a_message_id_that_is_none_counts_as_missing(given: tuple[bytes, ...]) -> None:  # BI-E4
    assert headed(*given).message_id == ""


def test_a_sound_message_id_is_kept() -> None:
    assert headed(b"Message-ID:\r\n <CAF+1=x@mail.example.com>").message_id == "<CAF+1=x@mail.example.com>"


@pytest.mark.parametrize("name", [b"Subject", b"To", b"From", b"References"])
def test_twenty_thousand_encoded_words_cost_little(name: bytes) -> None:  # BI-E6
    with cheaply(1.0):
        headed(name + b": " + b"=?utf-8?q?w=C3=B6rd?= " * 20_000)


@pytest.mark.parametrize("charset", ["spam", "us-ascii\\0", "zlib", "hex", "unicode_escape", "../../etc", "x" * 5_000])
def test_an_unknown_charset_is_read_as_what_it_looks_like(charset: str) -> None:  # BI-E7
    found = letter(HEAD, f'Content-Type: text/plain; charset="{charset}"\r\n\r\n'.encode(), "Grüße".encode())
    assert (found.text, found.problems) == ("Grüße", (Problem.BAD_CHARSET,))


def test_utf_7_is_decoded_before_it_is_sanitised() -> None:  # BI-E7
    found = letter(
        HEAD, b"Content-Type: text/html; charset=utf-7\r\n\r\n<p>hi+ADw-script+AD4-alert(1)+ADw-/script+AD4- +2AA-"
    )
    assert (found.html, found.text) == ("<p>hi \ufffd</p>", "hi \ufffd")


@pytest.mark.parametrize("charset", ["utf-16", "utf-16le", "utf-16be", "utf-32", "U16"])
def test_the_order_of_bytes_is_read_from_its_mark_or_guessed(charset: str) -> None:  # BI-E7
    head = f"Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode()
    name = charset.lower().replace("u16", "utf-16")
    bare = "Grüße".encode(name if name[-2:] in {"le", "be"} else f"{name}-le")
    assert letter(HEAD, head, base64.b64encode(bare)).text == "Grüße"
    marked = "Grüße".encode(name)  # by Python with a mark where the name says no order
    assert letter(HEAD, head, base64.b64encode(marked)).text == "Grüße"
    if name in {"utf-16", "utf-32"}:
        assert letter(HEAD, head, base64.b64encode("\ufeffGrüße".encode(f"{name}-be"))).text == "Grüße"
    assert letter(HEAD, head, base64.b64encode(b"a")).text in {"", "\ufffd"}


def test_iso_2022_jp_and_its_tricks() -> None:  # BI-E7
    kept = letter(HEAD, b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n", "日本語".encode("iso-2022-jp"))
    assert kept.text == "日本語"
    tricked = letter(HEAD, b"Content-Type: text/html; charset=iso-2022-jp\r\n\r\n<p>\x1b$B<script>\x1b(Bx\x1b$")
    assert "script" not in tricked.html


@pytest.mark.parametrize(
    ("encoding", "content", "text"),
    [
        (b"base64", b"aGVsb\x00G8\r\n!!gd29ybGQ", "hello world"),
        (b"base64", b"aGVsbG8=IHdvcmxk", "hello world"),
        (b"base64", b"aGVsbG8gd29ybGQA=B", "hello world"),
        (b"quoted-printable", b"hello=\r\n=20world=", "hello world"),
        (b"quoted-printable", b"hello w=F6rl=XX =", "hello w\ufffdrl=XX"),
        (b"x-uuencode", b"begin 644 x\r\n+:&5L;&\\@=V]R;&0\r\n`\r\nend", "hello world"),
        (b"spam", b"hello world", "hello world"),
    ],
)
def test_transfer_encodings_that_are_not_what_they_say(encoding: bytes, content: bytes, text: str) -> None:  # BI-E8
    assert letter(HEAD, UNCODED, encoding, b"\r\n\r\n", content).text == text


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("filename*=utf-8''..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("filename*=utf-8''report%00.pdf", "report.pdf"),
        ('filename="..\\\\..\\\\windows\\\\system.ini"', "system.ini"),
        ("filename=CON", "_CON"),
        ("filename=nul.txt", "_nul.txt"),
        ("filename*=utf-8''a%E2%80%AEfdp.exe", "afdp.exe"),
        ("filename=one.pdf; filename=two.pdf", "one.pdf"),
        ("filename=plain.pdf; filename*=utf-8''starred.pdf", "starred.pdf"),
        ("filename*1=t.pdf; filename*0=par", "part.pdf"),
        ("filename*0*=utf-8'de'Gr%C3%BC; filename*1*=%C3%9Fe; filename*2=.txt", "Grüße.txt"),
        ("filename==?utf-8?b?R3LDvMOfZS5wZGY=?=", "Grüße.pdf"),
        (f"filename={'x' * 300}.pdf", "x" * 196 + ".pdf"),
        ('filename="..."', "attachment.pdf"),
        ('filename="unterminated.pdf', "unterminated.pdf"),
        ("", "attachment.pdf"),
    ],
)
def test_names_of_files_are_safe(header: str, name: str) -> None:  # BI-E9
    part = f"Content-Type: application/pdf\r\nContent-Disposition: attachment; {header}\r\n\r\nx".encode()
    (found,) = letter(HEAD, mixed(part)).attachments
    assert found.name == name


@pytest.mark.parametrize(
    "date",
    [
        b"Mon, 99 Foo",
        b"Mon, 1 Jan 20999 00:00:00 +0000",
        b"Mon, 16 Nov 2026 10:00:00 -0000",
        b"Mon, 16 Nov 2026 10:00:00 +9999",
        b"Mon, 16 Nov 2036 10:00:00 +0000",
        b"Thu, 1 Jan 1970 00:00:00 +0000",
        b"",
        b"9" * 10_000,
    ],
)
def test_a_date_that_cannot_be_gives_way_to_the_time_of_receipt(date: bytes) -> None:  # BI-E11
    with cheaply(0.5):
        assert headed(b"Date: " + date).sent_at == RECEIVED


def test_a_sound_date_is_kept() -> None:
    found = headed(b"Date: Fri, 20 Nov 2026 10:00:00 +0100")
    assert found.sent_at is not None
    assert found.sent_at.isoformat() == "2026-11-20T09:00:00+00:00"
    assert found.problems == ()


def test_a_subject_is_one_line_whatever_it_decodes_to() -> None:  # BI-E12
    found = headed(b"Subject: =?utf-8?q?hello=0D=0ABcc:_eve=40example.com=00=E2=80=AE?=")
    assert (found.subject, found.bcc) == ("hello Bcc: eve@example.com", ())


BOUNDARIES: list[tuple[bytes, bytes, str]] = [
    (b"multipart/mixed", b"--x\r\n\r\nhello\r\n--x--", "--x\r\n\r\nhello\r\n--x--".replace("\r\n", "\n")),
    (b"multipart/mixed; boundary=\xe9\xff", b"--\xe9\xff\r\n\r\nhello\r\n--\xe9\xff--", "hello"),
    (b"multipart/mixed; boundary=" + b"b" * 1_000, b"--" + b"b" * 1_000 + b"\r\n\r\nhello", "hello"),
    (b"multipart/mixed; boundary=x", b"--x\r\n\r\nhello\r\n--xy\r\nstill", "hello\n--xy\nstill"),
    (b"multipart/mixed; boundary=x", b"--x \t\r\n\r\nhello\r\n--x--\t\r\nepilogue", "hello"),
    (b"multipart/mixed; boundary=x", b"preamble\n--x\n\nhello\n--x--", "hello"),
    (b"multipart/mixed; boundary=x", b"--x\r\rhello\r--x--", "hello"),
    (b"multipart/mixed; boundary*=us-ascii''x%20y", b"--x y\r\n\r\nhello\r\n--x y--", "hello"),
    (b'multipart/mixed; boundary="x y "', b"--x y\r\n\r\nhello\r\n--x y--", "hello"),
]


@pytest.mark.parametrize(("content_type", "body", "text"), BOUNDARIES)
def test_boundaries(content_type: bytes, body: bytes, text: str) -> None:  # BI-E13
    assert letter(HEAD, b"Content-Type: ", content_type, b"\r\n\r\n", body).text == text


def test_a_boundary_that_begins_like_the_one_around_it_is_another() -> None:  # BI-E13
    inner = b"Content-Type: multipart/mixed; boundary=outer2\r\n\r\n--outer2\r\n\r\none\r\n--outer2--\r\n"
    assert letter(HEAD, mixed(inner, b"\r\ntwo")).text == "one\n\ntwo"


def test_an_outer_boundary_ends_what_is_open_within() -> None:
    inner = b"Content-Type: multipart/mixed; boundary=inner\r\n\r\n--inner\r\n\r\none"
    found = letter(HEAD, mixed(inner, b"\r\ntwo"))
    assert found.text == "one\n\ntwo"


def test_a_quoted_thread_of_ten_megabytes_keeps_what_is_new_on_either_side() -> None:  # BI-E15
    quoted = repeated("> wörter aus alter zeit 😀\r\n".encode(), 400_000)
    with cheaply():
        found = read(chained(HEAD, TEXT, b"\r\nnewest above\r\n\r\n", quoted, b"\r\nnewest below\r\n"), RECEIVED)
    assert len(found.text) <= 32_000
    assert found.text.startswith("newest above\n")
    assert found.text.endswith("\nnewest below")
    assert Problem.LONG_TEXT in found.problems


def test_limits_count_code_points_not_bytes() -> None:  # BI-E15
    assert letter(HEAD, TEXT, b"\r\n", ("😀" * 32_000).encode()).text == "😀" * 32_000
    assert len(letter(HEAD, TEXT, b"\r\n", ("😀" * 32_001).encode()).text) <= 32_000


def test_an_attachment_is_passed_and_never_opened() -> None:  # BI-E16
    opening = b"Content-Type: application/zip; name=bomb.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    line = base64.b64encode(bytes(57)) + b"\r\n"
    with cheaply(2.0, 16):
        found = read(
            chained(HEAD, MIXED, b"\r\n--outer\r\n", opening, repeated(line, 1_400_000), b"--outer--"), RECEIVED
        )
    (only,) = found.attachments
    assert (only.name, only.size) == ("bomb.zip", 1_400_000 * 57)


def test_of_fifty_thousand_references_the_ends_are_kept() -> None:  # BI-E18
    with cheaply():
        found = headed(b"References: " + b"\r\n ".join(b"<%d@example.com>" % n for n in range(50_000)))
    assert len(found.references) == 40
    assert found.references[:2] == ("<0@example.com>", "<1@example.com>")
    assert found.references[-1] == "<49999@example.com>"


@pytest.mark.parametrize(
    "raw",
    [
        b"From alice@example.com Mon Jan  1 00:00:00 2026\r\n" + HEAD + b"\r\nhello",
        b"\r\n\r\n" + HEAD + b"\r\nhello",
        HEAD.replace(b"\r\n", b"\r") + b"\rhello",
        HEAD.replace(b"\r\n", b"\n") + b"\r\nhello",
        HEAD + b"\r\nhel\x00lo\r",
        HEAD + b"\n\r\nhello",
    ],
)
def test_line_ends_nul_and_mbox(raw: bytes) -> None:  # BI-E19
    found = letter(raw)
    assert (found.subject, found.text.strip()) == ("hello", "hello")
    assert found.sender is not None
    assert found.sender.addr == "alice@example.com"


@pytest.mark.parametrize(
    ("raw", "text", "problems"),
    [
        (b"", "", (Problem.EMPTY,)),
        (b"\r\n", "", (Problem.EMPTY,)),
        (HEAD, "", ()),
        (HEAD + b"\r\n", "", ()),
        (b"no header at all\r\nhello", "no header at all\nhello", (Problem.BAD_HEADER,)),
        (b"\r\n\r\nno header: hello there\r\n\r\nx", "no header: hello there\n\nx", (Problem.BAD_HEADER,)),
    ],
)
def test_messages_without_one_half(raw: bytes, text: str, problems: tuple[Problem, ...]) -> None:  # BI-E20
    found = letter(raw)
    assert (found.text, found.problems) == (text, problems)


def test_the_text_behind_too_many_header_lines_is_read() -> None:
    found = read(chained(HEAD, repeated(b"X-Any: thing\r\n", 99_998), b"\r\nhello\r\n\r\nthere"), RECEIVED)
    assert (found.subject, found.text) == ("hello", "hello\n\nthere")
    assert Problem.TOO_MANY_HEADERS in found.problems
    found = read(chained(HEAD, repeated(b"X-Any: thing\r\n", 200_000), b"\r\nhello\r\n\r\nthere"), RECEIVED)
    assert (found.subject, found.text) == ("hello", "hello\n\nthere")


def uuencoded_lines(line: bytes) -> Iterable[bytes]:
    """As many as are decoded, of a part."""
    lines = repeated(line * 1_000, MOST_DECODED // len(line) // 1_000)
    return chained(HEAD, UNCODED, b"x-uuencode\r\n\r\nbegin 1 x\n", lines)


COSTLY: dict[str, Callable[[], Iterable[bytes]]] = {
    "lines that look like delimiters": lambda: chained(HEAD, MIXED, b"\r\n", repeated(b"--outer-\r\n", 2_000_000)),
    "lines that look a little like delimiters": lambda: chained(HEAD, MIXED, b"\r\n", repeated(b"--x\r\n", 4_000_000)),
    "headers without end": lambda: chained(HEAD, repeated(b"X:\n" * 1_000, 20_000), b"\nhello"),
    "folded lines without end": lambda: chained(HEAD, repeated(b" \r\n" * 1_000, 20_000), b"\r\nhello"),
    "headers of parts without end": lambda: chained(
        HEAD, MIXED, b"\r\n", repeated(b"--outer\r\n" + b"X:\r\n" * 50_000 + b"\r\nhello\r\n", 100)
    ),
    "multiparts in a row": lambda: chained(
        HEAD,
        MIXED,
        b"\r\n",
        repeated(b"--outer\r\nContent-Type: multipart/a; boundary=" + b"z" * 900 + b"\r\n\r\n", 50_000),
    ),
    "parameters": lambda: chained(
        HEAD, MIXED, b"\r\n", repeated(b"--outer\r\nContent-Type: a/b; " + b'a*1*="; ' * 1_000 + b"\r\n\r\n", 600)
    ),
    "names of many words": lambda: chained(
        HEAD,
        MIXED,
        b"\r\n",
        repeated(
            b"--outer\r\nContent-Type: a/b;"
            + b"a=b;" * 2_000
            + b'\r\nContent-Disposition: attachment; filename="'
            + b"=?utf-8?q?=41?= " * 500
            + b'"\r\n\r\nx\r\n',
            600,
        ),
    ),
    "UTF-7 without end": lambda: chained(
        HEAD, b"Content-Type: text/plain; charset=utf-7\r\n\r\n+", repeated(b"A" * 1_024, 12 * 1_024)
    ),
    "uuencoded blank lines": lambda: chained(HEAD, UNCODED, b"x-uuencode\r\n\r\n", repeated(b"\n" * 1_000, 50_000)),
    "uuencoded lines of one byte": lambda: uuencoded_lines(b"!0\n"),
    "uuencoded lines of three bytes": lambda: uuencoded_lines(b"#0V%T\n"),
    "uuencoded lines whose letters are missing": lambda: uuencoded_lines(b"M\n"),
    "uuencoded lines as short as may be, whose letters are missing": lambda: uuencoded_lines(b"M" + b"A" * 30 + b"\n"),
    "padding": lambda: chained(HEAD, UNCODED, b"base64\r\n\r\n", repeated(b"A=" * 1_000, 25_000)),
    "soft line breaks": lambda: chained(HEAD, UNCODED, b"quoted-printable\r\n\r\n", repeated(b"=\n" * 1_000, 25_000)),
    "characters that are not printed": lambda: chained(HEAD, TEXT, b"\r\n", repeated(b"\0" * 1_000, 12_000)),
    "text": lambda: chained(HEAD, TEXT, b"\r\n", repeated("😀 word ".encode() * 1_000, 5_000)),
    "many long texts": lambda: chained(
        HEAD, MIXED, b"\r\n", repeated(b"--outer\r\n" + TEXT + b"\r\n" + "😀".encode() * 400_000 + b"\r\n", 30)
    ),
    "comments in an address": lambda: [HEAD, b"Cc: " + b"(" * 60_000 + b"\r\n\r\nx"],
    "html": lambda: chained(HEAD, HTML, b"\r\n", repeated(b"<p>hello &amp; <b>world</b></p>", 300_000)),
}


@pytest.mark.parametrize("kind", COSTLY)
def test_costly_messages_stay_within_the_limits(kind: str) -> None:
    with cheaply():
        found = read(COSTLY[kind](), RECEIVED)
    assert isinstance(found, Letter)
    assert len(found.text) <= 32_000
    assert len(found.html) <= 32_000


def test_an_attachment_that_is_not_there_is_said_to_be_gone() -> None:
    with pytest.raises(Undecipherable) as refused:
        list(attachment([HEAD + mixed(b"\r\nhello")], "7"))
    assert refused.value.code == "no_such_part"


def test_many_long_texts_are_not_held_together() -> None:
    part = b"--outer\r\n" + TEXT + b"\r\n" + "😀".encode() * 270_000 + b"\r\n"
    bodies = []
    for mail in (chained(HEAD, MIXED, b"\r\n", repeated(part, times)) for times in (6, 60)):
        walk = Walk(mail)
        gathered = Bodies()
        for each in walk:
            gathered.add(each, gathered.within(each.body))
        bodies.append(sum(len(kept) for section in gathered.sections for kept in section.plain))
    assert bodies[0] == bodies[1] <= KEPT_IN_ALL + KEPT_HEAD + 2 * KEPT_TAIL
