"""What a sender is told of a message over HTTP: from when on hits count, whose do not, and how fresh the answer is."""

from typing import Any

import pytest

from tests.hardening import doors
from tests.journeys.people import AddIn
from tests.journeys.test_tracking import ask, prepared, sent_a_while_ago, switched_on, within
from tests.running import Stack

JANE, JOE, BOB = "jane@northwind.example", "joe@northwind.example", "bob@acme.example"
LINK = "https://example.com/offer"


@pytest.fixture(scope="module")
def tracking(alice: AddIn) -> AddIn:
    return switched_on(alice)


class Mail:
    """A message of this person's, and what the mail client says of it."""

    def __init__(self, person: AddIn, *recipients: str, singly: bool = False) -> None:
        told = prepared(person, recipients=list(recipients or [JANE]), links=[LINK], singly=singly)
        self.person, self.id, self.copies = person, told["id"], told["copies"]
        self.path = f"tracking/messages/{self.id}/"

    def says(self, what: str, **body: Any) -> None:
        answer = self.person.call("POST", f"{self.path}{what}/", json=body)
        assert (answer.status_code, answer.content) == (204, b""), answer.text

    def sent(self, stack: Stack, header: str = "") -> "Mail":
        self.says("sent", message_id=header)
        sent_a_while_ago(stack, self.id)
        return self

    def opened(self, copy: int = 0) -> None:
        assert ask(self.copies[copy]["pixel"]).status_code == 200

    @property
    def shown(self) -> dict[str, Any]:
        return dict(self.person.call("GET", self.path).json())

    def signals(self) -> list[tuple[str, str]]:
        return [(each["signal"], each["how_sure"]) for each in self.shown["recipients"]]

    def verdicts(self) -> list[str]:
        return [each["verdict"] for each in self.shown["events"]]


def test_what_comes_before_sending_counts_for_nothing(tracking: AddIn, stack: Stack) -> None:
    """product.md F4: a draft, or the preview of what will go out."""
    mail = Mail(tracking)
    mail.opened()
    ask(mail.copies[0]["links"][0])
    within(10, lambda: len(mail.verdicts()) == 2)
    assert mail.verdicts() == ["self", "self"]
    assert mail.signals() == [("no_signal", "unclear")]
    mail.sent(stack)
    assert mail.signals() == [("no_signal", "unclear")]
    mail.opened()
    within(10, lambda: mail.signals() == [("opened", "likely")])


def test_the_senders_own_look_counts_for_nothing_before_or_after_he_says_so(tracking: AddIn, stack: Stack) -> None:
    """product.md F6, without a cookie."""
    mail = Mail(tracking).sent(stack)
    mail.opened()
    within(10, lambda: mail.signals() == [("opened", "likely")])
    mail.says("viewing")
    assert (mail.signals(), mail.verdicts()) == ([("no_signal", "unclear")], ["self"])
    mail.opened()
    within(10, lambda: len(mail.verdicts()) == 2)
    assert (mail.signals(), mail.verdicts()) == ([("no_signal", "unclear")], ["self", "self"])


def test_each_recipient_has_signals_of_his_own(tracking: AddIn, stack: Stack) -> None:
    mail = Mail(tracking, JANE, BOB, JOE, singly=True).sent(stack)
    mail.opened(1)
    within(10, lambda: ("opened", "likely") in mail.signals())
    shown = mail.shown["recipients"]
    assert [(each["who"], each["signal"], each["opens"]) for each in shown] == [
        (JANE, "no_signal", 0),
        (JOE, "opened", 1),
    ]
    assert [each["who"] for each in mail.shown["events"]] == [JOE]


def test_polling_costs_nothing_until_something_is_new(tracking: AddIn, stack: Stack) -> None:
    mail = Mail(tracking).sent(stack)

    def status(header: str) -> int:
        answer = tracking.call("GET", mail.path, headers={"If-None-Match": header})
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["ETag"] == etag or answer.status_code == 200
        assert (answer.content == b"") == (answer.status_code == 304)
        return answer.status_code

    etag = tracking.call("GET", mail.path).headers["ETag"]
    for header in (etag, f"W/{etag}", f'"other", W/{etag}', "*"):
        assert status(header) == 304, header
    for header in ("", '"other"', etag.strip('"'), "W/", '"'):
        assert status(header) == 200, header
    mail.opened()
    assert within(10, lambda: status(etag) == 200) < 10  # seconds; C50


@pytest.mark.parametrize("singly", [True, False])
def test_a_reply_proves_an_open(tracking: AddIn, stack: Stack, singly: bool) -> None:
    header = f"<reply-{singly}@acme.example>"
    mail = Mail(tracking, JANE, JOE, singly=singly).sent(stack, header)
    etag = tracking.call("GET", mail.path).headers["ETag"]
    for sender in (BOB, "mailer-daemon@northwind.example", "nobody", "", f"<{JANE}"):
        reply(tracking, header, sender, 400 if not sender else 204)
    reply(tracking, "<another@acme.example>", JANE)
    reply(tracking, "<>", JANE)
    assert {signal for signal, _ in mail.signals()} == {"no_signal"}
    reply(tracking, header.strip("<>"), '"Doe, Jane" <Jane+Sales@NORTHWIND.example>')
    assert mail.signals() == [("replied", "sure"), ("no_signal", "unclear")][: 1 + singly]
    first = mail.shown["recipients"][0]
    assert (first["replied_at"] is None, first["opens"], first["of_all"]) == (False, 0, not singly)
    assert tracking.call("GET", mail.path, headers={"If-None-Match": etag}).status_code == 200
    reply(tracking, header, JANE)
    assert mail.shown["recipients"][0] == first


def reply(person: AddIn, header: str, sender: str, status: int = 204) -> None:
    answer = person.call("POST", "tracking/replies/", json={"in_reply_to": header, "sender": sender})
    assert (answer.status_code, doors.fault(answer)) == (status, "")


def test_a_draft_has_no_reply(tracking: AddIn) -> None:
    """A message that was not sent has no Message-ID that a reply could name."""
    mail = Mail(tracking)
    reply(tracking, "", JANE, 400)
    reply(tracking, mail.id, JANE)
    assert mail.signals() == [("no_signal", "unclear")]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("messages/find/", {}),
        ("messages/find/", {"message_ids": "<a@b>"}),
        ("messages/find/", {"message_ids": [5]}),
        ("messages/find/", {"message_ids": ["<a@b>"] * 101}),
        ("messages/find/", {"message_ids": ["x" * 999]}),
        ("replies/", {"in_reply_to": "<a@b>"}),
        ("replies/", {"in_reply_to": 5, "sender": JANE}),
        ("replies/", {"in_reply_to": "<a@b>", "sender": [JANE]}),
        ("replies/", {"in_reply_to": "<a@b>", "sender": "x" * 1_001}),
        ("replies/", {"in_reply_to": "<a@b>", "sender": JANE, "body": "Dear"}),
        ("{id}/sent/", {"message_id": "x" * 999}),
        ("{id}/sent/", {"message_id": None}),
        ("{id}/sent/", {"sent_at": "2020-01-01T00:00:00Z"}),
    ],
)
def test_what_is_refused_says_what_to_mend(path: str, body: dict[str, Any], tracking: AddIn) -> None:
    url = f"tracking/{path}" if "{id}" not in path else Mail(tracking).path + path.partition("/")[2]
    answer = tracking.call("POST", url, json=body)
    assert (answer.status_code, doors.fault(answer)) == (400, "")
    assert all(each["field"] and each["message"] for each in answer.json()["errors"])


@pytest.mark.parametrize(
    ("after", "status"),
    [("yesterday", 400), ("5", 400), ("2026-13-01T00:00:00Z", 400), ("0001-01-01T00:00:00%2B23:59", 400), ("", 400),
     ("9999-12-31T23:59:59Z", 200), ("0001-01-01T00:00:00Z", 200), ("2026-01-01T00:00:00", 200)],
)  # fmt: skip
def test_news_since_a_time_that_is_none(after: str, status: int, tracking: AddIn) -> None:
    answer = tracking.call("GET", f"tracking/news/?after={after}")
    assert (answer.status_code, doors.fault(answer)) == (status, "")


def test_news_for_whoever_wants_them(tracking: AddIn) -> None:
    assert tracking.call("GET", "tracking/news/?since=x").status_code == 400
    assert tracking.call("PATCH", "policy/", json={"values": {"track.notify": "none"}}).status_code == 200
    try:
        assert tracking.call("GET", "tracking/news/").json()["items"] == []
    finally:
        assert tracking.call("PATCH", "policy/", json={"reset": ["track.notify"]}).status_code == 200
