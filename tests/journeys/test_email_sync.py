"""An email's way from a mailbox at Google or Microsoft into Salesforce, by the whole product (C34, C60, C61)."""

import base64
import hashlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import requests
from celery import Celery
from psycopg.rows import dict_row

from tests.journeys.people import HEARD, AddIn, Salesforce, sign_in_anew
from tests.journeys.test_connecting import Accounts, connect, disconnect, switch
from tests.running import Stack
from tests.simulators.running import Running

PEOPLE = {"google": "bob", "microsoft": "erin"}
#: A contact that no other journey looks at: what is logged shows on cards, which may be five minutes old elsewhere.
NGOZI, NOBODY = "ngozi.okafor@savannah-foods.example", "somebody@unheard-of.example"
CANARY = "canary-7b1e44"
#: A folder that is not followed: what lies there goes only where somebody asks for it.
ARCHIVE = "archive"
_tokens: dict[str, str] = {}
PLANS = bytes(range(256)) * 4_000
_RAW = (
    "From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\nDate: Sun, 22 Nov 2026 09:12:41 +0000\r\n"
    "Message-ID: <{id}@northwind.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    "Hello, {canary}\r\n"
)


class Mailbox:
    """Somebody's mailbox at a simulated provider, and what the product makes of it."""

    def __init__(self, stack: Stack, provider: str) -> None:
        self.stack, self.user = stack, PEOPLE[provider]
        self.accounts = Accounts(stack, provider)
        self.person = sign_in_anew(stack, "acme", self.user)

    def begin(self) -> None:
        switch(self.person, "email.sync.enabled", True)
        connect(self.person, self.accounts.name, self.user)

    def follow(self) -> None:
        """Begun, and its changes are read from now on."""
        self.begin()
        self.enqueue("follow_settings")
        until(lambda: self.rows("SELECT 1 FROM sync_syncedmailbox WHERE is_on"))
        self.look()
        until(self.is_followed)

    def end(self) -> None:
        switch(self.person, "email.sync.enabled", False)
        disconnect(self.person, self.accounts.name)

    def deliver(self, key: str, sender: str = NGOZI, subject: str = "Spring offer", to: str = "") -> str:
        to = to or f"{self.user}@acme.example"
        return self.deliver_raw(
            _RAW.format(id=key, sender=sender, to=to, subject=f"{subject} {CANARY}", canary=CANARY).encode()
        )

    def deliver_raw(self, raw: bytes, folder: str = "inbox") -> str:
        body = {"messages": [{"raw": base64.b64encode(raw).decode(), "folder": folder}]}
        url = f"{self.accounts.url}/_sim/mail/{self.user}/deliver"
        answer = self.accounts.session.post(url, json=body, timeout=30)
        assert answer.status_code < 300, answer.text
        return str(answer.json()["ids"][0])

    def look(self) -> None:
        """As a provider's notice would have it: nobody waits five minutes for a test."""
        for row in self.rows("SELECT id FROM sync_syncedmailbox WHERE is_on"):
            self.enqueue("poll", str(row["id"]))

    def enqueue(self, task: str, *ids: str) -> None:
        with Celery(broker=self.stack.facts["redis_url"]) as queue:
            queue.send_task(f"sync.tasks.{task}", list(ids))

    def rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        url = self.stack.facts["database_url"]
        with psycopg.connect(url, autocommit=True, row_factory=dict_row) as database:
            cursor = database.execute(statement, values)
            return list(cursor.fetchall()) if cursor.description else []

    def is_followed(self) -> bool:
        """Whether changes are read from now on."""
        found = self.rows(
            "SELECT m.polled_at FROM sync_syncedmailbox m JOIN vault_connection c ON c.id = m.connection_id"
            " WHERE c.provider = %s AND m.is_on AND m.polled_at IS NOT NULL",
            self.accounts.name,
        )
        return bool(found)

    def decision(self, message_id: str) -> dict[str, Any] | None:
        query = {"message_id": message_id}
        found = self.person.call("GET", "sync/decisions/", params=query, fresh=True).json()["decisions"]
        return dict(found[0]) if found else None

    def decided(self, message_id: str) -> dict[str, Any]:
        return dict(until(lambda: self.decision(message_id)))


def until(found: Callable[[], Any], seconds: float = 100) -> Any:
    """A message of the queue that is lost is made up for within 30 s."""
    began = time.monotonic()
    while not (answer := found()):
        assert time.monotonic() - began < seconds, "it did not happen"
        time.sleep(0.5)
    return answer


@pytest.fixture(scope="module")
def mailboxes(stack: Stack) -> Iterator[list[Mailbox]]:
    """One at each provider, both followed."""
    made = [Mailbox(stack, provider) for provider in PEOPLE]
    for each in made:
        each.begin()
    made[0].enqueue("follow_settings")
    until(lambda: len(made[0].rows("SELECT 1 FROM sync_syncedmailbox WHERE is_on")) >= len(made))
    made[0].look()
    until(lambda: all(each.is_followed() for each in made))
    yield made
    for each in made:
        each.end()


def activities(acme: Salesforce, subject: str) -> list[dict[str, Any]]:
    found = acme.session.get(f"{acme.url}/_sim/state", params={"object": "EmailMessage"}, timeout=30).json()
    return [each for each in found["records"]["EmailMessage"] if subject in str(each.get("Subject"))]


def files(acme: Salesforce, key: str) -> list[dict[str, Any]]:
    found = acme.session.get(f"{acme.url}/_sim/state", params={"object": "ContentVersion"}, timeout=30).json()
    return [each for each in found["records"]["ContentVersion"] if key in str(each.get("PathOnClient"))]


def test_each_mail_gets_there_once_or_has_its_reason(mailboxes: list[Mailbox], acme: Salesforce) -> None:
    """From Ngozi, whom Salesforce knows; from somebody it does not; a code for signing in."""
    sent = []
    for each in mailboxes:
        name = each.accounts.name
        sent.append((each, "matched", each.deliver(f"known-{name}", subject=f"Spring offer {name}")))
        sent.append((each, "nobody_found", each.deliver(f"unknown-{name}", sender=NOBODY)))
        sent.append((each, "sign_in_code", each.deliver(f"code-{name}", subject="Your verification code 123456")))
        each.look()
    for each, rule, message_id in sent:
        decision = each.decided(message_id)
        assert decision["rule"] == rule, decision
        assert CANARY not in str(decision)
    for each in mailboxes:
        (activity,) = activities(acme, f"Spring offer {each.accounts.name}")
        assert activity["Incoming"] is True
        assert CANARY in activity["TextBody"]
    assert not activities(acme, "verification code")


def test_a_mail_to_two_colleagues_is_one_activity(mailboxes: list[Mailbox], acme: Salesforce) -> None:
    both = ", ".join(f"{each.user}@acme.example" for each in mailboxes)
    ids = [each.deliver("shared-1", subject="For both of you", to=both) for each in mailboxes]
    mailboxes[0].look()
    decisions = [each.decided(message_id) for each, message_id in zip(mailboxes, ids, strict=True)]
    assert sorted(each["rule"] for each in decisions) == ["colleague_was_first", "matched"]
    (activity,) = activities(acme, "For both of you")
    assert {each["activity_id"] for each in decisions} == {activity["Id"]}


def test_a_mail_that_does_not_know_its_zone_is_one_activity_too(mailboxes: list[Mailbox], acme: Salesforce) -> None:
    """Google has its Date as it was sent, Microsoft writes the instant anew."""
    both, subject = ", ".join(f"{each.user}@acme.example" for each in mailboxes), "From nowhere in particular"
    raw = _RAW.format(id="zone-1", sender=NGOZI, to=both, subject=subject, canary=CANARY).replace("+0000", "-0000")
    ids = [each.deliver_raw(raw.encode()) for each in mailboxes]
    mailboxes[0].look()
    decisions = [each.decided(message_id) for each, message_id in zip(mailboxes, ids, strict=True)]
    assert sorted(each["rule"] for each in decisions) == ["colleague_was_first", "matched"]
    assert len(activities(acme, subject)) == 1


def filed_by_another_program(stack: Stack, key: str, subject: str) -> None:
    if stack.public_url not in _tokens:  # the sixth sign-in of one person would end the first
        _tokens[stack.public_url] = Running(stack.facts).tokens("erin")["access_token"]
    values = {"MessageIdentifier": f"<{key}@northwind.example>", "FromAddress": NGOZI, "Subject": subject}
    sent = {"Status": "1", "MessageDate": datetime.now(UTC).isoformat(timespec="seconds")}
    answer = Running(stack.facts).http.post(
        f"{stack.org('acme')['api_url']}/services/data/v62.0/sobjects/EmailMessage/",
        json={**values, **sent},
        headers={"Authorization": f"Bearer {_tokens[stack.public_url]}"},
        timeout=30,
    )
    assert answer.status_code == 201, answer.text


def test_what_another_program_has_saved_is_left_to_it(mailboxes: list[Mailbox], acme: Salesforce) -> None:
    """F7: a second tool beside us."""
    subject = f"From elsewhere {CANARY}"
    filed_by_another_program(mailboxes[0].stack, "elsewhere-1", subject)
    for each in mailboxes:
        message_id = each.deliver("elsewhere-1", subject="From elsewhere")
        each.look()
        decision = each.decided(message_id)
        assert (decision["rule"], decision["activity_id"], decision["record_ids"]) == ("saved_elsewhere", "", [])
    assert len(activities(acme, "From elsewhere")) == 1


def living(acme: Salesforce, subject: str) -> list[dict[str, Any]]:
    return [each for each in activities(acme, subject) if not each.get("IsDeleted")]


def test_a_mail_is_taken_back_and_put_back(mailboxes: list[Mailbox], acme: Salesforce) -> None:
    for each in mailboxes:
        taken_back_and_put_back(each, acme, f"Regretted {each.accounts.name}")


def taken_back_and_put_back(mailbox: Mailbox, acme: Salesforce, subject: str) -> None:
    person, message_id = mailbox.person, mailbox.deliver(f"regretted-{mailbox.accounts.name}", subject=subject)
    mailbox.look()
    decision = mailbox.decided(message_id)
    assert len(living(acme, subject)) == 1
    begun = person.call("POST", f"sync/decisions/{decision['id']}/undo/", json={}, fresh=True)
    assert begun.status_code == 202, begun.text
    whole = f"sync/corrections/{begun.json()['id']}/"
    ended = until(lambda: (told := person.call("GET", whole, fresh=True).json())["ended_at"] and told)
    assert [line["result"] for line in ended["lines"]] == ["deleted"], ended
    assert (living(acme, subject), mailbox.decided(message_id)["rule"]) == ([], "taken_back")
    assert person.call("POST", f"{whole}put-back/", json={}, fresh=True).status_code == 200
    until(lambda: mailbox.decided(message_id)["rule"] == "matched")
    assert len(living(acme, subject)) == 1


def log_now(person: AddIn, mailbox: Mailbox, message_id: str, key: str = "") -> requests.Response:
    body = {"provider": mailbox.accounts.name, "message_id": message_id}
    return person.call("POST", "sync/emails/", json=body, headers={"Idempotency-Key": key or str(uuid4())}, fresh=True)


def test_a_person_may_have_a_mail_saved_at_once(mailboxes: list[Mailbox], acme: Salesforce) -> None:
    """What a rule of his own left out goes along; a repeat, with the same key or another, is no second activity."""
    for each in mailboxes:
        name = each.accounts.name
        message_id = each.deliver(f"asked-{name}", subject=f"Your security code is 4711, {name}")
        answers = [log_now(each.person, each, message_id, key) for key in (f"k-{name}", f"k-{name}", "")]
        assert [answer.status_code for answer in answers] == [200, 200, 200], answers[0].text
        first, same, again = (answer.json() for answer in answers)
        assert first == same
        assert (first["saved"], first["rule"]) == (True, "asked_for")
        assert again == first
        (activity,) = activities(acme, f"Your security code is 4711, {name}")
        assert activity["Id"] == first["activity_id"]
        stranger = log_now(each.person, each, each.deliver(f"nobody-{name}", sender=NOBODY)).json()
        assert (stranger["saved"], stranger["rule"]) == (False, "nobody_found")


def with_files(key: str, to: str) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = NGOZI, to, f"Plans {key} {CANARY}"
    mail["Message-ID"], mail["Date"] = f"<{key}@northwind.example>", "Sun, 22 Nov 2026 09:12:41 +0000"
    mail.set_content("See https://drive.google.com/file/d/1AbCdEfGhIjK/view?usp=sharing and what is attached.")
    mail.add_attachment(PLANS, maintype="application", subtype="pdf", filename=f"Pläne {key}.pdf")
    return bytes(mail)


def test_attachments_go_along_where_they_are_switched_on(
    mailboxes: list[Mailbox], alice: AddIn, acme: Salesforce
) -> None:
    """C62, C63: off, they stay where they are; on, they arrive as they were sent. The cloud's file is never fetched."""
    for each in mailboxes:
        name = each.accounts.name
        off = each.deliver_raw(with_files(f"off-{name}", f"{each.user}@acme.example"), ARCHIVE)
        assert log_now(each.person, each, off).json()["saved"] is True
        assert not files(acme, f"off-{name}")
    on = {"values": {"attach.enabled": True}}
    assert alice.call("PATCH", "policy/?level=organization", json=on).status_code == 200
    time.sleep(HEARD)
    for each in mailboxes:
        name = each.accounts.name
        message_id = each.deliver_raw(with_files(f"on-{name}", f"{each.user}@acme.example"), ARCHIVE)
        saved = log_now(each.person, each, message_id).json()
        (file,) = files(acme, f"on-{name}")
        assert (file["ContentSize"], file["Checksum"]) == (len(PLANS), hashlib.md5(PLANS).hexdigest())  # noqa: S324
        (activity,) = activities(acme, f"Plans on-{name}")
        assert activity["Id"] == saved["activity_id"]
        assert "https://drive.google.com/file/d/1AbCdEfGhIjK/view" in activity["TextBody"]


def test_nobody_has_a_strangers_mail_saved(mailboxes: list[Mailbox], charlie: AddIn, acme: Salesforce) -> None:
    """Charlie has no mailbox connected; Bob's and Erin's are not each other's."""
    for each, other in zip(mailboxes, reversed(mailboxes), strict=True):
        message_id = each.deliver(f"theirs-{each.accounts.name}", subject="Theirs alone", sender=NOBODY)
        assert log_now(charlie, each, message_id).status_code == 409
        assert log_now(other.person, each, message_id).status_code == 409
        assert log_now(other.person, other, message_id).status_code == 404
    assert not activities(acme, "Theirs alone")


def test_nothing_of_a_mail_stays(mailboxes: list[Mailbox]) -> None:
    """C61: neither subject nor text in any column of ours; see prove_privacy for files and memory."""
    tables = mailboxes[0].rows("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'sync\\_%%'")
    assert len(tables) > 8
    for table in tables:
        query = f"SELECT count(*) AS n FROM {table['relname']} t WHERE t::text LIKE %s"  # noqa: S608  our own tables
        found = mailboxes[0].rows(query, f"%{CANARY}%")
        assert found[0]["n"] == 0, table


def test_strangers_see_none_of_it(mailboxes: list[Mailbox], alice: AddIn, charlie: AddIn) -> None:
    assert charlie.call("GET", "sync/decisions/?whose=everybody").json()["decisions"] == []
    assert len(alice.call("GET", "sync/decisions/?whose=everybody").json()["decisions"]) >= 8
    assert mailboxes[0].person.call("GET", "sync/decisions/?whose=everybody").status_code == 403
