"""What tells a mail from another: the same in every copy of it, however a provider writes its headers."""

from datetime import UTC, datetime

import pytest

from sync.filing import identity_of
from sync.ledger import Identity
from sync.mime import read

#: As it was sent, and as Gmail has it.
SENT = """\
From: =?utf-8?q?Zo=C3=AB?= Person <Zoe@Example.com>
To: bob@acme.example
Subject: =?utf-8?q?Angebot_f=C3=BCr_M=C3=A4rz?=
Date: Sun, 22 Nov 2026 11:00:00 +0100
Message-ID: <1@example.com>

hello
"""
#: As Exchange writes it anew.
ANEW = """\
From: =?iso-8859-1?Q?Person=2C_Zo=EB?= <zoe@example.com>
Subject: =?iso-8859-1?Q?Angebot_f=FCr?=
 =?iso-8859-1?Q?_M=E4rz?=
Thread-Index: AQHa
Date: Sun, 22 Nov 2026 10:00:00 +0000
Message-ID: <1@example.com>
To: "bob@acme.example" <bob@acme.example>

hello
"""


def identity(raw: str, second: int = 0) -> Identity:
    """`second`: when this copy was received."""
    letter = read([raw.replace("\n", "\r\n").encode()], datetime(2026, 11, 22, 10, 1, second, tzinfo=UTC))
    return identity_of(letter, "17a")


def test_a_mail_is_the_same_in_gmail_and_in_exchange() -> None:
    assert identity(SENT) == identity(ANEW, second=7)


@pytest.mark.parametrize(
    ("date", "anew"),
    [
        ("Sun, 22 Nov 2026 10:00:00 -0000", "Sun, 22 Nov 2026 10:00:00 +0000"),
        ("Sun, 22 Nov 2026 10:00:00 -0000 (UTC)", "Sun, 22 Nov 2026 10:00:00 +0000"),
        ("Sun, 22 Nov 2026 10:00:00 (UTC)", "Sun, 22 Nov 2026 10:00:00 +0000"),
        ("Sun, 22 Nov 2026 11:00:00 (Berlin) +0100", "Sun, 22 Nov 2026 10:00:00 +0000"),
        ("Sun, 22 Nov 2026 10:00:00", "Sun, 22 Nov 2026 10:00:00 +0000"),
        ("Sun, 22 Nov 2026 10:00:00 CEST", "Sun, 22 Nov 2026 10:00:00 +0000"),
        ("22 Nov 2026 10:00 -0000", "Sun, 22 Nov 2026 10:00:00 +0000"),
        ("Thu, 01 Jan 1970 01:00:00 +0100", "Thu, 1 Jan 1970 00:00:00 +0000"),
        ("Sun, 22 Nov 2093 11:00:00 +0100", "Sun, 22 Nov 2093 10:00:00 +0000"),
    ],
)
def test_it_is_the_same_at_any_instant_that_can_be_reckoned(date: str, anew: str) -> None:
    """Believed or not: Exchange writes the instant anew, in a zone of its own."""
    raws = [SENT.replace("Sun, 22 Nov 2026 11:00:00 +0100", each) for each in (date, anew)]
    assert identity(raws[0]) == identity(raws[1], second=7)


@pytest.mark.parametrize(
    "date",
    ["Mon, 99 Foo", "Mon, 1 Jan 20999 00:00:00 +0000", "Mon, 16 Nov 2026 10:00:00 +9999", "9" * 10_000,
     "Fri, 31 Dec 9999 23:59:59 -0500"],
)  # fmt: skip
def test_a_date_of_no_instant_is_told_apart_by_what_stands_there(date: str) -> None:
    raw = SENT.replace("Sun, 22 Nov 2026 11:00:00 +0100", date)
    assert identity(raw).date == date


@pytest.mark.parametrize(
    ("was", "forged"),
    [
        ("Zoe@Example.com", "eve@example.com"),
        ("Zoe@Example.com", "zoe@example.org"),
        ("11:00:00 +0100", "11:00:00 +0200"),
        ("Angebot", "Absage"),
        ("<1@example.com>", "<2@example.com>"),
    ],
)
def test_another_mail_is_another(was: str, forged: str) -> None:
    assert identity(SENT.replace(was, forged)) != identity(SENT)


@pytest.mark.parametrize("date", ["", "Date: Mon, 99 Foo\n", "Date: Sun, 22 Nov 2093 11:00:00 +0100\n"])
def test_the_time_of_receipt_is_no_part_of_it(date: str) -> None:
    raw = SENT.replace("Date: Sun, 22 Nov 2026 11:00:00 +0100\n", date)
    assert identity(raw) == identity(raw, second=7)


def test_who_cannot_be_read_is_told_apart_by_what_stands_there() -> None:
    unread = [SENT.replace("<Zoe@Example.com>", given) for given in ("<a@b@c>", "<a@b@d>")]
    assert identity(unread[0]) != identity(unread[1])
    assert identity(unread[0]) == identity(unread[0])
