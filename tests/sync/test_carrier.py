"""What goes into Salesforce for one message: with whom, with how much of it, and once; whatever else was said of it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from uuid import uuid4

import pytest
from django.db.models.functions import Now

from organizations import policy
from providers.activities import Correspondent, EmailRecord, FoundPeople, FoundPerson, Logged, PersonKind
from providers.errors import Transient
from providers.mail import Heading, MimeStream
from sync import conversations, decisions, work
from sync.carrier import MailCarrier
from sync.models import Decision, LedgerEntry
from tests.sync.boxes import INBOX, Box, Mail
from tests.sync.conftest import Office, Post
from vault import clients

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
JANE, TWO = "jane@customer.example", "two@customer.example"
_RAW = (
    "From: {sender}\r\nTo: Alice <alice@acme.example>, bob@acme.example\r\nSubject: {subject}\r\n"
    "Date: Sun, 22 Nov 2026 09:12:41 +0000\r\nMessage-ID: <{key}@customer.example>\r\n{more}"
    "Content-Type: text/plain; charset=utf-8\r\n\r\nThe text of it.\r\n"
)


@dataclass
class Letters(Box):
    """A mailbox of whole messages."""

    raw: dict[str, bytes] = field(default_factory=dict)
    threads: dict[str, str] = field(default_factory=dict)

    def post(self, key: str, sender: str = JANE, subject: str = "Offer", more: str = "", thread: str = "") -> str:
        message_id = uuid4().hex[:16]
        self.raw[message_id] = _RAW.format(sender=sender, subject=subject, key=key, more=more).encode()
        self.threads[message_id] = thread or f"t-{message_id}"
        self.mails[message_id] = Mail(message_id, datetime.now(UTC))
        self.tell(message_id)
        return message_id

    def headings(self, message_ids: Sequence[str]) -> Mapping[str, Heading | None]:
        return {each: self._whole(each) for each in message_ids}

    def _whole(self, message_id: str) -> Heading:
        found = BytesHeaderParser().parsebytes(self.raw[message_id])
        headers = tuple((name.lower(), str(value)) for name, value in found.items() if name != "Content-Type")
        at = self.mails[message_id].arrived_at
        return Heading(message_id, self.threads[message_id], (INBOX,), at, 500, False, headers)

    @contextmanager
    def mime(self, message_id: str, *, most: int) -> Iterator[MimeStream]:
        yield [self.raw[message_id]]


@dataclass
class Crm:
    """`providers.activities.Activities` as far as a carrier asks: one contact, and an address that two people have."""

    logged: dict[str, EmailRecord] = field(default_factory=dict)  # by key
    repeats: list[bool] = field(default_factory=list)
    joined: list[tuple[str, tuple[Correspondent, ...]]] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    lost: int = 0  # answers that will not come, although it is written

    def people(self, addresses: Sequence[str]) -> FoundPeople:
        self.calls["people"] += 1
        known = {
            JANE: (FoundPerson("003000000000001AAA", PersonKind.CONTACT, JANE),),
            TWO: tuple(FoundPerson(f"00300000000000{n}AAA", PersonKind.CONTACT, TWO) for n in (2, 3)),
        }
        return FoundPeople({each: known[each] for each in addresses if each in known})

    def log_email(self, record: EmailRecord, key: str, *, is_repeat: bool = False) -> Logged:
        self.calls["log_email"] += 1
        self.repeats.append(is_repeat)
        was_there = key in self.logged
        self.logged.setdefault(key, record)
        if self.lost:
            self.lost -= 1
            raise Transient("broke off", provider="salesforce", outcome_unknown=True, retry_after=0.0)
        return Logged("EmailMessage", f"02s{list(self.logged).index(key):012d}AAA", was_there=was_there)

    def add_relations(self, logged: Logged, people: Sequence[Correspondent]) -> tuple[str, ...]:
        self.joined.append((logged.id, tuple(people)))
        return ()


@pytest.fixture
def crm(monkeypatch: pytest.MonkeyPatch) -> Crm:
    built = Crm()
    monkeypatch.setattr(clients, "activities_for", lambda *_, **__: built)
    monkeypatch.setattr(clients, "salesforce_connection_of", lambda _: None)
    return built


@pytest.fixture
def box(office: Office, crm: Crm) -> Letters:
    return moved_in(office, office.alice)


def moved_in(office: Office, post: Post) -> Letters:
    letters = Letters()
    post.box = office.boxes[post.mailbox.pk] = letters
    post.desk = MailCarrier  # type: ignore[assignment]
    post.pull()
    return letters


def test_one_question_and_one_writing_for_a_mail(office: Office, box: Letters, crm: Crm) -> None:
    box.post("one")
    office.alice.run()
    assert crm.calls == {"people": 1, "log_email": 1}
    (record,) = crm.logged.values()
    assert (record.subject, record.text.strip(), record.is_incoming) == ("Offer", "The text of it.", True)
    assert {each.address: each.person_id for each in record.correspondents} == {
        JANE: "003000000000001AAA",
        "alice@acme.example": "",
        "bob@acme.example": "",
    }
    row = Decision.objects.get(mailbox=office.alice.mailbox)
    assert (row.rule, row.domain, row.record_ids) == ("matched", "customer.example", ["003000000000001AAA"])
    entry = LedgerEntry.objects.get()
    assert (entry.salesforce_id, entry.object_name) == (row.activity_id, "EmailMessage")


def test_many_are_asked_about_at_once(office: Office, box: Letters, crm: Crm) -> None:
    for number in range(15):
        box.post(f"many-{number}", sender=JANE if number % 5 == 0 else f"stranger{number}@x.example")
    office.alice.run()
    assert crm.calls["log_email"] == 3
    assert crm.calls["people"] <= 2


def test_only_headers_where_the_text_must_not_go(office: Office, box: Letters, crm: Crm) -> None:
    policy.set_organization_value("test", office.alice.member.organization_id, "email.sync.text", False)
    box.post("headers")
    office.alice.run()
    (record,) = crm.logged.values()
    assert (record.subject, record.text, record.html) == ("Offer", "", "")


def test_a_private_conversation_stays_out_until_it_is_none(office: Office, box: Letters, crm: Crm) -> None:
    conversations.keep_private(office.alice.member, "google", "t-private", True)
    message_id = box.post("secret", thread="t-private")
    office.alice.run()
    assert office.alice.decisions() == {message_id: "kept_private"}
    assert not crm.logged
    conversations.keep_private(office.alice.member, "google", "t-private", False)
    office.alice.run()
    assert office.alice.decisions() == {message_id: "matched"}


def test_of_two_people_the_one_who_was_chosen(office: Office, box: Letters, crm: Crm) -> None:
    message_id = box.post("which", sender=TWO)
    office.alice.run()
    row = Decision.objects.get()
    assert (row.rule, sorted(row.record_ids)) == ("several_people", ["003000000000002AAA", "003000000000003AAA"])
    assert not crm.logged
    conversations.choose(office.alice.member, row.pk, "003000000000003AAA")
    office.alice.run()
    assert office.alice.decisions() == {message_id: "matched"}
    assert Decision.objects.get().record_ids == ["003000000000003AAA"]


def test_a_lost_answer_writes_no_second_one(office: Office, box: Letters, crm: Crm) -> None:
    box.post("lost")
    crm.lost = 1
    office.alice.run()
    assert (len(crm.logged), crm.repeats) == (1, [False, True])
    assert Decision.objects.get().rule == "matched"


def test_a_colleagues_copy_joins(office: Office, box: Letters, crm: Crm) -> None:
    other = moved_in(office, office.bob)
    for each in (box, other):
        each.post("both")
    office.alice.run()
    office.bob.run()
    assert len(crm.logged) == 1
    (joined,) = crm.joined
    assert joined[0] == Decision.objects.get(mailbox=office.alice.mailbox).activity_id
    assert Decision.objects.get(mailbox=office.bob.mailbox).rule == "colleague_was_first"


def test_a_second_look_at_ones_own_says_the_same(office: Office, box: Letters, crm: Crm) -> None:
    message_id = box.post("twice")
    office.alice.run()
    decisions.try_again(office.alice.member, [Decision.objects.get().pk])
    office.alice.run()
    assert office.alice.decisions() == {message_id: "matched"}
    assert (crm.calls["log_email"], crm.joined) == (1, [])


def test_a_forged_message_id_keeps_no_other_mail_out(office: Office, box: Letters, crm: Crm) -> None:
    box.post("same", subject="Forged")
    office.alice.run()
    box.post("same", subject="The real one")
    office.alice.run()
    assert {record.subject for record in crm.logged.values()} == {"Forged", "The real one"}


def test_what_was_taken_back_is_not_written_again(office: Office, box: Letters, crm: Crm) -> None:
    message_id = box.post("undone")
    office.alice.run()
    LedgerEntry.objects.update(undone_at=Now())
    row = Decision.objects.get()
    decisions.try_again(office.alice.member, [row.pk])
    office.alice.run()
    assert office.alice.decisions() == {message_id: "taken_back"}
    assert crm.calls["log_email"] == 1


def test_replies_only_asks_what_was_saved_before(office: Office, box: Letters, crm: Crm) -> None:
    box.post("first")
    office.alice.run()
    policy.set_organization_value("test", office.alice.member.organization_id, "email.sync.replies_only", True)
    reply = box.post("reply", more="In-Reply-To: <first@customer.example>\r\n")
    other = box.post("other")
    office.alice.run()
    found = office.alice.decisions()
    assert (found[reply], found[other]) == ("matched", "not_a_reply")


def test_one_turn_carries_no_more_than_it_may(office: Office, box: Letters, crm: Crm) -> None:
    """A batch is cut off after its seconds; what is left goes on at the next turn, and nothing twice."""
    for number in range(8):
        box.post(f"turn-{number}")
    while office.alice.pull():
        pass
    work.work(office.alice.mailbox.pk, MailCarrier)
    office.alice.run()
    assert len(crm.logged) == crm.calls["log_email"] == 8
