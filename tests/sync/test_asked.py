"""What somebody wants saved now: once, whoever else is at the same mail, and with a true word on why it is there."""

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connections, transaction
from django.utils import timezone

from organizations import policy
from organizations.models import Member
from providers.activities import Copy, Keyed, Logged
from providers.errors import Detail, ProviderError, Rejected
from sidebar.models import IdempotencyKey
from sync import asked, conversations, corrected, decisions, holds, ledger, mailboxes, retention
from sync.asked import Saved, Whence
from sync.filing import identity_of
from sync.ledger import InOtherHands, Written
from sync.letters import Letter
from sync.mime import read
from sync.models import Decision, Job, LedgerEntry
from sync.why import why
from sync.writing import Writing
from tests.sync.conftest import Office, Post, connect
from tests.sync.test_api import client_of
from tests.sync.test_carrier import JANE, TWO, WITH_FILE, Crm, Letters, moved_in
from vault import clients

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


@pytest.fixture
def crm(monkeypatch: pytest.MonkeyPatch) -> Crm:
    return with_crm(monkeypatch, Crm())


def with_crm(monkeypatch: pytest.MonkeyPatch, crm: Crm) -> Crm:
    monkeypatch.setattr(clients, "activities_for", lambda *_, **__: crm)
    monkeypatch.setattr(clients, "salesforce_connection_of", lambda _: None)
    return crm


def letter() -> Letter:
    headers = f"From: {JANE}\r\nTo: alice@acme.example\r\nSubject: Offer\r\nMessage-ID: <one@customer.example>\r\n"
    return read([headers.encode(), b"\r\nYes.\r\n"], timezone.now())


def saved(member: Member, whence: Whence | None = None) -> Saved:
    return asked.log_letter_now(member, letter(), whence or Whence())


def test_of_no_synced_mailbox_it_is_nobodys_but_there(office: Office, crm: Crm) -> None:
    """Nobody knows who was first: perhaps the very person who asks again."""
    office.alice.mailbox.delete()
    first, second = saved(office.alice.member), saved(office.alice.member)
    assert (first.verdict.rule, second.verdict.rule) == ("asked_for", "saved_before")
    assert second.activity_id == first.activity_id
    assert "olleague" not in second.verdict.sentence
    assert saved(office.bob.member).verdict.rule == "saved_before"
    assert len(crm.logged) == 1


def test_what_another_program_has_saved_is_not_saved_by_hand_either(office: Office, crm: Crm) -> None:
    mail = letter()
    crm.copies[mail.message_id] = (Copy(JANE, "Offer", timezone.now()),)
    found = saved(office.alice.member)
    assert (found.verdict.rule, found.activity_id, found.person_ids) == ("saved_elsewhere", "", ())
    assert not crm.logged
    assert not LedgerEntry.objects.exists()


def test_ones_other_mailbox_is_no_colleagues(office: Office, crm: Crm) -> None:
    mailboxes.switch_on(connect(office.alice.member, "microsoft").pk)
    rules = [saved(office.alice.member, Whence(each)).verdict.rule for each in ("google", "microsoft")]
    assert rules == ["asked_for", "asked_for"]
    assert LedgerEntry.objects.get().stands_for == [office.alice.member.pk]
    assert saved(office.bob.member).verdict.rule == "colleague_was_first"
    assert LedgerEntry.objects.get().stands_for == [office.alice.member.pk, office.bob.member.pk]
    assert len(crm.logged) == 1


def by_id(post: Post, box: Letters, message_id: str, monkeypatch: pytest.MonkeyPatch, *chosen: str) -> Saved:
    """As the add-in does where it knows the message's own id."""
    connection = post.mailbox.connection
    monkeypatch.setattr(clients, "connection_of", lambda *_: connection)
    monkeypatch.setattr(clients, "mailbox_for", lambda *_: box)
    return asked.log_email_now(post.member, connection.provider, message_id, chosen=chosen)


@pytest.mark.parametrize("days", [0, 3])
def test_another_program_may_have_kept_when_a_mail_came_or_when_it_was_sent(
    office: Office, crm: Crm, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """When one came that is handed over, nobody knows: a weekly one with the same id is not taken for today's."""
    box, now = moved_in(office, office.alice), timezone.now()
    message_id = box.post("late", sent_at=now - timedelta(days=3))
    crm.copies["<late@customer.example>"] = (Copy(JANE, "Offer", now - timedelta(days=days)),)
    assert by_id(office.alice, box, message_id, monkeypatch).verdict.rule == "saved_elsewhere"
    handed_over = asked.log_letter_now(office.alice.member, read([box.raw[message_id]], now), Whence())
    assert handed_over.verdict.rule == ("saved_elsewhere" if days else "asked_for")


def test_why_it_is_there_is_known_afterwards(office: Office, crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sync, told of it later, finds it there and says the same; it is forgotten when its time comes."""
    box = moved_in(office, office.alice)
    message_id = box.post("asked", thread="t-asked")
    found = by_id(office.alice, box, message_id, monkeypatch)
    row = Decision.objects.get(mailbox=office.alice.mailbox)
    assert (row.message_id, row.thread_id, row.rule, row.domain) == (
        message_id,
        "t-asked",
        "asked_for",
        "customer.example",
    )
    assert (row.activity_id, tuple(row.record_ids)) == (found.activity_id, found.person_ids)
    known = why(office.alice.member, office.alice.mailbox.connection.provider, message_id)
    assert (known.standing, known.decision and known.decision.rule) == ("decided", "asked_for")
    office.alice.run()
    assert office.alice.decisions() == {message_id: "asked_for"}
    decisions.try_again(office.alice.member, [row.pk])
    office.alice.run()
    assert office.alice.decisions() == {message_id: "asked_for"}
    assert len(crm.logged) == 1
    Job.objects.update(created_at=timezone.now() - retention.KEPT - timedelta(days=1))
    retention.forget_old()
    assert not Decision.objects.exists()


def test_what_was_given_up_and_is_saved_by_hand_is_no_dead_letter(
    office: Office, crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = moved_in(office, office.alice)
    message_id = box.post("refused")
    crm.refused["Offer"] = Rejected("no", provider="salesforce", details=(Detail("FIELD_CUSTOM", ""),))
    office.alice.run()
    assert office.alice.decisions() == {message_id: "refused"}
    crm.refused.clear()
    by_id(office.alice, box, message_id, monkeypatch)
    assert office.alice.decisions() == {message_id: "asked_for"}
    assert not Job.objects.exclude(state="done").exists()


def test_no_rule_of_syncs_own_hides_that_it_is_there(office: Office, crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its job waits while somebody has it saved, and is looked at afterwards."""
    box = moved_in(office, office.alice)
    policy.set_organization_value("test", office.alice.member.organization_id, "email.sync.replies_only", True)
    message_id = box.post("asked")
    office.alice.pull()
    found = by_id(office.alice, box, message_id, monkeypatch)
    office.alice.run()
    row = Decision.objects.get()
    assert (row.rule, row.activity_id) == ("asked_for", found.activity_id)
    decisions.try_again(office.alice.member, [row.pk])
    office.alice.run()
    row.refresh_from_db()
    assert (row.rule, row.activity_id) == ("asked_for", found.activity_id)
    assert not Job.objects.exclude(state="done").exists()


def test_when_it_was_taken_back_stays_known(office: Office, crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    """By that moment putting it back finds it."""
    box = moved_in(office, office.alice)
    message_id = box.post("asked")
    found = by_id(office.alice, box, message_id, monkeypatch)
    at = timezone.now() - timedelta(hours=1)
    with transaction.atomic():
        LedgerEntry.objects.update(undone_at=at)
        corrected.taken_back(office.alice.member.organization_id, found.activity_id, at)
    assert by_id(office.alice, box, message_id, monkeypatch).verdict.rule == "taken_back"
    row = Decision.objects.get()
    assert (row.rule, row.decided_at) == ("taken_back", at)
    decisions.try_again(office.alice.member, [row.pk])
    office.alice.run()
    row.refresh_from_db()
    assert (row.rule, row.decided_at) == ("taken_back", at)


def test_with_whom_it_stands_by_somebodys_wish_stays_known(
    office: Office, crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever moves it on must know who is on it."""
    box = moved_in(office, office.alice)
    message_id = box.post("asked")
    found = by_id(office.alice, box, message_id, monkeypatch)
    right = ["003000000000009AAA"]
    with transaction.atomic():
        corrected.relinked(office.alice.member.organization_id, found.activity_id, found.person_ids, right)
    by_id(office.alice, box, message_id, monkeypatch)
    decisions.try_again(office.alice.member, [Decision.objects.get().pk])
    office.alice.run()
    row = Decision.objects.get()
    assert (row.rule, row.activity_id, row.record_ids) == ("relinked", found.activity_id, right)


def test_who_is_meant_in_its_conversation_is_not_asked_again(
    office: Office, crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = moved_in(office, office.alice)
    first, second = "003000000000002AAA", "003000000000003AAA"
    one, other = (box.post(key, sender=TWO, thread="t-two") for key in ("one", "other"))
    assert sorted(by_id(office.alice, box, one, monkeypatch).person_ids) == [first, second]
    with transaction.atomic():
        conversations.pin(office.alice.mailbox.pk, "t-two", [second], instead_of=[])
    assert by_id(office.alice, box, one, monkeypatch).person_ids == (second,)
    assert by_id(office.alice, box, other, monkeypatch, first).person_ids == (first,)


def test_why_one_of_two_is_likelier_is_told_in_words(office: Office, crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repeat is told the same. With somebody to save it with, the question stands in the decision."""
    box, path = moved_in(office, office.alice), "/api/v1/sync/emails/"
    first, second = "003000000000002AAA", "003000000000003AAA"
    crm.owners[second] = office.alice.member.salesforce_user_id
    one, other = box.post("one", sender=TWO), box.post("other", more=f"Cc: {TWO}\r\n")
    found = by_id(office.alice, box, one, monkeypatch)
    assert (found.person_ids, found.asked_why) == ((second, first), {second: ("yours",)})
    body = {"provider": office.alice.mailbox.connection.provider, "message_id": one}
    client, key = client_of(office.alice.member), {"Idempotency-Key": "k1"}
    told = [client.post(path, body, format="json", headers=key).json()["asked_why"] for _ in range(2)]
    assert told == [{second: ["You own this record."]}] * 2
    kept = IdempotencyKey.objects.get().answer
    assert (json.loads(kept["asked_why"]), TWO in str(kept)) == ({second: ["yours"]}, False)
    by_id(office.alice, box, other, monkeypatch)
    assert Decision.objects.get(message_id=other).asked_why == {second: ["yours"]}


def test_a_draft_is_not_saved_and_what_goes_out_is(office: Office, crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    """At Graph it keeps its id."""
    box = moved_in(office, office.alice)
    message_id = box.post("draft")
    sent, (heading,) = box.headings, box.headings([message_id]).values()
    assert heading is not None
    draft = replace(heading, is_draft=True)
    monkeypatch.setattr(box, "headings", lambda _: {message_id: draft})
    assert by_id(office.alice, box, message_id, monkeypatch).verdict.rule == "draft"
    assert not crm.logged
    monkeypatch.setattr(box, "headings", sent)
    office.alice.run()
    assert office.alice.decisions() == {message_id: "matched"}


def test_what_of_it_stayed_out_is_said(office: Office, crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    box = moved_in(office, office.alice)
    message_id = box.post("file")
    box.raw[message_id] = box.raw[message_id].partition(b"Content-Type")[0] + WITH_FILE
    assert by_id(office.alice, box, message_id, monkeypatch).notes == {"files_off": 1}
    assert Decision.objects.get().notes["files_off"] == 1
    raw = box.raw[message_id].replace(b"<file@", b"<another@")
    handed = asked.log_letter_now(office.alice.member, read([raw], timezone.now()), Whence())
    assert (handed.verdict.rule, handed.notes) == ("asked_for", {"files_off": 1})


def test_for_whom_salesforce_has_no_place_is_told(office: Office, crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    box = moved_in(office, office.alice)
    second = "003000000000002AAA"
    crm.without_place = (second,)
    message_id = box.post("both", more=f"Cc: {TWO}\r\n")
    for _ in range(2):  # joined the second time
        found = by_id(office.alice, box, message_id, monkeypatch, second)
        assert (found.person_ids, found.notes) == (("003000000000001AAA",), {"no_place": 1})
        row = Decision.objects.get()
        assert (row.record_ids, row.notes["no_place"]) == (["003000000000001AAA"], 1)


def claimed(member: Member) -> Written:
    """A worker is about to write the same mail."""
    mail, marks = identity_of(letter(), ""), Writing(member).marks
    key, mark = marks.key(mail, "Activity"), marks.of_message(mail)
    entry = ledger.claim(member.organization_id, None, key, "Activity", uuid4(), message_mark=mark)
    assert entry.is_mine
    return Written(entry.id, "02s000000000001AAA", "matched", "", "EmailMessage")


def test_what_salesforce_has_refused_to_one_another_saves_at_once(office: Office, crm: Crm) -> None:
    """It was certainly not written: nobody waits for whoever tried."""
    crm.refused[letter().subject] = Rejected("no", provider="salesforce", details=(Detail("FIELD_CUSTOM", ""),))
    with pytest.raises(Rejected):
        saved(office.alice.member)
    crm.refused.clear()
    assert saved(office.bob.member).verdict.rule == "asked_for"


def test_a_worker_at_the_same_mail_is_waited_for(office: Office, crm: Crm) -> None:
    written = claimed(office.alice.member)

    def settle() -> None:
        ledger.settle(written)
        connections.close_all()

    worker = threading.Timer(0.6, settle)
    worker.start()
    found = saved(office.alice.member)
    worker.join()
    assert (found.activity_id, found.verdict.outcome) == (written.salesforce_id, "synced")
    assert not crm.logged


def test_one_that_takes_long_is_not(office: Office, crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "PATIENCE", 0.3)
    claimed(office.alice.member)
    with pytest.raises(InOtherHands):
        saved(office.alice.member)
    assert not crm.logged


class Slow(Crm):
    """Takes its time; `prolonged`: whether the entry was held for longer meanwhile."""

    prolonged = False

    def log_emails(self, mails: Sequence[Keyed]) -> Sequence[Logged | ProviderError]:
        before = LedgerEntry.objects.get().claimed_until
        until = time.monotonic() + 10
        while not self.prolonged and time.monotonic() < until:
            time.sleep(0.05)
            self.prolonged = LedgerEntry.objects.get().claimed_until > before  # type: ignore[operator]
        return super().log_emails(mails)


def test_nobody_else_writes_it_however_long_it_takes(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holds, "BEAT", 0.05)
    crm = Slow()
    with_crm(monkeypatch, crm)
    saved(office.alice.member)
    assert crm.prolonged
