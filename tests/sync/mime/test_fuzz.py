"""Whatever comes, reading ends with a letter or a reason, cheaply. A short run here; ten minutes in `make soak`."""

import random
import time
from datetime import timedelta
from encodings.aliases import aliases

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from sync.letters import Letter, Undecipherable
from sync.mime import attachment, read
from sync.mime.washing import TAGS
from tests.sync.mime.mails import ATTRIBUTES, CORPORA, HEAD, HTML, RECEIVED, SCHEMES, TEXT, mixed, seen_in

SOAK_SECONDS = 600
ROUND = 1_000
_WORDS = [
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"--outer", b"--outer--", b"--", b"-", b"=", b"=?utf-8?q?", b"?=",
    b"=?utf-7?b?", b":", b";", b" ", b"\t", b'"', b"\\", b"(", b")", b"<", b">", b"@", b",", b"\x00", b"\xff",
    b"\xe2\x80\xae", b"\x1b$B", b"'", b"%00", b"*0*=", b"Content-Type: ", b"multipart/mixed; boundary=outer",
    b"multipart/alternative; boundary=", b"multipart/digest; boundary=outer", b"text/html; charset=",
    b"text/plain; charset=", b"message/rfc822", b"utf-7", b"utf-16", b"iso-2022-jp", b"hz", b"gb18030", b"big5",
    b"Content-Transfer-Encoding: ", b"base64", b"quoted-printable", b"x-uuencode", b"begin 644 a", b"end",
    b"Content-Disposition: attachment; ", b"filename=", b"filename*=utf-8''", b"Content-ID: <", b"From: ",
    b"To: ", b"Date: ", b"Subject: ", b"Message-ID: ", b"References: ", b"a@example.com",
    b"Fri, 20 Nov 2026 10:00:00 +0100", b"<p>", b"</p>", b"<!--", b"-->", b"<svg>", b"<style>", b"</style>",
    b"<a href=", b"<blockquote>", b"<table>", b"<td>", b"<b>", b"&", b"&#0;", b"&#xd800;",
    b"https://drive.google.com/", b"> ", b"M", b"`", b"====",
]  # fmt: skip
SCRAPS = st.lists(st.one_of(st.sampled_from(_WORDS), st.binary(max_size=30)), max_size=80).map(b"".join)
#: A text in every charset that anybody may name, in every encoding: chance alone puts no such headers together.
CODED = st.builds(
    "Content-Type: text/{}; charset={}\r\nContent-Transfer-Encoding: {}\r\n\r\n".format,
    st.sampled_from(["plain", "html"]),
    st.sampled_from(sorted({*aliases, *aliases.values()})),
    st.sampled_from(["8bit", "base64", "quoted-printable", "x-uuencode"]),
).map(str.encode)
MAILS = st.one_of(
    SCRAPS,
    st.tuples(CODED, SCRAPS).map(lambda parts: HEAD + parts[0] + parts[1]),
    st.lists(st.tuples(CODED, SCRAPS).map(b"".join), max_size=5).map(lambda parts: HEAD + mixed(*parts)),
    SCRAPS.map(lambda scraps: HEAD + scraps),
    SCRAPS.map(lambda scraps: HEAD + HTML + b"\r\n" + scraps),
    SCRAPS.map(lambda scraps: HEAD + TEXT + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + scraps),
    st.lists(SCRAPS, max_size=5).map(lambda parts: HEAD + mixed(*parts)),
)


def examine(raw: bytes, seconds: float = 2.0) -> None:
    """What is promised of every letter, whatever it was made of."""
    begun = time.process_time()
    try:
        found = read([raw], RECEIVED)
    except Undecipherable:
        return
    assert time.process_time() - begun < seconds
    for each in found.attachments[:3]:  # each in a pass of its own
        b"".join(attachment([raw], each.path))
    sound(found)


def sound(found: Letter) -> None:
    shown = "".join((found.text, found.html, found.subject, *(each.name for each in found.attachments)))
    assert shown.encode().decode() == shown  # no lone surrogates
    assert "\x00" not in shown
    assert len(found.text) <= 32_000
    assert len(found.html) <= 32_000
    assert "\n" not in found.subject
    assert "\r" not in found.text
    assert found.sent_at is not None
    assert found.sent_at.tzinfo is not None
    assert all(each.name and "/" not in each.name and "\\" not in each.name for each in found.attachments)
    assert all(len(each) <= 255 for each in (found.message_id, found.in_reply_to, *found.references))
    seen = seen_in(found.html)
    assert seen.tags <= TAGS
    assert seen.attributes <= ATTRIBUTES
    assert all(target.startswith(SCHEMES) for target in seen.targets)


@settings(max_examples=400)
@given(MAILS)
def test_any_bytes_end_in_a_letter_or_a_reason(raw: bytes) -> None:
    examine(raw)


@pytest.mark.soak
@pytest.mark.timeout(SOAK_SECONDS * 2)
def test_ten_minutes_of_bytes() -> None:
    """Half of it by hypothesis, half by mails of others with bytes changed, cut and doubled; a new seed each time."""
    begun = time.monotonic()
    first = random.SystemRandom().randrange(2**32)
    print(f"seed {first}", flush=True)  # noqa: T201
    rounds = 0
    while time.monotonic() - begun < SOAK_SECONDS / 2:
        by_chance(first + rounds)
        rounds += 1
    made = mutated(random.Random(first), timedelta(seconds=SOAK_SECONDS / 2))
    shown = f"seed {first}: {rounds * ROUND} messages made, {made} changed, in {time.monotonic() - begun:.0f} s"
    print(shown)  # noqa: T201


def by_chance(number: int) -> None:
    @seed(number)
    @settings(max_examples=ROUND, database=None, suppress_health_check=list(HealthCheck))
    @given(MAILS)
    def examined(raw: bytes) -> None:
        examine(raw)

    examined()


def mutated(chance: random.Random, span: timedelta) -> int:
    mails = [path.read_bytes() for path in sorted(CORPORA.glob("mime/*/**/*")) if path.is_file()] or [
        HEAD + mixed(TEXT)
    ]
    until, made = time.monotonic() + span.total_seconds(), 0
    while time.monotonic() < until:
        made += 1
        examine(changed(chance, bytearray(chance.choice(mails)), chance.choice(mails)))
    return made


def changed(chance: random.Random, raw: bytearray, other: bytes) -> bytes:
    for _ in range(chance.randint(1, 20)):
        at = chance.randrange(len(raw) + 1)
        end = at + chance.randint(0, 2 ** chance.randint(0, 12))
        new = chance.choice([chance.randbytes(3), chance.choice(_WORDS), bytes(raw[at:end]) * 2, other[at:end], b""])
        raw[at:end] = new * (chance.randint(1, 200) if chance.random() < 0.05 else 1)
    return bytes(raw)
