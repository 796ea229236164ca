"""What goes into Salesforce for one message: with whom, with how much of it, and once; whatever else was said of it."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.parser import BytesHeaderParser
from email.utils import format_datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from organizations import policy
from organizations.models import Member
from providers.activities import Copy, Correspondent, EmailRecord, FoundPeople, FoundPerson, Keyed, Logged, PersonKind
from providers.errors import Detail, NotFound, PermissionMissing, ProviderError, Rejected, Transient
from providers.mail import Heading, MimeStream
from sync import batch, conversations, corrections, decisions, jobs, ledger, undoing, work
from sync.carrier import MailCarrier
from sync.models import Correction, CorrectionStep, Decision, Job, LedgerEntry, SyncedMailbox
from sync.retries import FILE_TRIES, TRIES
from tests.sync.boxes import INBOX, Box, Mail
from tests.sync.conftest import Office, Post
from vault import clients

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
JANE, TWO = "jane@customer.example", "two@customer.example"
SENT = datetime(2026, 11, 22, 9, 12, 41, tzinfo=UTC)
LONG_AGO = datetime.now(UTC) - timedelta(days=400)
_RAW = (
    "From: {sender}\r\nTo: Alice <alice@acme.example>, bob@acme.example\r\nSubject: {subject}\r\n"
    "Date: {date}\r\nMessage-ID: <{key}@customer.example>\r\n{more}"
    "Content-Type: text/plain; charset=utf-8\r\n\r\nThe text of it.\r\n"
)


@dataclass
class Letters(Box):
    """A mailbox of whole messages."""

    raw: dict[str, bytes] = field(default_factory=dict)
    threads: dict[str, str] = field(default_factory=dict)

    def post(
        self,
        key: str,
        sender: str = JANE,
        subject: str = "Offer",
        more: str = "",
        thread: str = "",
        sent_at: datetime = SENT,
    ) -> str:
        message_id, date = uuid4().hex[:16], format_datetime(sent_at)
        self.raw[message_id] = _RAW.format(sender=sender, subject=subject, key=key, more=more, date=date).encode()
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
    refused: dict[str, ProviderError] = field(default_factory=dict)  # by subject
    no_files: ProviderError | None = None  # why none can be attached
    owners: dict[str, str] = field(default_factory=dict)  # a contact's id -> whose it is
    copies: dict[str, tuple[Copy, ...]] = field(default_factory=dict)  # that another program has saved
    without_place: tuple[str, ...] = ()  # people whom it takes on no activity

    def people(self, addresses: Sequence[str], message_ids: Sequence[str] = ()) -> FoundPeople:
        self.calls["people"] += 1
        known = {
            JANE: (FoundPerson("003000000000001AAA", PersonKind.CONTACT, JANE),),
            TWO: tuple(
                FoundPerson(each, PersonKind.CONTACT, TWO, self.owners.get(each, ""))
                for each in (f"00300000000000{n}AAA" for n in (2, 3))
            ),
        }
        people = {each: known[each] for each in addresses if each in known}
        return FoundPeople(people, copies={each: found for each in message_ids if (found := self._copies_of(each))})

    def _copies_of(self, message_id: str) -> tuple[Copy, ...]:
        """Of ours, too, as where they bear no key."""
        ours = [
            Copy(JANE, each.subject, each.sent_at) for each in self.logged.values() if each.message_id == message_id
        ]
        return (*self.copies.get(message_id, ()), *ours)

    def log_emails(self, mails: Sequence[Keyed]) -> Sequence[Logged | ProviderError]:
        self.calls["log_emails"] += 1
        logged = [self._log(mail) for mail in mails]
        if self.lost:
            self.lost -= 1
            raise Transient("broke off", provider="salesforce", outcome_unknown=True, retry_after=0.0)
        return logged

    def _log(self, mail: Keyed) -> Logged | ProviderError:
        self.repeats.append(mail.is_repeat)
        if mail.record.subject in self.refused:
            return self.refused[mail.record.subject]
        was_there = mail.key in self.logged
        self.logged.setdefault(mail.key, mail.record)
        number = list(self.logged).index(mail.key)
        return Logged("EmailMessage", _record_id(number), was_there=was_there, left_out=self.without_place)

    def attach(self, *_: Any, **__: Any) -> None:
        self.calls["attach"] += 1
        if self.no_files:
            raise self.no_files

    def add_relations(self, logged: Logged, people: Sequence[Correspondent]) -> tuple[str, ...]:
        self.joined.append((logged.id, tuple(people)))
        return tuple(each.person_id for each in people if each.person_id in self.without_place)

    def make_own_tasks(self, logged: Logged, mail: Keyed, people: Sequence[str]) -> tuple[str, ...]:
        return tuple(people)


def _record_id(number: int) -> str:
    return f"02s{number:012d}AAA"


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
    assert crm.calls == {"people": 1, "log_emails": 1}
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
    assert len(crm.logged) == 3
    assert crm.calls["people"] <= 2


def test_only_headers_where_the_text_must_not_go(office: Office, box: Letters, crm: Crm) -> None:
    policy.set_organization_value("test", office.alice.member.organization_id, "email.sync.text", False)
    box.post("headers")
    office.alice.run()
    (record,) = crm.logged.values()
    assert (record.subject, record.text, record.html) == ("Offer", "", "")


WITH_FILE = (
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nThe text of it.\r\n"
    b"--b\r\nContent-Type: application/pdf; name=offer.pdf\r\nContent-Disposition: attachment\r\n\r\n%PDF\r\n--b--\r\n"
)


@pytest.fixture
def with_file(office: Office, box: Letters) -> str:
    """A mail with an attachment, where those go along."""
    policy.set_organization_value("test", office.alice.member.organization_id, "attach.enabled", True)
    message_id = box.post("file")
    box.raw[message_id] = box.raw[message_id].partition(b"Content-Type")[0] + WITH_FILE
    return message_id


def tried(post: Post, times: int) -> None:
    for _ in range(times):
        post.wait()
        post.pull()
        post.work()


@pytest.mark.parametrize("fault", [Transient("away", provider="salesforce"), Transient("away", provider="google")])
def test_a_file_that_never_arrives_keeps_no_mail_out(
    office: Office, box: Letters, crm: Crm, with_file: str, fault: Transient
) -> None:
    """It stops nobody else's mail, and is there without it at last."""
    crm.no_files = fault
    tried(office.alice, FILE_TRIES // 2)
    assert office.alice.again().parked_until is None
    other = box.post("other")
    office.alice.run()
    row = Decision.objects.get(message_id=with_file)
    assert (row.outcome, row.error_code, row.notes) == ("synced", "gave_up", {**row.notes, "files_missing": 1})
    assert LedgerEntry.objects.filter(salesforce_id=row.activity_id).exists()
    assert office.alice.decisions()[other] == "matched"
    assert crm.calls["attach"] == FILE_TRIES
    assert len(crm.logged) == 2


def test_a_file_that_arrives_at_last_is_no_failure(office: Office, crm: Crm, with_file: str) -> None:
    crm.no_files = Transient("away", provider="salesforce")
    tried(office.alice, 3)
    crm.no_files = None
    office.alice.run()
    row = Decision.objects.get(message_id=with_file)
    assert (row.rule, row.error_code) == ("matched", "")
    assert "files_missing" not in row.notes


def test_a_mail_that_waits_for_its_files_is_not_given_up_as_a_whole(office: Office, crm: Crm, with_file: str) -> None:
    """What fails on the way to them is counted for itself: all of it has worked before."""
    crm.no_files = Transient("away", provider="salesforce")
    tried(office.alice, TRIES - 1)
    crm.lost = 1
    tried(office.alice, 1)
    crm.no_files = None
    tried(office.alice, 1)
    row = Decision.objects.get(message_id=with_file)
    assert (row.rule, row.error_code, len(crm.logged)) == ("matched", "", 1)
    assert list(Job.objects.values_list("state", "tries", "file_tries")) == [("done", 0, 0)]


def test_a_file_waits_where_no_file_could_go(office: Office, crm: Crm, with_file: str) -> None:
    crm.no_files = PermissionMissing("off", provider="salesforce", code="api_disabled")
    tried(office.alice, 2)
    assert office.alice.again().parked_for == "api_disabled"
    assert not Decision.objects.exists()
    crm.no_files = None
    office.alice.run()
    row = Decision.objects.get(message_id=with_file)
    assert (row.rule, row.error_code) == ("matched", "")


def test_what_is_there_with_its_files_is_asked_about_no_more(
    office: Office, box: Letters, crm: Crm, with_file: str
) -> None:
    bobs_too(office, box, with_file)
    office.alice.run()
    office.bob.run()
    assert Decision.objects.get(mailbox=office.bob.mailbox).rule == "colleague_was_first"
    assert (crm.calls["attach"], LedgerEntry.objects.get().files) == (1, "all")


def bobs_too(office: Office, box: Letters, message_id: str) -> None:
    other = moved_in(office, office.bob)
    other.raw[other.post("file")] = box.raw[message_id]


@pytest.mark.parametrize("fault", [Transient("away", provider="salesforce"), Rejected("no", provider="salesforce")])
def test_a_file_that_a_colleagues_copy_cannot_bring_is_told(
    office: Office, box: Letters, crm: Crm, with_file: str, fault: ProviderError
) -> None:
    """And may still be brought by the next one; nobody waits for him any more."""
    bobs_too(office, box, with_file)
    policy.set_member_value(office.alice.member, "attach.enabled", False)
    office.alice.run()
    crm.no_files = fault
    tried(office.bob, FILE_TRIES + 1)
    row = Decision.objects.get(mailbox=office.bob.mailbox)
    assert (row.rule, row.notes["files_missing"], bool(row.error_code)) == ("colleague_was_first", 1, True)
    entry = LedgerEntry.objects.get()
    assert (entry.files, entry.claimed_by, len(entry.stands_for)) == ("some", None, 2)


def test_one_brings_files_at_a_time(office: Office, box: Letters, crm: Crm, with_file: str) -> None:
    bobs_too(office, box, with_file)
    policy.set_member_value(office.alice.member, "attach.enabled", False)
    office.alice.run()
    entry, carols = LedgerEntry.objects.get(), uuid4()
    ledger.hold(ledger.Entry(entry.pk, entry.key, is_mine=False), carols)
    office.bob.pull()
    office.bob.work()
    assert (crm.calls["attach"], office.bob.decisions()) == (0, {})
    ledger.release(carols)
    office.bob.run()
    assert (crm.calls["attach"], list(office.bob.decisions().values())) == (1, ["colleague_was_first"])


def test_what_comes_in_the_second_of_switching_on_is_no_older_mail(office: Office, box: Letters, crm: Crm) -> None:
    message_id = box.post("first second")
    began = datetime.now(UTC)
    SyncedMailbox.objects.update(starts_at=began.replace(microsecond=900_000))
    box.mails[message_id].arrived_at = began.replace(microsecond=0)
    office.alice.run()
    assert office.alice.decisions() == {message_id: "matched"}


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
    assert (row.rule, sorted(row.asked_ids)) == ("several_people", ["003000000000002AAA", "003000000000003AAA"])
    assert not crm.logged
    conversations.choose(office.alice.member, row.pk, "003000000000003AAA")
    office.alice.run()
    assert office.alice.decisions() == {message_id: "matched"}
    assert Decision.objects.get().record_ids == ["003000000000003AAA"]


@pytest.mark.parametrize(("more", "rule"), [("", "several_people"), (f"Cc: {JANE}\r\n", "matched")])
def test_why_one_of_two_is_likelier_stands_with_the_question(
    office: Office, box: Letters, crm: Crm, more: str, rule: str
) -> None:
    """By ids and codes alone. Once it is answered nothing of it stays."""
    first, second = "003000000000002AAA", "003000000000003AAA"
    crm.owners[second] = office.alice.member.salesforce_user_id
    box.post("which", sender=TWO, more=more)
    office.alice.run()
    row = Decision.objects.get()
    assert (row.rule, row.asked_ids, row.asked_why) == (rule, [second, first], {second: ["yours"]})
    conversations.choose(office.alice.member, row.pk, first)
    office.alice.run()
    row.refresh_from_db()
    assert (row.rule, row.asked_ids, row.asked_why) == ("matched", [], {})


def test_a_question_beside_somebody_who_is_known_is_asked_all_the_same(office: Office, box: Letters, crm: Crm) -> None:
    box.post("both", more=f"Cc: {TWO}\r\n")
    office.alice.run()
    row = Decision.objects.get()
    assert (row.rule, row.record_ids) == ("matched", ["003000000000001AAA"])
    assert sorted(row.asked_ids) == ["003000000000002AAA", "003000000000003AAA"]
    assert "Addresses that several people in Salesforce have: 1." in decisions.notes_of(row)
    conversations.choose(office.alice.member, row.pk, "003000000000002AAA")
    office.alice.run()
    row.refresh_from_db()
    assert (row.rule, row.asked_ids) == ("matched", [])
    assert row.record_ids == ["003000000000001AAA", "003000000000002AAA"]
    assert len(crm.logged) == 1
    (joined,) = crm.joined
    assert joined[0] == row.activity_id
    assert {each.person_id for each in joined[1]} >= {"003000000000002AAA"}


def test_for_whom_salesforce_has_no_place_is_told(office: Office, box: Letters, crm: Crm) -> None:
    """Whether it is written first or joined."""
    jane, second = "003000000000001AAA", "003000000000002AAA"
    crm.without_place = (second, "005000000000001AAA")
    letters = [(office.alice, box), (office.bob, moved_in(office, office.bob))]
    for each, its in letters:
        its.post("both", more=f"Cc: {TWO}\r\n", thread="t-both")
        with transaction.atomic():
            conversations.pin(each.mailbox.pk, "t-both", [second], instead_of=[])
    for each, _ in letters:
        each.run()
        row = Decision.objects.get(mailbox=each.mailbox)
        assert (row.outcome, row.record_ids, row.notes["no_place"]) == ("synced", [jane], 1)
        assert "People for whom Salesforce has no place on the activity: 1." in decisions.notes_of(row)
    assert len(crm.joined) == 1


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


def test_a_colleagues_copy_brings_nobody_back_who_was_taken_off(office: Office, box: Letters, crm: Crm) -> None:
    """Somebody has said meanwhile that it is another person's mail."""
    other = moved_in(office, office.bob)
    for each in (box, other):
        each.post("both")
    office.alice.run()
    (entry,) = LedgerEntry.objects.all()
    wrong, right = Decision.objects.get().record_ids, ["003000000000002AAA"]
    begun = Correction.objects.create(organization=entry.organization, kind="relink", scope="mail", person_ids=right)
    CorrectionStep.objects.create(
        correction=begun, entry=entry, action="move", former_ids=wrong, result="moved", ended_at=Now()
    )
    office.bob.run()
    ((_, joined),) = crm.joined
    assert {each.address for each in joined} >= {JANE}
    assert not any(each.person_id for each in joined)


def test_a_second_look_at_ones_own_says_the_same(office: Office, box: Letters, crm: Crm) -> None:
    message_id = box.post("twice")
    office.alice.run()
    decisions.try_again(office.alice.member, [Decision.objects.get().pk])
    office.alice.run()
    assert office.alice.decisions() == {message_id: "matched"}
    assert (crm.calls["log_emails"], crm.joined) == (1, [])


def test_a_forged_message_id_keeps_no_other_mail_out(office: Office, box: Letters, crm: Crm) -> None:
    box.post("same", subject="Forged")
    office.alice.run()
    box.post("same", subject="The real one")
    office.alice.run()
    assert {record.subject for record in crm.logged.values()} == {"Forged", "The real one"}


def test_what_another_program_has_saved_is_not_saved_again(office: Office, box: Letters, crm: Crm) -> None:
    """F7: a second tool. Colleagues' copies neither, and a forged id keeps nothing out; nobody reads the text."""
    crm.copies["<theirs@customer.example>"] = (Copy("Jane@Customer.example", "OFFER", timezone.now()),)
    theirs = box.post("theirs")
    bobs = moved_in(office, office.bob).post("theirs")
    office.alice.run()
    office.bob.run()
    assert office.alice.decisions() | office.bob.decisions() == {theirs: "saved_elsewhere", bobs: "saved_elsewhere"}
    assert not crm.logged
    row = Decision.objects.get(message_id=theirs)
    assert (row.outcome, row.activity_id, row.record_ids) == ("synced", "", [])
    assert not LedgerEntry.objects.exists()  # so nothing undoes it
    crm.copies.clear()  # deleted there
    decisions.try_again(office.alice.member, [row.pk])
    office.alice.run()
    assert office.alice.decisions() == {theirs: "matched"}


@pytest.mark.parametrize("changed", [{"sender": "x@else.example"}, {"subject": "Another"}, {"sent_at": LONG_AGO}])
def test_what_only_shares_an_id_keeps_no_mail_out(
    office: Office, box: Letters, crm: Crm, changed: dict[str, Any]
) -> None:
    copy = replace(Copy(JANE, "Offer", timezone.now()), **changed)
    crm.copies["<same@customer.example>"] = (copy,)
    message_id = box.post("same")
    office.alice.run()
    assert office.alice.decisions() == {message_id: "matched"}


@pytest.mark.parametrize("kept", ["sent", "received"])
def test_another_program_may_keep_either_time_of_a_mail_that_was_long_on_its_way(
    office: Office, box: Letters, crm: Crm, kept: str
) -> None:
    sent_at = timezone.now() - timedelta(days=3)
    message_id = box.post("late", sent_at=sent_at)
    times = {"sent": sent_at, "received": box.mails[message_id].arrived_at}
    crm.copies["<late@customer.example>"] = (Copy(JANE, "Offer", times[kept]),)
    office.alice.run()
    assert office.alice.decisions() == {message_id: "saved_elsewhere"}


@pytest.mark.parametrize("is_seen", [True, False])
def test_what_we_have_saved_stays_ours_whoever_saves_it_too(
    office: Office, box: Letters, crm: Crm, *, is_seen: bool
) -> None:
    """`is_seen`: whether the first writer's activity can be seen."""
    message_id = box.post("both")
    office.alice.run()
    (record,) = LedgerEntry.objects.values_list("salesforce_id", flat=True)
    if not is_seen:
        LedgerEntry.objects.update(salesforce_id="unseen")
    crm.copies["<both@customer.example>"] = (Copy(JANE, "Offer", timezone.now()),)
    row = Decision.objects.get()
    decisions.try_again(office.alice.member, [row.pk])
    moved_in(office, office.bob).post("both")
    office.alice.run()
    office.bob.run()
    assert office.alice.decisions() == {message_id: "matched"}
    assert list(office.bob.decisions().values()) == ["colleague_was_first"]
    assert Decision.objects.get(pk=row.pk).activity_id == (record if is_seen else "")


def begun_to_undo(post: Post) -> Correction:
    """Of its only mail."""
    begun = undoing.undo_mail(post.member, Decision.objects.get(mailbox=post.mailbox).pk)
    assert begun is not None
    return begun


def end(correction: Correction, result: corrections.Result) -> None:
    step = corrections.claim(correction.pk)
    assert step is not None
    assert corrections.end(step, result)


def test_what_was_taken_back_is_not_written_again(office: Office, box: Letters, crm: Crm) -> None:
    message_id = box.post("undone")
    office.alice.run()
    row, correction = Decision.objects.get(), begun_to_undo(office.alice)

    def looked_again() -> dict[str, str]:
        decisions.try_again(office.alice.member, [row.pk])
        office.alice.run()
        return office.alice.decisions()

    assert looked_again() == {message_id: "matched"}  # until it is gone, which nobody knows yet
    assert Decision.objects.get().activity_id == row.activity_id
    end(correction, corrections.Result.DELETED)
    assert looked_again() == {message_id: "taken_back"}
    assert crm.calls["log_emails"] == 1


def test_what_cannot_be_taken_back_after_all_stays_known_to_be_there(office: Office, box: Letters, crm: Crm) -> None:
    message_id = box.post("changed")
    office.alice.run()
    correction = begun_to_undo(office.alice)
    decisions.try_again(office.alice.member, [Decision.objects.get().pk])
    office.alice.run()
    end(correction, corrections.Result.CHANGED)
    assert office.alice.decisions() == {message_id: "matched"}
    assert begun_to_undo(office.alice).pk != correction.pk


def test_taking_back_waits_for_files_that_a_colleague_brings(
    office: Office, box: Letters, crm: Crm, with_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which would come to its people else, since it is gone."""
    bobs_too(office, box, with_file)
    policy.set_member_value(office.alice.member, "attach.enabled", False)
    office.alice.run()
    begun, attach = list[Correction](), crm.attach

    def asked_for(*whatever: Any, **more: Any) -> None:
        begun.append(begun_to_undo(office.alice))
        assert corrections.claim(begun[0].pk) is None
        attach(*whatever, **more)

    monkeypatch.setattr(crm, "attach", asked_for)
    office.bob.run()
    assert corrections.claim(begun[0].pk) is not None


def test_a_mails_day_is_that_of_its_members_zone(office: Office, box: Letters, crm: Crm) -> None:
    """C24. Salesforce keeps of a task's time its day alone."""
    Member.objects.filter(pk=office.alice.member.pk).update(time_zone="America/Los_Angeles")
    box.post("early")  # 09:12 UTC
    office.alice.run()
    (record,) = crm.logged.values()
    assert str(record.sent_at) == "2026-11-22 01:12:41-08:00"


def test_replies_only_asks_what_was_saved_before(office: Office, box: Letters, crm: Crm) -> None:
    box.post("first")
    office.alice.run()
    policy.set_organization_value("test", office.alice.member.organization_id, "email.sync.replies_only", True)
    reply = box.post("reply", more="In-Reply-To: <first@customer.example>\r\n")
    other = box.post("other")
    office.alice.run()
    found = office.alice.decisions()
    assert (found[reply], found[other]) == ("matched", "not_a_reply")


def test_a_reply_that_is_looked_at_beside_what_it_answers_is_saved_after_it(
    office: Office, box: Letters, crm: Crm
) -> None:
    box.post("first", thread="t")
    office.alice.run()
    policy.set_organization_value("test", office.alice.member.organization_id, "email.sync.replies_only", True)
    earlier = box.post("earlier", thread="t")
    answer = box.post("answer", more="In-Reply-To: <first@customer.example>\r\n", thread="t")
    reply = box.post("reply", more="In-Reply-To: <answer@customer.example>\r\n", thread="t")
    for _ in range(3):
        office.alice.run()
    found = office.alice.decisions()
    assert (found[answer], found[reply], found[earlier]) == ("matched", "matched", "not_a_reply")
    assert crm.calls["people"] <= 4  # looked at once more, and not again and again


def test_many_are_written_together_and_a_refused_one_is_refused_alone(office: Office, box: Letters, crm: Crm) -> None:
    ids = [box.post(f"together-{number}", subject=f"Number {number}") for number in range(30)]
    crm.refused["Number 3"] = Rejected("no", provider="salesforce", details=(Detail("FIELD_CUSTOM_VALIDATION", ""),))
    office.alice.run()
    found = office.alice.decisions()
    assert Counter(found.values()) == {"matched": 29, "refused": 1}
    assert found[ids[3]] == "refused"
    assert len(crm.logged) == 29
    assert crm.calls["log_emails"] <= 3
    assert crm.calls["people"] <= 3


def test_the_same_mail_twice_in_one_mailbox_is_one_record(office: Office, box: Letters, crm: Crm) -> None:
    """Both are claimed in one batch: one of them waits for the other."""
    ids = [box.post("twin", thread="t-twin") for _ in range(2)]
    while office.alice.pull():
        pass
    office.alice.run()
    assert set(office.alice.decisions()) == set(ids)
    assert set(office.alice.decisions().values()) == {"matched"}
    assert len(crm.logged) == len(crm.repeats) == 1


def test_colleagues_copies_being_written_park_no_mailbox(office: Office, box: Letters, crm: Crm) -> None:
    other = moved_in(office, office.bob)
    for number in range(5):
        for each in (box, other):
            each.post(f"both-{number}")
    while office.alice.pull() or office.bob.pull():
        pass
    tasks = jobs.claim(office.alice.mailbox.pk)
    carrier = MailCarrier(office.alice.mailbox, box)
    carrier.look(tasks)
    assert [carrier.read(task) for task in tasks] == [None] * 5
    office.bob.work()
    row = office.bob.again()
    assert (row.parked_until, row.failures) == (None, 0)
    office.bob.run()
    assert len(crm.logged) == 5


def test_made_private_between_the_look_and_the_writing(
    office: Office, box: Letters, crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_id = box.post("late", thread="t-late")
    mime = box.mime

    def meanwhile(message_id: str, *, most: int) -> object:
        conversations.keep_private(office.alice.member, "google", "t-late", True)
        return mime(message_id, most=most)

    monkeypatch.setattr(box, "mime", meanwhile)
    office.alice.run()
    assert office.alice.decisions() == {message_id: "kept_private"}
    assert not crm.logged
    assert not LedgerEntry.objects.exclude(claimed_by=None).exists()


def test_whoever_takes_over_from_one_who_died_knows_that_it_may_be_there(
    office: Office, box: Letters, crm: Crm
) -> None:
    """A colleague's copy, whose own job was never tried."""
    other = moved_in(office, office.bob)
    for each in (box, other):
        each.post("both")
    crm.lost = 1
    while office.alice.pull():
        pass
    office.alice.work()
    office.bob.run()
    assert (len(crm.logged), crm.repeats) == (1, [False, True])


def test_what_is_deleted_before_it_is_read_is_gone_and_no_failure(
    office: Office, box: Letters, crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(message_id: str, *, most: int) -> object:
        raise NotFound("no such message", provider="google")

    monkeypatch.setattr(box, "mime", gone)
    one = box.post("deleted")
    office.alice.run()
    assert (office.alice.decisions(), len(crm.logged)) == ({one: "gone"}, 0)


def test_a_look_that_takes_longer_than_a_turn_keeps_nobody_from_being_read(
    office: Office, box: Letters, crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "SLICE", 0.05)
    look = box.headings

    def slow(message_ids: Sequence[str]) -> object:
        time.sleep(0.1)
        return look(message_ids)

    monkeypatch.setattr(box, "headings", slow)
    for number in range(5):
        box.post(f"slow-{number}")
    while office.alice.pull():
        pass
    office.alice.work()
    assert len(crm.logged) == 5


def test_one_turn_carries_no_more_than_it_may(
    office: Office, box: Letters, crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch is cut off after its seconds; what is left goes on at the next turn, and nothing twice."""
    monkeypatch.setattr(work, "SLICE", 1.0)
    monkeypatch.setattr(batch, "READING", 0.0)
    mime = box.mime

    def slow(message_id: str, *, most: int) -> object:
        time.sleep(0.3)
        return mime(message_id, most=most)

    monkeypatch.setattr(box, "mime", slow)
    for number in range(8):
        box.post(f"turn-{number}")
    while office.alice.pull():
        pass
    office.alice.work()
    assert 0 < len(crm.logged) < 8
    office.alice.run()
    assert (len(crm.logged), crm.repeats) == (8, [False] * 8)


@pytest.mark.parametrize("error", [Rejected("no", provider="salesforce", code="validation"), Transient("away")])
def test_a_dead_letter_is_known_again_by_its_time_and_its_counterparts_domain(
    office: Office, box: Letters, crm: Crm, error: ProviderError
) -> None:
    message_id = box.post("refused", thread="t-refused")
    crm.refused["Offer"] = error
    for _ in range(TRIES):
        office.alice.run()
        office.alice.wait()
    row = Decision.objects.get(message_id=message_id)
    assert (row.outcome, row.domain, row.thread_id) == ("failed", "customer.example", "t-refused")
    assert row.arrived_at == box.mails[message_id].arrived_at
