"""A worker that dies anywhere: between any two of its statements, and between Salesforce's answer and our storing it.
Afterwards each message has one decision, and each that matches one record (FT1-FT4, FT41)."""

import threading
from collections import Counter, deque
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connections
from django.db.models.functions import Now
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from providers.errors import Rejected
from sync import conclusions, jobs, suspects, work
from sync.conclusions import Conclusion, Task
from sync.models import Decision, Job, LedgerEntry, Listing, Stream, SyncedMailbox
from sync.reasons import Rule, verdict
from tests.sync.boxes import Box, Clerk, Killed
from tests.sync.conftest import Office, Post
from tests.sync.dying import reaping
from vault import clock

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def holds_true(post: Post, expected: set[str]) -> None:
    """The promise: what arrived, and nothing else, once."""
    assert set(post.decisions()) == expected
    matching = {each for each in expected if post.box.mails[each].matches}
    assert len(post.desk.records) == len(matching)
    entries = LedgerEntry.objects.filter(mailbox=post.mailbox)
    assert sorted(entries.values_list("salesforce_id", flat=True)) == sorted(post.desk.records.values())
    assert not Job.objects.filter(mailbox=post.mailbox).exclude(state=Job.State.DONE).exists()


@pytest.mark.parametrize("what", ["pull", "list", "work"])
def test_a_worker_that_dies_before_any_statement_costs_nothing(
    alice: Post, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Each place of one turn, from its beginning to its end."""
    alice.run()
    alice.box.page_size = 500
    expected: set[str] = set()
    steps: dict[str, Callable[[], bool]] = {"pull": alice.pull, "work": alice.work, "list": alice.list_more}
    for place in range(200):
        expected |= {*alice.box.arrive(2), *alice.box.arrive(1, matches=False)}
        alice.prepare_for(what)
        with reaping(monkeypatch, place) as reaper:
            steps[what]()
        alice.run()
        holds_true(alice, expected)
        if not reaper.is_dead:
            break
    assert 5 < place < 199


def test_dead_after_salesforce_has_written(alice: Post) -> None:
    alice.pull()
    ids = alice.box.arrive(4)
    alice.desk.deadly_after = set(ids[:2])
    for _ in range(2):
        alice.wait()
        alice.pull()
        with pytest.raises(Killed):
            alice.work()
    alice.run()
    holds_true(alice, set(ids))
    assert {alice.desk.writes[each] for each in ids[:2]} == {2}


def die(post: Post) -> bool:
    try:
        post.work()
    except Killed:
        return True
    return False


def test_a_mail_that_kills_its_worker_twice_is_set_aside_and_its_neighbours_go_on(alice: Post) -> None:
    alice.pull()
    deadly, *others = alice.box.arrive(12)
    alice.desk.deadly = {deadly}
    alice.pull()
    deaths = 0
    while alice.pull():
        pass
    for _ in range(30):
        Job.objects.filter(state=Job.State.RUNNING).update(lease_until="2020-01-01T00:00Z")
        LedgerEntry.objects.exclude(claimed_until=None).update(claimed_until="2020-01-01T00:00Z")
        alice.mailbox.__class__.objects.update(working_until=None)
        deaths += die(alice)
    assert deaths == 2
    assert alice.decisions() == {**dict.fromkeys(others, "matched"), deadly: "set_aside"}
    row = Job.objects.get(message_id=deadly)
    assert (row.state, row.crashes) == (Job.State.SET_ASIDE, 2)
    for count in (3, 4):  # tried alone, much later; then never again by itself
        alice.wait()
        assert die(alice)
        alice.wait()
        assert not die(alice) or count == 3
    alice.wait()
    alice.work()
    assert Job.objects.get(message_id=deadly).state == Job.State.DEAD
    alice.desk.deadly = set()
    jobs.again(alice.mailbox.pk, [deadly])
    alice.run()
    assert alice.decisions()[deadly] == "matched"


def left_behind(*posts: Post) -> None:
    """A worker had one mail of each in hand, and was killed."""
    for each in posts:
        each.pull()
        each.box.arrive(1)
        each.pull()
        jobs.claim(each.mailbox.pk)
        each.wait()


class Beside:
    """A desk that is killed by its mail, while another thread of its process has a turn for a colleague."""

    def __init__(self, post: Post, other: Post) -> None:
        self._post, self._other = post, other

    def __call__(self, row: SyncedMailbox, client: object) -> Clerk:
        self._other.work()
        return self._post.desk(row, client)


def test_of_two_suspects_one_kills_and_the_other_does_not_die_with_it(office: Office) -> None:
    alice, bob = office.alice, office.bob
    left_behind(alice, bob)
    (deadly,) = alice.box.mails
    (innocent,) = bob.box.mails
    alice.desk.deadly = {deadly}
    with pytest.raises(Killed):
        work.work(alice.mailbox.pk, Beside(alice, bob))
    row = Job.objects.get(message_id=innocent)
    assert (row.state, row.crashes, row.lease_by) == (Job.State.DUE, 1, None)
    assert row.next_at > clock.now()
    assert Job.objects.get(message_id=deadly).crashes == 2
    bob.wait()
    bob.work()
    assert bob.decisions() == {innocent: "matched"}


def test_what_no_death_met_goes_on_beside_a_suspect(office: Office) -> None:
    alice, bob = office.alice, office.bob
    left_behind(alice, bob)
    (suspect,) = bob.box.mails
    fresh = bob.box.arrive(2)
    bob.pull()
    work.work(alice.mailbox.pk, Beside(alice, bob))
    assert list(alice.decisions().values()) == ["matched"]
    assert bob.decisions() == dict.fromkeys(fresh, "matched")
    bob.run()
    assert bob.decisions()[suspect] == "matched"


def test_who_is_taken_for_hung_keeps_no_suspect_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    with suspects.turn() as hung, suspects.turn() as other:
        assert (hung.take(), other.take(), hung.take()) == (True, False, True)
        monkeypatch.setattr(hung, "until", 0.0)
        assert other.take()
        hung.end()
        with suspects.turn() as third:
            assert not third.take()
    with suspects.turn() as last:
        assert last.take()


def test_those_that_were_set_aside_together_do_not_come_back_together(office: Office) -> None:
    alice = office.alice
    alice.box.page_size = 50
    alice.pull()
    alice.box.arrive(12)
    alice.pull()
    jobs.claim(alice.mailbox.pk)
    Job.objects.update(crashes=jobs.POISON, lease_until=Now() - timedelta(seconds=1))
    jobs.set_aside_poison(alice.mailbox.pk)
    waits = [(row.next_at - clock.now()).total_seconds() for row in Job.objects.filter(state="set_aside")]
    assert len({round(each) for each in waits}) > 6
    assert all(590 < each <= 1_200 for each in waits)


def _kills_again(post: Post, message_id: str) -> None:
    """Looked at once more, it kills its worker until it is tried no more."""
    post.desk.deadly = {message_id}
    jobs.again(post.mailbox.pk, [message_id])
    for _ in range(12):
        post.wait()
        die(post)


def test_a_mail_that_kills_its_worker_is_known_again_by_what_an_earlier_look_has_found(alice: Post) -> None:
    alice.pull()
    (deadly,) = alice.box.arrive(1)
    alice.desk.errors[deadly] = deque([Rejected("no", provider="salesforce", code="validation")])
    alice.run()
    earlier = Decision.objects.get(message_id=deadly)
    Decision.objects.update(domain="customer.example")
    assert earlier.rule == "refused"
    _kills_again(alice, deadly)
    row = Decision.objects.get(message_id=deadly)
    assert (row.rule, row.error_code, Job.objects.get().state) == ("set_aside", "", Job.State.DEAD)
    assert (row.thread_id, row.arrived_at, row.domain) == (earlier.thread_id, earlier.arrived_at, "customer.example")
    assert row.thread_id
    assert row.arrived_at


@pytest.mark.parametrize("fate", ["it kills its worker", "it is refused"])
def test_what_is_in_salesforce_stays_known_as_such_whatever_a_later_look_comes_to(alice: Post, fate: str) -> None:
    """Its person can do nothing more about it, so nothing is left to him."""
    alice.pull()
    (saved,) = alice.box.arrive(1)
    alice.run()
    earlier = Decision.objects.get(message_id=saved)
    assert earlier.outcome == "synced"
    if fate == "it is refused":
        alice.desk.errors[saved] = deque([Rejected("no", provider="salesforce", code="validation")])
        jobs.again(alice.mailbox.pk, [saved])
        alice.run()
    else:
        _kills_again(alice, saved)
    row, job = Decision.objects.get(message_id=saved), Job.objects.get(message_id=saved)
    assert (row.outcome, row.activity_id, row.decided_at) == ("synced", earlier.activity_id, earlier.decided_at)
    assert (job.state, job.crashes, job.tries) == (Job.State.DONE, 0, 0)


def test_of_many_workers_one_has_a_job(alice: Post) -> None:
    alice.pull()
    ids = alice.box.arrive(40)
    while alice.pull():
        pass
    taken: list[Task] = []

    def take() -> None:
        try:
            while tasks := jobs.claim(alice.mailbox.pk, most=3):
                taken.extend(tasks)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert Counter(task.message_id for task in taken) == Counter(ids)


def test_two_workers_that_end_one_job_at_once_leave_one_decision(alice: Post) -> None:
    alice.pull()
    alice.box.arrive()
    alice.pull()
    ended: list[list[Task]] = []
    for _ in range(5):
        (task,) = jobs.claim(alice.mailbox.pk)
        barrier = threading.Barrier(2)

        def end(task: Task = task, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            try:
                ended.append(conclusions.conclude([(task, Conclusion(verdict(Rule.GONE)))]))
            finally:
                connections.close_all()

        threads = [threading.Thread(target=end) for _ in range(2)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        jobs.again(alice.mailbox.pk, [task.message_id])
    assert sorted(len(each) for each in ended) == [0] * 5 + [1] * 5
    assert Decision.objects.count() == 1


def test_the_same_mail_of_two_colleagues_is_one_record(office: Office) -> None:
    """Without a mailbox in its key; the second finds it there."""
    alice, bob = office.alice, office.bob
    bob.desk = alice.desk
    for each in (alice, bob):
        each.pull()
    one = alice.box.arrive()[0]
    bob.box.mails[one] = alice.box.mails[one]
    bob.box.tell(one)
    for each in (alice, bob):
        each.run()
        assert each.decisions() == {one: "matched"}
    assert (len(alice.desk.records), LedgerEntry.objects.count()) == (1, 1)
    assert set(Decision.objects.values_list("activity_id", flat=True)) == set(alice.desk.records.values())


class Life(RuleBasedStateMachine):
    """Any order of arrivals, replays, lost cursors, polls, work and deaths."""

    post: Post
    monkeypatch: pytest.MonkeyPatch

    @initialize()
    def begin(self) -> None:
        post = self.post
        Job.objects.all().delete()
        Decision.objects.all().delete()
        LedgerEntry.objects.all().delete()
        fresh = Box()
        post.box.mails, post.box.log, post.box.oldest = fresh.mails, fresh.log, 0
        post.desk.records.clear()
        post.mailbox.__class__.objects.update(folders_at=None, resynced_at=None)
        Stream.objects.all().delete()
        Listing.objects.all().delete()
        post.run()  # with the listing that a new mailbox begins with, which would find what was lost

    @rule(count=st.integers(1, 4), matches=st.booleans())
    def arrive(self, count: int, matches: bool) -> None:
        self.post.box.arrive(count, matches=matches)

    @rule(replays=st.integers(0, 4))
    def replay(self, replays: int) -> None:
        self.post.box.replays = replays
        for each in list(self.post.box.mails)[:replays]:
            self.post.box.tell(each)

    @rule()
    def expire(self) -> None:
        self.post.box.expire()

    @rule()
    def pass_time(self) -> None:
        self.post.wait()
        self.post.mailbox.__class__.objects.update(resynced_at=None)

    @rule(after=st.integers(0, 40), what=st.sampled_from(["pull", "work", "list"]))
    def live(self, after: int, what: str) -> None:
        steps = {"pull": self.post.pull, "work": self.post.work, "list": self.post.list_more}
        with reaping(self.monkeypatch, after):
            steps[what]()

    def teardown(self) -> None:
        self.post.mailbox.__class__.objects.update(resynced_at=None)
        self.post.run()
        holds_true(self.post, set(self.post.box.mails))


def test_any_order_of_things(alice: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    class Mine(Life):
        post = alice

    Mine.monkeypatch = monkeypatch
    run_state_machine_as_test(
        Mine,
        settings=settings(max_examples=25, stateful_step_count=12, suppress_health_check=list(HealthCheck)),
    )
