"""BI-E on the whole way of a message: broken and hostile ones get a decision each, and take no neighbour down."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from providers.activities import FileToAttach
from providers.errors import Rejected
from sync import decisions, ledger
from sync.attaching import Attaching
from sync.enclosures import Enclosed
from sync.ledger import Identity
from sync.letters import AttachmentPart
from sync.models import Decision
from tests.sync.conftest import Office
from tests.sync.mime.mails import MIXED, repeated
from tests.sync.test_carrier import JANE, Crm, Letters, box, crm

__all__ = ["box", "crm"]  # fixtures

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)

_HEAD = f"From: {JANE}\r\nTo: alice@acme.example\r\n".encode()
_KEY = b"Message-ID: <%d@customer.example>\r\n"
_PLAIN = b"Content-Type: text/plain; charset=utf-8\r\n\r\nThe text of it.\r\n"
_NESTED = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(60))


def _parts(number: int) -> bytes:
    return MIXED + b"\r\n" + b"".join(repeated(b"--outer\r\nContent-Type: a/b\r\n\r\nx\r\n", number))


HOSTILE: dict[str, bytes] = {
    "nested": _HEAD + b"Subject: deep\r\n" + _NESTED + b"\r\ninnermost",
    "parts": _HEAD + b"Subject: parts\r\n" + _parts(20_000),
    "headers": _HEAD + b"Subject: headers\r\n" + b"X-Any: thing\r\n" * 20_000 + _PLAIN,
    "words": _HEAD + b"Subject: " + b"=?utf-8?q?w=C3=B6rd?= " * 5_000 + b"\r\n" + _PLAIN,
    "lines": _HEAD + b"Subject: =?utf-8?q?hello=0D=0ABcc:_eve=40evil.example?=\r\n" + _PLAIN,
    "charset": _HEAD + b"Subject: charset\r\nContent-Type: text/plain; charset=us-ascii\x00\r\n\r\nhello",
    "unterminated": _HEAD + b"Subject: unterminated\r\n" + MIXED + b"\r\n--outer\r\n\r\nhello",
    "date": _HEAD + b"Date: Mon, 99 Foo\r\nSubject: date\r\n" + _PLAIN,
    "references": _HEAD + b"References: " + b" ".join(b"<%d@x>" % n for n in range(9_000)) + b"\r\n" + _PLAIN,
    "headers only": _HEAD + b"Subject: headers only\r\n",
    "nul": _HEAD + b"Subject: nul\r\n\r\nhel\x00lo\r",
    "html": _HEAD + b"Subject: html\r\nContent-Type: text/html\r\n\r\n<p>hello</p>" + b"<div>" * 100_000,
}


def arrived(box: Letters, raw: bytes) -> str:
    """Its id, after it came to lie in the mailbox."""
    message_id = box.post("any")
    box.raw[message_id] = raw
    return message_id


def decided(office: Office) -> dict[str, Decision]:
    return {row.message_id: row for row in Decision.objects.filter(mailbox=office.alice.mailbox)}


def test_each_has_its_decision_and_its_neighbours_are_saved(office: Office, box: Letters, crm: Crm) -> None:
    ids = {name: arrived(box, raw) for name, raw in HOSTILE.items()}
    sound = [box.post(f"sound-{number}") for number in range(4)]
    office.alice.run()
    found = decided(office)
    assert found.keys() == {*ids.values(), *sound}
    rules = {name: found[id_].rule for name, id_ in ids.items()}
    assert rules == dict.fromkeys(HOSTILE, "matched") | {"nested": "undecipherable"}
    assert found[ids["nested"]].values == {"code": "too_deep"}  # BI-E1
    assert {found[id_].rule for id_ in sound} == {"matched"}
    (unread,) = [each for each in decisions.shown(found.values()) if each.is_dead]
    assert unread.id == found[ids["nested"]].pk
    assert decisions.ignore(office.alice.member, [unread.id]) == 1
    subjects = {record.subject for record in crm.logged.values()}
    assert not any(set(subject) & set("\r\n\0") for subject in subjects)  # BI-E12
    assert "hello Bcc: eve@evil.example" in subjects
    recipients = {each.address for record in crm.logged.values() for each in record.correspondents}
    assert "eve@evil.example" not in recipients


def test_mails_without_a_message_id_of_their_own_are_told_apart(office: Office, box: Letters, crm: Crm) -> None:
    """BI-E4: each is written once, whatever stands there instead; told of again, not a second time."""
    instead = (b"", b"Message-ID: <>\r\n", _KEY % 1 + _KEY % 2, b"Message-ID: <" + b"a" * 100_000 + b"@b>\r\n")
    ids = [arrived(box, _HEAD + given + b"Subject: the same\r\n" + _PLAIN) for given in instead for _ in range(2)]
    office.alice.run()
    assert len(crm.logged) == len(ids) == 8
    for each in ids:
        box.tell(each)
    office.alice.run()
    assert len(crm.logged) == 8


def test_a_file_is_cut_off_by_what_comes_and_not_by_what_was_reckoned(office: Office) -> None:
    """BI-E16: it says a kilobyte, and never ends; no more than what is allowed is ever asked for."""
    line, asked = base64.b64encode(bytes(57)) + b"\r\n", [0]

    @contextmanager
    def opened() -> Iterator[Iterator[bytes]]:
        yield endless()

    def endless() -> Iterator[bytes]:
        yield _HEAD + MIXED + b"\r\n--outer\r\nContent-Type: application/zip; name=a.zip\r\n"
        yield b"Content-Transfer-Encoding: base64\r\n\r\n"
        while True:
            asked[0] += len(line) * 1_000
            yield line * 1_000

    def attach(_parents: Any, file: FileToAttach, _key: str, **_: Any) -> None:
        with file.open() as pieces:
            for _piece in pieces:
                pass

    activities: Any = SimpleNamespace(attach=attach)
    marks = ledger.marks_of(office.alice.member.organization_id)
    mail = Identity("<1@customer.example>", JANE, "", "", "m1")
    part = AttachmentPart("1", "a.zip", "application/zip", 1_000, False, "")
    going = Attaching(activities, ("003000000000001AAA",), mail, marks, opened, 1_000_000, False)
    assert going.all_of(Enclosed((part,), (), (), {}, {"1": "0 a.zip"})) == "too_large"
    assert asked[0] < 3_000_000


def test_one_that_is_too_large_is_nobodys_refusal(
    office: Office, box: Letters, crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.post("huge")

    @contextmanager
    def endless(*_: Any, **__: Any) -> Iterator[Iterator[bytes]]:
        def pieces() -> Iterator[bytes]:
            yield _HEAD
            raise Rejected("This is longer than what may be transferred.", provider="google", code="too_long")

        yield pieces()

    monkeypatch.setattr(box, "mime", endless)
    office.alice.run()
    (row,) = Decision.objects.all()
    assert (row.outcome, row.rule) == ("failed", "too_large")
    assert decisions.shown([row])[0].is_dead
