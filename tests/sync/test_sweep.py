"""Nothing that is due is forgotten, whatever the queue loses; and one full mailbox keeps no other waiting."""

import time
from datetime import timedelta
from uuid import UUID

import pytest
from django.db.models import F
from django.db.models.functions import Now
from kombu.exceptions import OperationalError

from organizations import policy
from sync import carriers, holds, intervals, mailboxes, pull, sweep, tasks, work
from sync.models import Job, Subscription, SyncedMailbox
from tests.sync.conftest import Office, Post
from vault.models import Connection, State

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def test_a_mailbox_whose_time_has_come_is_chosen_once(office: Office) -> None:
    everybody = {each.mailbox.pk for each in (office.alice, office.bob, office.charlie)}
    assert set(sweep.to_poll()) == everybody
    assert sweep.to_poll() == []
    office.alice.pull()
    SyncedMailbox.objects.update(poll_at=F("poll_at") - timedelta(hours=3))
    assert set(sweep.to_poll()) == everybody


def test_a_poll_that_goes_on_by_itself_is_begun_beside_itself_only_where_that_was_lost(
    alice: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a mailbox that is long behind stands in the queue once more every 30 seconds."""
    alice.pull()
    monkeypatch.setattr(pull, "SLICE", 0.0)
    alice.box.arrive(7)
    assert alice.pull()
    assert alice.mailbox.pk not in sweep.to_poll()
    SyncedMailbox.objects.update(poll_at=F("poll_at") - pull.LOST)
    assert alice.mailbox.pk in sweep.to_poll()


def test_a_hint_that_the_queue_has_lost_is_made_good(alice: Post) -> None:
    alice.pull()
    sweep.to_poll()
    SyncedMailbox.objects.update(poll_wanted_at=Now() - timedelta(seconds=10), poll_at=Now() + timedelta(hours=1))
    assert sweep.to_poll() == []
    SyncedMailbox.objects.update(poll_wanted_at=Now() - timedelta(seconds=30))
    assert alice.mailbox.pk in sweep.to_poll()


def test_jobs_of_a_killed_worker_are_due_when_its_lease_is_over(alice: Post) -> None:
    alice.pull()
    alice.box.arrive(2)
    alice.pull()
    assert len(alice.jobs()) == 2
    assert sweep.to_work() == []
    Job.objects.update(lease_until=Now() - timedelta(seconds=1))
    assert sweep.to_work() == [alice.mailbox.pk]
    assert sweep.to_work() == []
    SyncedMailbox.objects.update(hinted_at=Now() - timedelta(minutes=1))
    assert sweep.to_work() == [alice.mailbox.pk]


def test_how_often_a_mailbox_is_looked_at(alice: Post) -> None:
    assert intervals.of(alice.mailbox) == timedelta(minutes=5)
    policy.set_organization_value(str(alice.member.pk), alice.member.organization_id, "sync.interval", 30)
    assert intervals.of(alice.mailbox) == timedelta(minutes=30)
    policy.set_organization_value(str(alice.member.pk), alice.member.organization_id, "sync.interval", 2)
    assert intervals.of(alice.mailbox) == timedelta(minutes=2)
    row = Subscription(mailbox=alice.mailbox, provider_id="s", secret_digest=b"", expires_at=Now(), renew_at=Now())
    row.save()
    assert intervals.of(alice.mailbox) == timedelta(minutes=2)
    Subscription.objects.update(expires_at=Now() + timedelta(hours=1))
    for minutes in (2, 120):
        policy.set_organization_value(str(alice.member.pk), alice.member.organization_id, "sync.interval", minutes)
        assert intervals.of(alice.mailbox) == timedelta(minutes=15)


class Queue:
    """Runs what is enqueued in its order, one after the other, as a worker with one thread does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waiting: list[tuple[object, UUID]] = []
        monkeypatch.setattr(tasks, "wake", lambda task, ids: self.waiting.extend((task, each) for each in ids))

    def run(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self.waiting and time.monotonic() < until:
            task, mailbox_id = self.waiting.pop(0)
            task(str(mailbox_id))  # type: ignore[operator]


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    return Queue(monkeypatch)


def test_a_full_mailbox_keeps_no_others_single_mail_waiting(
    office: Office, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A turn each: the single mail's comes after one of the full mailbox', whatever that one still has."""
    monkeypatch.setattr(work, "SLICE", 0.05)
    full, single = office.alice, office.bob
    single.desk = full.desk
    for each in (full, single):
        each.run()
    monkeypatch.setattr(full.desk.__class__, "__call__", _slow(office))
    carriers.use(full.desk)
    try:
        full.box.page_size = 200
        full.box.arrive(400)
        queue.waiting = [(tasks.poll, full.mailbox.pk)]
        queue.run(0.3)
        one = single.box.arrive()[0]
        queue.waiting.append((tasks.poll, single.mailbox.pk))
        turns = 0
        while one not in single.decisions():
            assert queue.waiting
            task, mailbox_id = queue.waiting.pop(0)
            task(str(mailbox_id))  # type: ignore[operator]
            turns += mailbox_id == full.mailbox.pk
        assert turns <= 2
        assert full.open_jobs() > 100
    finally:
        carriers.use(None)


def test_a_single_mail_queues_once(office: Office, queue: Queue) -> None:
    """From the hint to the decision in one task: a second one would wait behind everybody's again."""
    post = office.alice
    post.run()
    carriers.use(post.desk)
    try:
        one = post.box.arrive()[0]
        tasks.poll(str(post.mailbox.pk))
    finally:
        carriers.use(None)
    assert one in post.decisions()
    assert queue.waiting == []


def test_jobs_that_come_while_somebody_works_are_left_to_him_and_not_lost(office: Office, queue: Queue) -> None:
    """Nobody waits for the sweep: a hint to a worker who finds the mailbox held would keep the holder from asking."""
    post = office.alice
    post.run()
    carriers.use(post.desk)
    try:
        token = holds.take(post.mailbox.pk, "working")
        assert token is not None
        one = post.box.arrive()[0]
        tasks.poll(str(post.mailbox.pk))
        tasks.work(str(post.mailbox.pk))
        assert (queue.waiting, post.decisions().get(one)) == ([], None)
        holds.let_go(post.mailbox.pk, "working", token)
        assert sweep.to_work_of(post.mailbox.pk) == [post.mailbox.pk]
    finally:
        carriers.use(None)


def test_a_hint_that_comes_while_somebody_reads_is_left_to_him(
    office: Office, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    post, read = office.alice, pull.pull
    post.run()

    def told_meanwhile(mailbox_id: UUID) -> bool:
        monkeypatch.setattr(pull, "pull", read)
        has_more = read(mailbox_id)
        token = holds.take(mailbox_id, "polling")
        assert token is not None
        assert pull.want(mailbox_id)
        tasks.poll(str(mailbox_id))  # of whoever was told
        assert queue.waiting == []
        holds.let_go(mailbox_id, "polling", token)
        return has_more

    monkeypatch.setattr(pull, "pull", told_meanwhile)
    tasks.poll(str(post.mailbox.pk))
    assert queue.waiting == [(tasks.poll, post.mailbox.pk)]


def test_whoever_has_worked_asks_once_more(office: Office, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it saw nothing more: a job may have come between its last look and its end."""
    post = office.alice
    post.run()
    monkeypatch.setattr(work, "work", lambda *_: bool(post.box.arrive() and post.pull()))
    carriers.use(post.desk)
    try:
        tasks.work(str(post.mailbox.pk))
    finally:
        carriers.use(None)
    assert queue.waiting == [(tasks.work, post.mailbox.pk)]


def _slow(office: Office) -> object:
    posts = {each.mailbox.pk: each for each in (office.alice, office.bob)}
    build = office.alice.desk.__class__.__call__

    def make(desk: object, row: SyncedMailbox, client: object) -> object:
        clerk = build(desk, row, client)  # type: ignore[arg-type]
        clerk.desk = type(clerk.desk)(posts[row.pk].box, clerk.desk.records, clerk.desk.writes)
        time.sleep(0.01)
        return clerk

    return make


def test_from_a_hint_to_the_record_by_tasks_alone(alice: Post, queue: Queue) -> None:
    carriers.use(alice.desk)
    try:
        alice.pull()
        alice.box.arrive(7)
        SyncedMailbox.objects.update(poll_at=Now())
        tasks.look_around()
        queue.run(20)
    finally:
        carriers.use(None)
    assert len(alice.desk.records) == 7
    assert alice.open_jobs() == 0


def test_without_anybody_to_carry_them_out_jobs_wait(alice: Post) -> None:
    alice.pull()
    alice.box.arrive()
    alice.pull()
    tasks.work(str(alice.mailbox.pk))
    assert Job.objects.get().state == Job.State.DUE


def test_a_queue_that_is_away_costs_nothing_but_delay(alice: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(tasks.poll, "apply_async", away)
    tasks.look_around()
    SyncedMailbox.objects.update(poll_at=Now())
    assert alice.mailbox.pk in sweep.to_poll()


def test_tasks_carry_ids_only(alice: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[object] = []
    monkeypatch.setattr(tasks.poll, "apply_async", lambda **options: sent.append(options))
    tasks.look_around()
    assert {"args": [str(alice.mailbox.pk)], "expires": 60} in sent


def test_mailboxes_follow_the_settings(office: Office) -> None:
    member = office.bob.member
    SyncedMailbox.objects.filter(member=member).delete()
    mailboxes.follow_settings()
    assert SyncedMailbox.objects.filter(member=member, is_on=True).count() == 1
    policy.set_member_value(member, "email.sync.enabled", False)
    mailboxes.follow_settings()
    assert not SyncedMailbox.objects.get(member=member).is_on
    policy.set_member_value(member, "email.sync.enabled", True)
    mailboxes.follow_settings()
    assert SyncedMailbox.objects.get(member=member).is_on


@pytest.mark.parametrize("state", [State.REVOKING, State.SHREDDED])
def test_whoever_disconnects_wants_no_sync_and_it_begins_anew(office: Office, state: State) -> None:
    """email.start: what came meanwhile is a backfill's business."""
    before = office.alice.again().starts_at
    Connection.objects.filter(pk=office.alice.mailbox.connection_id).update(state=state)
    mailboxes.follow_settings()
    assert not office.alice.again().is_on
    Connection.objects.filter(pk=office.alice.mailbox.connection_id).update(state=State.HEALTHY)
    mailboxes.follow_settings()
    assert office.alice.again().is_on
    assert office.alice.again().starts_at > before


def test_a_grant_that_ended_switches_nothing_off(office: Office) -> None:
    before = office.alice.again().starts_at
    Connection.objects.filter(pk=office.alice.mailbox.connection_id).update(state=State.NEEDS_RECONNECT)
    mailboxes.follow_settings()
    assert office.alice.again().is_on
    Connection.objects.filter(pk=office.alice.mailbox.connection_id).update(state=State.HEALTHY)
    mailboxes.follow_settings()
    assert office.alice.again().starts_at == before
