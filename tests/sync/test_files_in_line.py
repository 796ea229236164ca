"""Files follow their mail: what is in Salesforce is known to be there before they come, and where no thread is free to
carry them they stand in line."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from django.db.models.functions import Now

from organizations import policy
from providers.errors import RateLimited
from providers.mail import Heading, MimeStream
from sync import batch, conversations, corrections, jobs, parking, retries, sweep, undoing, uploads
from sync.carrier import MailCarrier
from sync.models import Correction, Decision, Job, LedgerEntry
from sync.reasons import Outcome, Rule
from tests.sync.conftest import Office, Post
from tests.sync.test_carrier import WITH_FILE, Crm, Letters, bobs_too, box, crm, moved_in, with_file

__all__ = ["box", "crm", "with_file"]
pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
Headings = Callable[[Sequence[str]], Mapping[str, Heading | None]]
IN_LINE = {"state": "due", "tries": 0, "crashes": 0, "lease_by": None, "waits_for_hand": True}


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Iterator[AbstractContextManager[bool]]:
    """The only one, which somebody else holds until it is left."""
    monkeypatch.setattr(uploads, "_most", None)
    uploads.leave_one_free(2)
    held = uploads.hand()
    assert held.__enter__()
    yield held
    assert uploads.is_free()


def post_with_file(box: Letters, key: str) -> str:
    message_id = box.post(key)
    box.raw[message_id] = box.raw[message_id].partition(b"Content-Type")[0] + WITH_FILE
    return message_id


def pulled(post: Post) -> Post:
    while post.pull():
        pass
    return post


def in_line() -> list[str]:
    return list(Job.objects.filter(**IN_LINE).order_by("next_at").values_list("message_id", flat=True))


def notes_of(message_id: str, post: Post) -> dict[str, int]:
    row = Decision.objects.get(message_id=message_id, mailbox=post.mailbox)
    assert (row.outcome, bool(row.activity_id)) == ("synced", True)
    return dict(row.notes)


def carried_out(post: Post) -> bool:
    """One batch."""
    tasks, until = jobs.claim(post.mailbox.pk), time.monotonic() + 9.0
    return batch.carry_out(post.again(), tasks, lambda: MailCarrier(post.again(), post.box), until)


def test_files_of_many_mails_take_turns(
    office: Office, box: Letters, crm: Crm, with_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All mails are there at once, and nothing of them is written again."""
    ids = {with_file, post_with_file(box, "two"), post_with_file(box, "three")}
    monkeypatch.setattr(batch, "ATTACHING", 0.0)
    assert carried_out(pulled(office.alice))
    assert (crm.calls["log_emails"], crm.calls["attach"], len(in_line())) == (1, 1, 2)
    assert [notes_of(each, office.alice).get("files_missing", 0) for each in ids - {*in_line()}] == [0]
    assert [notes_of(each, office.alice)["files_missing"] for each in in_line()] == [1, 1]
    office.alice.run()
    assert (crm.calls["log_emails"], crm.calls["attach"], len(crm.logged)) == (1, 3, 3)
    assert not any("files_missing" in notes_of(each, office.alice) for each in ids)
    assert set(LedgerEntry.objects.values_list("files", "claimed_by")) == {("all", None)}


def test_without_a_hand_the_mail_is_there_and_read_no_more(
    office: Office, box: Letters, crm: Crm, with_file: str, hand: AbstractContextManager[bool]
) -> None:
    read, mime = list[str](), box.mime

    def counted(message_id: str, *, most: int) -> AbstractContextManager[MimeStream]:
        read.append(message_id)
        return mime(message_id, most=most)

    box.mime = counted  # type: ignore[method-assign,assignment]
    other = box.post("other")
    pulled(office.alice).work()
    assert (notes_of(with_file, office.alice)["files_missing"], in_line()) == (1, [with_file])
    assert "files_missing" not in notes_of(other, office.alice)
    entry = LedgerEntry.objects.get(files="none")
    assert (bool(entry.salesforce_id), entry.claimed_by, entry.stands_for) == (True, None, [office.alice.member.pk])
    for _ in range(3):
        assert office.alice.work() is False
    assert sweep.to_work_of(office.alice.mailbox.pk) == sweep.to_carry() == []
    assert (sorted(read), crm.calls["log_emails"]) == (sorted([with_file, other]), 1)
    hand.__exit__(None, None, None)
    assert sweep.to_carry() == [office.alice.mailbox.pk]
    office.alice.work()
    assert "files_missing" not in notes_of(with_file, office.alice)
    assert (crm.calls["log_emails"], crm.calls["attach"]) == (1, 1)
    assert not Job.objects.exclude(state="done", waits_for_hand=False).exists()


@pytest.mark.parametrize("what", ["private", "gone", "another folder", "files are switched off"])
def test_whatever_is_decided_meanwhile_the_mail_stays_known_to_be_there(
    office: Office, box: Letters, crm: Crm, with_file: str, hand: AbstractContextManager[bool], what: str
) -> None:
    """Else nobody could take it back."""
    alice = pulled(office.alice)
    alice.work()
    if what == "private":
        conversations.keep_private(alice.member, "google", box.threads[with_file], True)
    elif what == "files are switched off":
        policy.set_organization_value("test", alice.member.organization_id, "attach.enabled", False)
    else:
        looked = _gone if what == "gone" else partial(_elsewhere, box.headings)
        box.headings = looked  # type: ignore[method-assign]
    hand.__exit__(None, None, None)
    alice.run()
    assert notes_of(with_file, alice)
    assert (crm.calls["log_emails"], crm.calls["attach"]) == (1, 0)
    assert LedgerEntry.objects.get().salesforce_id == Decision.objects.get().activity_id


def _gone(message_ids: Sequence[str]) -> Mapping[str, Heading | None]:
    return dict.fromkeys(message_ids)


def _elsewhere(headings: Headings, message_ids: Sequence[str]) -> Mapping[str, Heading | None]:
    return {name: each and replace(each, folders=("elsewhere",)) for name, each in headings(message_ids).items()}


def test_what_is_taken_back_while_its_files_come_stays_so(
    office: Office, box: Letters, crm: Crm, with_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken_back(*_: Any, **__: Any) -> None:
        Decision.objects.update(outcome=Outcome.IGNORED, rule=Rule.TAKEN_BACK)
        LedgerEntry.objects.update(undone_at=Now(), stands_for=[])

    monkeypatch.setattr(crm, "attach", taken_back)
    office.alice.run()
    assert Decision.objects.get().rule == "taken_back"
    entry = LedgerEntry.objects.get()
    assert (entry.stands_for, entry.claimed_by) == ([], None)


def test_taking_it_back_waits_for_files_that_are_on_their_way(
    office: Office, box: Letters, crm: Crm, with_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which would come to its people else, since it is gone."""
    begun, attach = list[Correction](), crm.attach

    def asked_for(*whatever: Any, **more: Any) -> None:
        correction = undoing.undo_mail(office.alice.member, Decision.objects.get().pk)
        assert correction is not None
        assert corrections.claim(correction.pk) is None
        begun.append(correction)
        attach(*whatever, **more)

    monkeypatch.setattr(crm, "attach", asked_for)
    office.alice.run()
    assert corrections.to_go_on() == [begun[0].pk]
    step = corrections.claim(begun[0].pk)
    assert step is not None
    assert corrections.end(step, corrections.Result.DELETED)
    assert Decision.objects.get().rule == "taken_back"


def test_a_colleagues_copy_waits_for_no_files_and_brings_none_twice(
    office: Office, box: Letters, crm: Crm, with_file: str, hand: AbstractContextManager[bool]
) -> None:
    bobs_too(office, box, with_file)
    for each in (office.alice, office.bob):
        pulled(each).work()
    assert office.bob.decisions().popitem()[1] == "colleague_was_first"
    hand.__exit__(None, None, None)
    for each in (office.bob, office.alice):
        each.run()
    entry = LedgerEntry.objects.get()
    assert (len(crm.logged), crm.calls["attach"], entry.files, len(entry.stands_for)) == (1, 1, "all", 2)
    assert not any("files_missing" in row.notes for row in Decision.objects.all())


def test_whoever_waits_is_before_whoever_comes(
    office: Office, box: Letters, crm: Crm, with_file: str, hand: AbstractContextManager[bool]
) -> None:
    pulled(office.alice).work()
    hand.__exit__(None, None, None)
    bobs = post_with_file(moved_in(office, office.bob), "bobs")
    assert carried_out(pulled(office.bob))
    assert (crm.calls["attach"], in_line()) == (0, [with_file, bobs])
    in_turn = [sweep.to_carry() for _ in range(3)]  # each is on his way then
    assert in_turn == [[office.alice.mailbox.pk], [office.bob.mailbox.pk], []]
    for post in (office.alice, office.bob):
        post.work()
    assert (crm.calls["attach"], in_line(), sweep.to_carry()) == (2, [], [])


def test_whoever_may_not_be_worked_for_keeps_nobody_waiting(
    office: Office, box: Letters, crm: Crm, with_file: str, hand: AbstractContextManager[bool]
) -> None:
    pulled(office.alice).work()
    parking.park(office.alice.mailbox.pk, _slow())
    hand.__exit__(None, None, None)
    post_with_file(moved_in(office, office.bob), "bobs")
    assert carried_out(pulled(office.bob))
    assert (crm.calls["attach"], in_line(), sweep.to_carry()) == (1, [with_file], [])


def test_files_wait_where_another_stage_was_told_to_wait(
    office: Office, box: Letters, crm: Crm, with_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    post_with_file(box, "two")
    attach = crm.attach

    def parked(*whatever: Any, **more: Any) -> None:
        parking.park(office.alice.mailbox.pk, _slow())
        attach(*whatever, **more)

    monkeypatch.setattr(crm, "attach", parked)
    assert not carried_out(pulled(office.alice))
    assert (crm.calls["attach"], len(in_line()), len(office.alice.decisions())) == (1, 1, 2)


def _slow() -> retries.Ruling:
    return retries.rule(RateLimited("slow down", provider="google", retry_after=120.0), "google")


def test_a_worker_with_one_thread_carries_files_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_most", None)
    uploads.leave_one_free(1)
    for _ in range(2):
        with uploads.hand() as is_mine:
            assert is_mine
            assert not uploads.is_free()
