"""Colleagues' copies of one mail: whoever has begun to write it ends it, and the others wait without giving it up."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import pytest
from django.db.models.functions import Now

from organizations.models import Member
from providers.activities import Keyed, Logged
from providers.errors import ProviderError, Rejected
from sync import jobs, mailboxes, retries
from sync.models import Job, LedgerEntry
from tests.sync.conftest import Office, Post
from tests.sync.test_carrier import Crm, Letters, moved_in
from vault import clients

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


@dataclass
class Hand(Crm):
    """One person's way into Salesforce, which keeps mails in a form of his own: what others have written there in
    another form he does not find."""

    written: Counter[str] = field(default_factory=Counter)  # records by key, of everybody

    def _log(self, mail: Keyed) -> Logged | ProviderError:
        if mail.key not in self.logged and mail.record.subject not in self.refused:
            self.written[mail.key] += 1
        return super()._log(mail)


@dataclass
class Two:
    office: Office
    hands: dict[UUID, Hand]
    boxes: dict[UUID, Letters]

    def of(self, post: Post) -> Hand:
        return self.hands[post.member.pk]

    def post(self, key: str) -> None:
        """The same mail to both."""
        for each in self.posts:
            self.boxes[each.member.pk].post(key)
            each.pull()

    @property
    def posts(self) -> Sequence[Post]:
        return (self.office.alice, self.office.bob)

    def turn(self, post: Post) -> list[str]:
        """Its jobs' waits are over, and nothing else is."""
        Job.objects.filter(mailbox=post.mailbox).update(next_at=Now() - timedelta(seconds=1))
        post.work()
        return list(post.decisions().values())


@pytest.fixture
def two(office: Office, monkeypatch: pytest.MonkeyPatch) -> Two:
    written = Counter[str]()
    posts = (office.alice, office.bob)
    hands = {each.member.pk: Hand(written=written) for each in posts}
    monkeypatch.setattr(clients, "salesforce_connection_of", lambda member: member)

    def hand(member: Member, *_: object, **__: object) -> Hand:
        return hands[member.pk]

    monkeypatch.setattr(clients, "activities_for", hand)
    return Two(office, hands, {each.member.pk: moved_in(office, each) for each in posts})


def test_whoever_lost_the_answer_ends_it_and_a_colleague_joins(two: Two) -> None:
    alice, bob = two.posts
    two.post("both")
    two.of(alice).lost = 1
    assert two.turn(alice) == two.turn(bob) == []
    assert not two.of(bob).logged
    assert two.turn(alice) == ["matched"]
    assert two.turn(bob) == ["colleague_was_first"]
    assert list(two.of(alice).written.values()) == [1]
    assert len(two.of(bob).joined) == 1


def test_a_mailbox_that_is_switched_off_leaves_it_to_a_colleague(two: Two) -> None:
    alice, bob = two.posts
    two.post("both")
    two.of(alice).lost = 1
    assert two.turn(alice) == two.turn(bob) == []
    mailboxes.switch_off(alice.mailbox.connection_id)
    assert two.turn(bob) == ["matched"]
    assert LedgerEntry.objects.get().mailbox_id == bob.mailbox.pk


def test_whom_salesforce_has_refused_is_not_waited_for(two: Two) -> None:
    alice, bob = two.posts
    two.post("both")
    two.of(alice).refused["Offer"] = Rejected("no", provider="salesforce", code="validation")
    assert two.turn(alice) == ["refused"]
    assert two.turn(bob) == ["matched"]


def test_waiting_for_a_colleague_gives_no_mail_up(two: Two) -> None:
    """However long his files take; nor is it a failure of the mailbox."""
    alice, bob = two.posts
    two.post("both")
    (task,) = jobs.claim(alice.mailbox.pk)
    make = alice.desk(alice.mailbox, alice.box)
    make.look([task])
    make.read(task)
    for _ in range(2 * retries.TRIES):
        assert two.turn(bob) == []
    job = Job.objects.get(mailbox=bob.mailbox)
    assert (job.state, job.tries, job.crashes) == (Job.State.DUE, 0, 0)
    assert 4 < (job.next_at - job.created_at).total_seconds() < 60
    row = bob.again()
    assert (row.failures, row.parked_until, row.parked_for) == (0, None, "")
    jobs.prolong([task])
    Job.objects.filter(pk=job.pk).update(created_at=Now() - jobs.LONGEST - timedelta(hours=1))
    for _ in range(2):
        assert two.turn(bob) == []


def test_what_waited_for_a_colleague_has_tries_left(two: Two) -> None:
    alice, bob = two.posts
    two.post("both")
    two.of(alice).lost = 1
    two.turn(alice)
    for _ in range(2 * retries.TRIES):
        two.turn(bob)
    mailboxes.switch_off(alice.mailbox.connection_id)
    two.of(bob).lost = 1
    assert two.turn(bob) == []
    assert two.turn(bob) == ["matched"]
