"""From a change to a decision: pages, replays, failures, waits. Every message is decided once, whatever comes."""

import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.db.models.functions import Now

from providers.errors import (
    Detail,
    NeedsReconnect,
    NotFound,
    PermissionMissing,
    RateLimited,
    Rejected,
    Transient,
)
from providers.mail import Heading
from sync import batch, conclusions, holds, intake, jobs, parking, pull, retries, standing, sweep
from sync.conclusions import Conclusion, Task
from sync.models import Decision, Job, LedgerEntry, Pause, Stream, SyncedMailbox
from sync.reasons import Rule, verdict
from tests.sync.boxes import INBOX, Clerk
from tests.sync.conftest import Office, Post
from vault import clients, clock, consent

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def test_what_moves_while_it_is_looked_at_is_looked_at_again(alice: Post) -> None:
    """A draft that is sent, a mail that comes out of junk: told of just while its former place decides."""
    alice.pull()
    (moving,) = alice.box.arrive(1)
    alice.box.mails[moving].folders = ("ELSEWHERE",)
    alice.pull()
    (task,) = jobs.claim(alice.mailbox.pk)
    alice.box.mails[moving].folders = (INBOX,)
    alice.box.tell(moving)
    alice.wait()
    Job.objects.filter(pk=task.id).update(lease_until=Now() + timedelta(minutes=1))
    alice.pull()
    conclusions.conclude([(task, Conclusion(verdict(Rule.OTHER_FOLDER)))])
    assert alice.decisions() == {moving: "other_folder"}
    alice.run()
    assert alice.decisions() == {moving: "matched"}


@pytest.mark.parametrize("place", range(4))
def test_a_look_that_ends_just_while_a_move_is_told_does_not_miss_it(alice: Post, place: int) -> None:
    """`place`: which of the statements on jobs it comes before."""
    alice.pull()
    (moving,) = alice.box.arrive(1)
    alice.box.mails[moving].folders = ("ELSEWHERE",)
    alice.pull()
    (task,) = jobs.claim(alice.mailbox.pk)
    alice.box.mails[moving].folders = (INBOX,)
    alice.box.tell(moving)
    other = threading.Thread(target=_concluded_elsewhere, args=(task,))
    seen = 0

    def between(execute: Any, sql: str, *about: Any) -> Any:
        nonlocal seen
        if sql.startswith('UPDATE "sync_job"') or (sql.startswith("SELECT") and 'FROM "sync_job"' in sql):
            if seen == place:
                other.start()
                other.join(0.5)
            seen += 1
        return execute(sql, *about)

    with connection.execute_wrapper(between):
        alice.pull()
    assert seen > place
    other.join()
    alice.run()
    assert alice.decisions() == {moving: "matched"}


def _concluded_elsewhere(task: Task) -> None:
    conclusions.conclude([(task, Conclusion(verdict(Rule.OTHER_FOLDER)))])
    connection.close()


def test_mail_in_a_folder_that_was_made_just_now_lies_in_a_known_one(alice: Post) -> None:
    """Folders are remembered for five minutes; what is told as one and is none is not asked about each time."""
    alice.run()
    alice.box.names = ("", "Made just now")
    for folder in ("Made just now", "STAR", "STAR"):
        (one,) = alice.box.arrive()
        alice.box.mails[one].folders = (folder,)
        alice.box.log.clear()
        Stream.objects.update(cursor="0")
        alice.box.tell(one)
        alice.pull()
        assert Job.objects.get(message_id=one).was_chosen == (folder != "STAR")
    assert alice.box.calls["folders"] == 3


def test_each_message_ends_with_one_decision_and_each_that_matches_with_one_record(alice: Post) -> None:
    alice.pull()
    matching, others = alice.box.arrive(7), alice.box.arrive(4, matches=False)
    alice.run()
    assert alice.decisions() == {**dict.fromkeys(matching, "matched"), **dict.fromkeys(others, "nobody_found")}
    assert len(alice.desk.records) == 7 == LedgerEntry.objects.exclude(salesforce_id="").count()
    assert alice.desk.writes == dict.fromkeys(matching, 1)


def test_a_page_that_is_told_again_makes_nothing_twice(alice: Post) -> None:
    alice.box.replays = 5
    alice.pull()
    ids = alice.box.arrive(9)
    for each in ids * 3:
        alice.box.tell(each)
    alice.run()
    assert sorted(alice.decisions()) == sorted(ids)
    assert set(alice.desk.writes.values()) == {1}
    alice.box.tell(ids[0])
    alice.run()
    assert alice.desk.writes[ids[0]] == 1


def test_jobs_and_cursor_are_stored_together_or_not_at_all(alice: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    alice.pull()
    before = alice.stream()
    alice.box.arrive(2)
    monkeypatch.setattr(intake, "take_in", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        alice.pull()
    assert (alice.stream().cursor, alice.stream().seq) == (before.cursor, before.seq)
    assert alice.again().polling_until is None


def test_whoever_read_from_an_overtaken_cursor_stores_nothing(alice: Post) -> None:
    alice.pull()
    alice.box.arrive(2)
    changes = alice.box.changes

    def overtaken(stream: str, cursor: str, *, most: int) -> object:
        Stream.objects.update(seq=50)
        return changes(stream, cursor, most=most)

    alice.box.changes = overtaken  # type: ignore[method-assign,assignment]
    assert alice.pull() is False
    assert (Job.objects.count(), alice.stream().seq) == (0, 50)


def test_a_message_that_is_moved_is_decided_anew_where_its_place_decided(alice: Post) -> None:
    alice.pull()
    one = alice.box.arrive()[0]
    alice.box.mails[one].folders = ("elsewhere",)
    alice.run()
    assert alice.decisions() == {one: "other_folder"}
    alice.box.mails[one].folders = ("INBOX",)
    alice.box.tell(one)
    alice.run()
    assert alice.decisions() == {one: "matched"}
    assert Job.objects.get().was_chosen


class WithFiles(Clerk):
    """Every mail of its has files."""

    def write(self, tasks: Sequence[Task]) -> Mapping[UUID, Conclusion | Exception]:
        return {}

    def attach(self, task: Task) -> Conclusion:
        return self._written(task, self.entries[task.id])

    def without_files(self, task: Task) -> Conclusion:
        raise AssertionError("all of them go")


def test_files_of_many_mails_take_turns(alice: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever's files have to wait is tried again without having failed."""
    monkeypatch.setattr(batch, "ATTACHING", 0.0)
    alice.pull()
    ids = alice.box.arrive(3)
    while alice.pull():
        pass
    tasks = jobs.claim(alice.mailbox.pk)
    assert batch.carry_out(alice.again(), tasks, lambda: WithFiles(alice.desk, alice.again()), time.monotonic() + 9.0)
    assert sorted(alice.desk.writes.values()) == [1]
    due = Job.objects.filter(state="due")
    assert list(due.values_list("tries", "crashes", "lease_by")) == [(0, 0, None)] * 2
    assert not LedgerEntry.objects.filter(salesforce_id="").exclude(claimed_by=None).exists()
    alice.run()
    assert alice.desk.writes == dict.fromkeys(ids, 1)


def test_files_wait_where_another_stage_was_told_to_wait(alice: Post) -> None:
    alice.pull()
    alice.box.arrive(3)
    while alice.pull():
        pass
    slow = retries.rule(RateLimited("slow down", provider="google", retry_after=120.0), "google")

    class ParkedMeanwhile(WithFiles):
        def attach(self, task: Task) -> Conclusion:
            parking.park(alice.mailbox.pk, slow)
            return super().attach(task)

    tasks = jobs.claim(alice.mailbox.pk)
    until = time.monotonic() + 9.0
    assert not batch.carry_out(alice.again(), tasks, lambda: ParkedMeanwhile(alice.desk, alice.again()), until)
    assert len(alice.decisions()) == 1


def test_what_is_gone_makes_no_job(alice: Post) -> None:
    alice.pull()
    alice.box.tell("gone", is_gone=True)
    alice.run()
    assert not Job.objects.exists()


def test_passing_trouble_of_one_message_is_tried_again_and_then_given_up(alice: Post) -> None:
    alice.pull()
    bad = alice.box.arrive(4)[0]
    alice.desk.errors[bad] = deque([Transient("busy", provider="google", code="x")] * 2)
    alice.run()
    assert set(alice.decisions().values()) == {"matched"}
    bad = alice.box.arrive()[0]
    alice.desk.errors[bad] = deque([ValueError("Canary of a subject")] * 9)
    alice.run()
    row = Decision.objects.get(message_id=bad)
    assert (row.rule, row.values, row.error_code) == ("gave_up", {"tries": "8"}, "ValueError")
    assert Job.objects.get(message_id=bad).state == Job.State.DEAD


def test_tries_wait_longer_and_longer_with_jitter_and_no_longer_than_the_cap() -> None:
    for times in range(30):
        waits = [retries.back_off(times) for _ in range(50)]
        assert max(waits) <= min(900.0, 2.0 * 2**times)
        assert len(set(waits)) > 1
    assert retries.back_off(0, at_least=120.0) >= 120.0


def test_a_provider_that_is_away_uses_up_nobodys_tries(alice: Post) -> None:
    alice.pull()
    ids = alice.box.arrive(5)
    alice.pull()
    for _ in range(40):
        alice.wait()
        alice.box.errors.append(Transient("away", provider="google"))
        alice.work()
    assert max(Job.objects.values_list("tries", flat=True)) < retries.TRIES
    alice.run()
    assert sorted(alice.decisions()) == sorted(ids)
    assert alice.again().failures == 0


def test_throttled_by_the_mail_provider_nothing_is_asked_until_its_time(office: Office) -> None:
    alice, bob = office.alice, office.bob
    for each in (alice, bob):
        each.pull()
        each.box.arrive(2)
        each.pull()
    alice.box.errors.append(RateLimited("slow down", provider="google", retry_after=120.0))
    alice.work()
    calls = alice.box.calls.copy()
    assert (alice.work(), alice.pull()) == (False, False)
    assert alice.mailbox.pk not in {*sweep.to_work(), *sweep.to_poll()}
    assert alice.box.calls == calls
    until = alice.again().parked_until
    assert until is not None
    assert 110 < (until - clock.now()).total_seconds() <= 120
    assert set(Job.objects.filter(mailbox=alice.mailbox).values_list("tries", "crashes")) == {(0, 0)}
    bob.work()
    assert len(bob.decisions()) == 2


def test_a_stage_that_succeeds_lifts_no_wait_that_another_was_told_meanwhile(alice: Post) -> None:
    """Trouble that it has known of itself is over."""
    slow = retries.rule(RateLimited("slow down", provider="google", retry_after=120.0), "google")
    alice.box.errors.append(Transient("away", provider="google"))
    alice.pull()
    knows = alice.again()
    assert knows.failures == 1
    parking.park(alice.mailbox.pk, slow)
    parking.note_success(knows, "google")
    row = alice.again()
    assert row.parked_until is not None
    assert (row.parked_until - clock.now()).total_seconds() > 110
    assert row.parked_for == "throttled"
    SyncedMailbox.objects.update(parked_until=Now() - timedelta(seconds=1))
    parking.note_success(alice.again(), "google")
    row = alice.again()
    assert (row.parked_until, row.parked_for, row.failures) == (None, "", 0)


def test_who_is_at_a_mailbox_stops_where_another_stage_was_told_to_wait(
    alice: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two readings, two turns, two pages of a list."""
    alice.box.page_size = 50
    alice.pull()
    alice.box.arrive(3)
    alice.pull()
    slow = retries.rule(RateLimited("slow down", provider="google", retry_after=120.0), "google")
    begin = jobs.begin

    def parked_meanwhile(task: Task) -> bool:
        parking.park(alice.mailbox.pk, slow)
        return begin(task)

    monkeypatch.setattr(jobs, "begin", parked_meanwhile)
    assert alice.work() is False
    assert len(alice.decisions()) == 1
    assert list(Job.objects.filter(state="due").values_list("tries", "crashes")) == [(0, 0)] * 2
    token = uuid4()
    SyncedMailbox.objects.update(listing_by=token)
    assert not holds.prolong(alice.mailbox.pk, "listing", token)
    SyncedMailbox.objects.update(parked_until=None)
    assert holds.prolong(alice.mailbox.pk, "listing", token)
    assert not holds.prolong(alice.mailbox.pk, "listing", uuid4())


def test_throttled_by_salesforce_the_whole_organization_waits_and_no_other(office: Office) -> None:
    for each in (office.alice, office.bob, office.charlie):
        each.pull()
        one = each.box.arrive()[0]
        each.pull()
        each.desk.errors[one] = deque([RateLimited("limit", provider="salesforce", retry_after=3600.0)])
    office.alice.work()
    office.charlie.desk.errors.clear()
    assert Pause.objects.get().organization_id == office.alice.member.organization_id
    assert (office.bob.work(), office.bob.box.calls["headings"]) == (False, 0)
    office.charlie.work()
    assert len(office.charlie.decisions()) == 1
    Pause.objects.update(until=Now())
    office.alice.run()
    assert list(office.alice.decisions().values()) == ["matched"]


def test_a_grant_that_ended_parks_the_mailbox_until_it_is_given_again(
    alice: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.pull()
    alice.box.arrive()
    alice.box.errors.append(NeedsReconnect("ended", provider="google"))
    alice.pull()
    assert alice.again().parked_for == "needs_reconnect"
    monkeypatch.setattr(clients, "connection_of", _refused)
    assert parking.unpark_mended() == []
    monkeypatch.setattr(clients, "connection_of", lambda *_: SimpleNamespace(id=uuid4()))  # another account of his
    assert parking.unpark_mended() == []
    monkeypatch.setattr(clients, "connection_of", lambda *_: alice.mailbox.connection)
    assert parking.unpark_mended() == [alice.mailbox.pk]
    alice.pull()
    alice.work()
    assert list(alice.decisions().values()) == ["matched"]


def _refused(*_: object) -> None:
    raise NeedsReconnect("ended", provider="google")


@pytest.mark.parametrize(
    "error",
    [
        Rejected("no", provider="salesforce", details=(Detail("FIELD_CUSTOM_VALIDATION_EXCEPTION", "Canary"),)),
        PermissionMissing("no", provider="salesforce", details=(Detail("INSUFFICIENT_ACCESS", "Canary"),)),
        NotFound("no", provider="salesforce", details=(Detail("ENTITY_IS_DELETED", "Canary"),)),
    ],
)
def test_what_salesforce_refuses_is_a_dead_letter_at_once_with_its_code_and_not_its_text(
    alice: Post, error: Rejected
) -> None:
    alice.pull()
    one, other = alice.box.arrive(2)
    alice.desk.errors[one] = deque([error])
    alice.run()
    row = Decision.objects.get(message_id=one)
    assert (row.rule, row.error_code) == ("refused", error.details[0].code)
    assert alice.desk.writes == {other: 1}


def test_a_scope_that_was_not_granted_parks_the_mailbox(alice: Post) -> None:
    with pytest.raises(PermissionMissing) as told:
        consent.require("google", ["openid"], "email")
    alice.box.errors.append(told.value)
    alice.pull()
    assert alice.again().parked_for == "scope_missing"


def test_a_single_mail_that_is_overtaken_by_a_wait_has_not_crashed(
    alice: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.pull()
    alice.box.arrive(1)
    alice.pull()
    monkeypatch.setattr(holds, "is_free", lambda _: False)
    alice.work()
    assert list(Job.objects.values_list("state", "tries", "crashes")) == [("due", 0, 0)]


@pytest.mark.parametrize("code", ["scope_missing", "admin_policy", "denied", ""])
def test_what_the_mail_provider_refuses_all_the_same_waits_its_time(
    alice: Post, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """All scopes are granted: seeing that again is no reason to ask again."""
    alice.pull()
    monkeypatch.setattr(clients, "connection_of", lambda *_: alice.mailbox.connection)
    alice.box.errors.append(PermissionMissing("no", provider="google", code=code))
    alice.pull()
    row = alice.again()
    assert (row.parked_for, row.parked_at_provider) == ("not_allowed", "google")
    assert row.parked_until is not None
    assert (row.parked_until - clock.now()).total_seconds() > 800
    assert parking.unpark_mended() == []
    assert alice.pull() is False
    found = standing.hindrance(row)
    assert "does not let us read it" in found
    alice.run()
    assert alice.again().parked_for == ""


def _forbidden(alice: Post, forbidden: str) -> None:
    """Nobody may see this one's heading, and a batch with it in it fails as a whole."""
    look = alice.box.headings

    def headings(message_ids: Sequence[str]) -> Mapping[str, Heading | None]:
        if forbidden in message_ids:
            raise PermissionMissing("no", provider="google", details=(Detail("forbidden", "Canary"),))
        return look(message_ids)

    alice.box.headings = headings  # type: ignore[method-assign]


def test_one_mail_that_the_mail_provider_refuses_is_found_and_keeps_no_others_out(alice: Post) -> None:
    alice.box.page_size = 50
    alice.pull()
    refused, *others = alice.box.arrive(12)
    _forbidden(alice, refused)
    waits = 0
    for _ in range(40):
        alice.pull()
        alice.work()
        waits += alice.again().parked_until is not None
        alice.wait()
    assert alice.decisions() == {**dict.fromkeys(others, "matched"), refused: "refused"}
    assert Decision.objects.get(message_id=refused).error_code == "forbidden"
    assert waits < 5


def test_it_is_found_too_where_the_mailbox_is_read_beside_each_look(alice: Post) -> None:
    """Both are woken when the wait is over, and each begins before the other has ended."""
    alice.box.page_size = 50
    alice.pull()
    refused, *others = alice.box.arrive(3)
    alice.pull()
    _forbidden(alice, refused)
    look = alice.box.headings

    def beside(message_ids: Sequence[str]) -> Mapping[str, Heading | None]:
        Stream.objects.update(read_at=Now())
        return look(message_ids)

    alice.box.headings = beside  # type: ignore[method-assign]
    for _ in range(40):
        alice.work()
        alice.wait()
    assert alice.decisions() == {**dict.fromkeys(others, "matched"), refused: "refused"}


def test_a_mailbox_that_is_closed_makes_no_dead_letters(alice: Post) -> None:
    """However often it is asked: nothing of it was read since."""
    alice.box.page_size = 50
    alice.pull()
    ids = alice.box.arrive(3)
    alice.pull()
    Stream.objects.update(read_at=Now() - timedelta(minutes=1))
    for _ in range(2 * retries.TRIES):
        alice.wait()
        alice.box.errors.extend([PermissionMissing("no", provider="google", code="admin_policy")] * 2)
        assert alice.pull() is False
        SyncedMailbox.objects.update(parked_until=None)
        assert alice.work() is False
    assert not alice.decisions()
    assert alice.again().parked_for == "not_allowed"
    alice.run()
    assert alice.decisions() == dict.fromkeys(ids, "matched")


def test_an_api_that_is_switched_off_makes_no_dead_letters(alice: Post) -> None:
    alice.pull()
    ids = alice.box.arrive(3)
    alice.pull()
    details = (Detail("API_DISABLED_FOR_ORG", ""),)
    off = PermissionMissing("no", provider="salesforce", code="api_disabled", details=details)
    alice.desk.errors[ids[0]] = deque([off])
    alice.work()
    row = alice.again()
    assert (row.parked_for, row.parked_at_provider) == ("api_disabled", "salesforce")
    assert ids[0] not in alice.decisions()
    alice.run()
    assert alice.decisions() == dict.fromkeys(ids, "matched")


def test_no_address_is_ever_stored() -> None:
    with pytest.raises(ValueError, match="address"):
        Conclusion(verdict(Rule.MATCHED), domain="jane@customer.example")


def test_a_mail_that_fails_does_not_take_its_batch_along(alice: Post) -> None:
    alice.pull()
    ids = alice.box.arrive(6)
    look = alice.box._heading

    def faulty(message_id: str) -> Heading | None:
        return look(message_id if message_id != ids[2] else 1 / 0)  # type: ignore[arg-type]

    alice.box._heading = faulty  # type: ignore[method-assign]
    alice.run()
    assert {each: alice.decisions()[each] for each in ids if each != ids[2]} == dict.fromkeys(
        (each for each in ids if each != ids[2]), "matched"
    )
    assert alice.decisions()[ids[2]] == "gave_up"


def test_live_mail_goes_before_what_a_listing_has_found(alice: Post) -> None:
    alice.pull()
    old = [alice.box.arrive(at=datetime.now(UTC))[0] for _ in range(2)]
    intake.take_in_listed(alice.mailbox, old)
    live = alice.box.arrive()
    intake._add(alice.mailbox, live, is_live=True)
    assert alice.jobs()[0] == live[0]


def test_what_has_failed_for_days_is_given_up(alice: Post) -> None:
    alice.pull()
    one = alice.box.arrive()[0]
    alice.pull()
    Job.objects.update(created_at=Now() - timedelta(days=4), tries=1)
    alice.desk.errors[one] = deque([Transient("busy", provider="salesforce")])
    alice.work()
    assert alice.decisions() == {one: "gave_up"}


def test_a_hint_is_enqueued_once_until_a_poll_begins(alice: Post) -> None:
    alice.pull()
    assert [pull.want(alice.mailbox.pk) for _ in range(1000)].count(True) == 1
    alice.pull()
    assert pull.want(alice.mailbox.pk)


def test_nothing_is_done_for_who_was_sent_away_or_is_being_destroyed(office: Office) -> None:
    for each in (office.alice, office.bob):
        each.pull()
        each.box.arrive()
        each.pull()
    office.alice.member.is_active = False
    office.alice.member.save()
    organization = office.bob.member.organization
    assert office.alice.work() is False
    organization.ending_since = datetime.now(UTC)
    organization.save()
    assert office.bob.work() is False
    assert not Decision.objects.exists()


def test_no_call_to_a_provider_happens_within_a_transaction(alice: Post) -> None:
    called = alice.box._called
    inside: list[str] = []

    def watched(name: str) -> None:
        inside.extend([name] if connection.in_atomic_block else [])
        called(name)

    alice.box._called = watched  # type: ignore[method-assign]
    alice.pull()
    alice.box.arrive(4)
    alice.box.expire()
    alice.run()
    assert (inside, alice.box.calls["listed"] > 0) == ([], True)


def test_who_lost_the_lease_stores_nothing(alice: Post) -> None:
    alice.pull()
    alice.box.arrive()
    alice.pull()
    (mine,) = jobs.claim(alice.mailbox.pk)
    assert jobs.claim(alice.mailbox.pk) == []
    alice.wait()
    (theirs,) = jobs.claim(alice.mailbox.pk)
    done = Conclusion(verdict(Rule.MATCHED))
    assert conclusions.conclude([(mine, Conclusion(verdict(Rule.GONE)))]) == []
    assert jobs.begin(mine) is False
    assert conclusions.conclude([(theirs, done)]) == [theirs]
    assert conclusions.conclude([(theirs, done)]) == []
    assert list(alice.decisions().values()) == ["matched"]
