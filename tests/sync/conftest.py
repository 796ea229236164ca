"""What this room's tests share: Alice's mailbox, Bob's and Charlie's, whose provider lives in this process."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now

from organizations import policy
from organizations.models import Member
from providers.mail import Mailbox
from sync import access, jobs, ledger, listing, mailboxes, places, pull, work
from sync.models import Decision, Job, LedgerEntry, Stream, SyncedMailbox
from tests.organizations import people
from tests.sync.boxes import Box, Desk
from vault import keys
from vault.models import Connection, State


@pytest.fixture(autouse=True)
def cold() -> None:
    """Nothing is left in RAM from the test before."""
    for forget in (ledger.forget_peppers, places.forget, keys.forget_all):
        forget()


@dataclass
class Post:
    """One member's mailbox with its provider and where its mail ends."""

    member: Member
    mailbox: SyncedMailbox
    box: Box
    desk: Desk

    def again(self) -> SyncedMailbox:
        return SyncedMailbox.objects.get(pk=self.mailbox.pk)

    def pull(self) -> bool:
        return pull.pull(self.mailbox.pk)

    def work(self) -> bool:
        return work.work(self.mailbox.pk, self.desk)

    def list_more(self) -> bool:
        return listing.proceed(self.mailbox.pk)

    def run(self, rounds: int = 60) -> None:
        """Until nothing is due, whatever waits meanwhile having waited its time."""
        for _ in range(rounds):
            self.wait()
            has_more = [self.pull(), self.list_more(), self.work()]
            if not any(has_more) and not self.open_jobs() and not self.is_listing():
                return
        raise AssertionError("it does not come to an end")

    def wait(self) -> None:
        """Until every wait, hold and lease of this mailbox is over: time passes in the database."""
        past = Now() - timedelta(seconds=1)
        SyncedMailbox.objects.filter(pk=self.mailbox.pk).update(
            polling_until=None, listing_until=None, working_until=None, parked_until=None, hinted_at=None
        )
        Job.objects.filter(mailbox=self.mailbox).update(next_at=past)
        Job.objects.filter(mailbox=self.mailbox).exclude(lease_until=None).update(lease_until=past)
        long_past = past - ledger.FIRST_WRITERS
        entries = LedgerEntry.objects.filter(organization=self.member.organization, salesforce_id="")
        entries.exclude(claimed_until=None).update(claimed_until=long_past)
        entries.exclude(written_at=None).update(written_at=long_past)

    def open_jobs(self) -> int:
        return Job.objects.filter(mailbox=self.mailbox).exclude(state__in=[Job.State.DONE, Job.State.DEAD]).count()

    def prepare_for(self, what: str) -> None:
        """What has arrived is what this step finds: told of, jobs already, or to be listed since its cursor expired."""
        if what == "work":
            while self.pull():
                pass
        if what == "list":
            SyncedMailbox.objects.filter(pk=self.mailbox.pk).update(resynced_at=None)
            self.box.expire()
            self.pull()

    def is_listing(self) -> bool:
        return listing.open_ones().filter(mailbox=self.mailbox).exists()

    def decisions(self) -> dict[str, str]:
        """Message -> rule."""
        rows = Decision.objects.filter(mailbox=self.mailbox)
        return dict(rows.values_list("message_id", "rule"))

    def stream(self) -> Stream:
        return Stream.objects.get(mailbox=self.mailbox)

    def jobs(self) -> list[str]:
        return [task.message_id for task in jobs.claim(self.mailbox.pk)]


@dataclass
class Office:
    alice: Post
    bob: Post
    charlie: Post
    boxes: dict[object, Box] = field(default_factory=dict)


def connect(member: Member, provider: str = "google") -> Connection:
    return Connection.objects.create(
        organization=member.organization,
        member=member,
        provider=provider,
        subject=f"{provider}-{member.pk}",
        login_url="https://accounts.google.com",
        state=State.HEALTHY,
    )


def post(member: Member, desk: Desk | None = None) -> Post:
    mailbox = mailboxes.switch_on(connect(member).pk)
    SyncedMailbox.objects.filter(pk=mailbox.pk).update(starts_at=F("starts_at") - timedelta(minutes=1))
    box = Box()
    return Post(member, SyncedMailbox.objects.get(pk=mailbox.pk), box, desk or Desk(box))


@pytest.fixture
def office(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Office:
    keys.verify_kek()
    members = people.everybody()
    for member in members:
        policy.set_organization_value(str(member.pk), member.organization_id, "email.sync.enabled", True)
    alice, bob, charlie = (post(member) for member in members)
    built = Office(alice, bob, charlie)
    for each in (built.alice, built.bob, built.charlie):
        built.boxes[each.mailbox.pk] = each.box

    def mailbox_of(row: SyncedMailbox, purpose: str) -> Mailbox:
        return built.boxes[row.pk]

    monkeypatch.setattr(access, "mailbox_of", mailbox_of)
    return built


@pytest.fixture
def alice(office: Office) -> Post:
    return office.alice
