"""Members and administrators are told by mail when a mailbox is in trouble: once a day, with what to do, and nothing of
anybody's mail."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connections
from django.db.models import F
from django.db.models.functions import Now

from organizations import policy
from organizations.models import Member
from providers.errors import NeedsReconnect, RateLimited
from sync import mailboxes, notices, retention, standing, tasks
from sync.models import Decision, Job, Notice, Pause, SyncedMailbox, Tally
from tests.organizations import smtp
from tests.organizations.smtp import Outbox
from tests.organizations.test_postbox import at_server
from tests.sync.conftest import Office, Post
from vault import clock

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


@pytest.fixture
def outbox(settings: LazySettings) -> Iterator[Outbox]:
    with smtp.running() as found:
        at_server(settings, found.port)
        yield found


@pytest.fixture
def quiet(office: Office, outbox: Outbox) -> Office:
    """Everybody's mailbox is well, and nobody is told of anything."""
    for each in (office.alice, office.bob, office.charlie):
        each.pull()
    tell()
    assert outbox.mails == []
    return office


def tell() -> None:
    tasks.tell_of_trouble()


def later(**passed: float) -> None:
    """So much time has passed, for whoever was told."""
    Notice.objects.exclude(sent_at=None).update(sent_at=F("sent_at") - timedelta(**passed))


def over(post: Post) -> None:
    """Its grant has ended."""
    post.box.errors.append(NeedsReconnect("over", provider="google"))
    post.box.arrive()
    SyncedMailbox.objects.filter(pk=post.mailbox.pk).update(folders_at=None)
    post.pull()
    assert post.again().parked_for == "needs_reconnect"


def said(outbox: Outbox, member: Member) -> list[str]:
    return [f"{mail['subject']}\n{mail.get_content()}" for mail in outbox.to(member.email)]


def test_a_person_and_the_administrators_are_told_once_a_day(quiet: Office, outbox: Outbox) -> None:
    over(quiet.bob)
    for _ in range(3):
        tell()
    (to_bob,) = said(outbox, quiet.bob.member)
    (to_alice,) = said(outbox, quiet.alice.member)
    assert said(outbox, quiet.charlie.member) == []
    assert to_bob.startswith("Your email sync stands still: connect again\nHello Bob")
    assert "It waits until you connect Google again." in to_bob
    assert "/connect/google/?next=%2Fdashboard%2Femail-sync%2F" in to_bob
    assert "1 mailbox of your organization" in to_alice
    assert "Wait until their people connect again, who have been told how: Bob" in to_alice
    later(hours=25)
    tell()
    assert len(said(outbox, quiet.bob.member)) == 2
    ids = {mail["message-id"] for _, mail in outbox.mails}
    assert len(ids) == len(outbox.mails) == 4


def test_nobody_is_told_of_what_is_mended_meanwhile(quiet: Office, outbox: Outbox) -> None:
    over(quiet.bob)
    notices.note()
    quiet.bob.wait()
    quiet.bob.pull()
    notices.send()
    assert outbox.mails == []
    assert not Notice.objects.filter(is_due=True).exists()
    over(quiet.bob)
    SyncedMailbox.objects.filter(pk=quiet.bob.mailbox.pk).update(is_on=False)
    tell()
    assert outbox.mails == []


def test_what_was_mended_before_anybody_was_told_is_told_when_it_comes_back(quiet: Office, outbox: Outbox) -> None:
    still(quiet.bob)
    notices.note()
    quiet.bob.pull()
    notices.send()
    assert outbox.mails == []
    still(quiet.bob)
    tell()
    assert len(said(outbox, quiet.bob.member)) == 1


def still(post: Post) -> None:
    SyncedMailbox.objects.filter(pk=post.mailbox.pk).update(polled_at=Now() - timedelta(hours=2))


def never(post: Post) -> None:
    rows = SyncedMailbox.objects.filter(pk=post.mailbox.pk)
    rows.update(polled_at=None, starts_at=Now() - timedelta(hours=2))


def behind(post: Post) -> None:
    post.box.arrive()
    post.pull()
    Job.objects.filter(mailbox=post.mailbox).update(
        created_at=Now() - timedelta(hours=2), next_at=Now() - timedelta(hours=2)
    )


def silent(post: Post) -> None:
    Tally.objects.create(mailbox=post.mailbox, day=clock.now().date(), listed=50, missed=7)


def poisoned(post: Post) -> None:
    whose = {"organization": post.member.organization, "mailbox": post.mailbox}
    Decision.objects.create(**whose, message_id="m", outcome="failed", rule="set_aside")


def refused(post: Post) -> None:
    """Salesforce has asked the whole organization to wait, hours ago."""
    Pause.objects.create(organization=post.member.organization, until=Now() + timedelta(hours=1), cause="throttled")
    SyncedMailbox.objects.filter(pk=post.mailbox.pk).update(polled_at=Now() - timedelta(hours=5))


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (still, "not been looked at for longer than it should"),
        (never, "not been looked at for longer than it should"),
        (behind, "waiting for over an hour"),
        (silent, "counting found 7 more"),
        (poisoned, "could not be saved: 1"),
        (refused, "Salesforce asks for a pause"),
    ],
)
def test_each_trouble_is_told(quiet: Office, outbox: Outbox, trouble: Any, words: str) -> None:
    trouble(quiet.bob)
    tell()
    (to_bob,) = said(outbox, quiet.bob.member)
    assert words in to_bob
    assert len(said(outbox, quiet.alice.member)) == 1
    text = "\n".join([*said(outbox, quiet.alice.member), to_bob])
    assert "Canary" not in text
    assert "@" not in text


def test_what_passes_by_itself_is_told_when_it_has_lasted(quiet: Office, outbox: Outbox) -> None:
    quiet.bob.box.errors.append(RateLimited("slow", provider="google", retry_after=20_000.0))
    SyncedMailbox.objects.update(folders_at=None)
    quiet.bob.pull()
    assert quiet.bob.again().parked_for == "throttled"
    tell()
    assert outbox.mails == []
    SyncedMailbox.objects.filter(pk=quiet.bob.mailbox.pk).update(polled_at=Now() - timedelta(hours=5))
    tell()
    assert "Google asks for a pause" in said(outbox, quiet.bob.member)[0]


def test_many_mailboxes_in_trouble_are_one_mail(quiet: Office, outbox: Outbox) -> None:
    over(quiet.alice)
    over(quiet.bob)
    tell()
    (to_alice,) = said(outbox, quiet.alice.member)
    assert "Your mailbox at Google: It waits" in to_alice
    assert "Bob" in to_alice
    silent(quiet.bob)
    tell()
    assert len(outbox.mails) == 2  # both were told something within the hour
    later(hours=2)
    tell()
    assert len(outbox.mails) == 4


def test_administrators_may_be_left_alone(quiet: Office, outbox: Outbox) -> None:
    member = quiet.alice.member
    policy.set_organization_value(str(member.pk), member.organization_id, "notify.admins", False)
    over(quiet.bob)
    tell()
    assert [recipient for recipient, _ in outbox.mails] == [quiet.bob.member.email]


def test_whoever_has_lost_his_powers_or_access_is_told_nothing(quiet: Office, outbox: Outbox) -> None:
    over(quiet.bob)
    notices.note()
    Member.objects.filter(pk=quiet.alice.member.pk).update(is_confirmed=False)
    Member.objects.filter(pk=quiet.bob.member.pk).update(is_active=False)
    notices.send()
    assert outbox.mails == []


def test_a_server_that_is_away_is_asked_again_and_one_that_refuses_tomorrow(quiet: Office, outbox: Outbox) -> None:
    over(quiet.bob)
    outbox.refused |= {quiet.bob.member.email: "550 no such user", quiet.alice.member.email: "451 later"}
    for _ in range(3):
        tell()
        Notice.objects.update(claimed_until=Now() - timedelta(seconds=1))
    outbox.refused.clear()
    tell()
    assert [recipient for recipient, _ in outbox.mails] == [quiet.alice.member.email]
    later(hours=25)
    tell()
    assert len(said(outbox, quiet.bob.member)) == 1


def test_a_mail_whose_answer_was_lost_has_the_same_name_again(quiet: Office, outbox: Outbox) -> None:
    member = quiet.alice.member
    policy.set_organization_value(str(member.pk), member.organization_id, "notify.admins", False)
    over(quiet.bob)
    outbox.cuts = 1
    tell()
    tell()  # somebody may still be at it
    assert len(outbox.mails) == 1
    Notice.objects.update(claimed_until=Now() - timedelta(seconds=1))
    tell()
    assert len(outbox.mails) == 2
    assert len({mail["message-id"] for _, mail in outbox.mails}) == 1


def test_without_a_server_nobody_is_told_and_nothing_is_kept(quiet: Office, settings: LazySettings) -> None:
    settings.EMAIL_HOST = ""
    over(quiet.bob)
    tell()
    assert not Notice.objects.exists()


def test_who_is_well_costs_one_query_however_many(
    quiet: Office, outbox: Outbox, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(4):
        assert notices.note() == 0


def test_a_page_says_what_is_wrong(quiet: Office) -> None:
    def words() -> tuple[str, str]:
        (found,) = standing.of(standing.mine(quiet.bob.member))
        return found.tone, found.words

    assert words() == ("good", "Up to date")
    silent(quiet.bob)
    assert words() == ("warn", "Missed some")
    behind(quiet.bob)
    assert words() == ("warn", "Behind")
    still(quiet.bob)
    assert words() == ("bad", "Standing still")
    mailboxes.switch_off(quiet.bob.mailbox.connection_id)
    assert words() == ("", "Off")


def test_what_was_told_is_forgotten_when_it_is_long_over(quiet: Office, outbox: Outbox) -> None:
    over(quiet.bob)
    tell()
    retention.forget_old()
    assert Notice.objects.count() == 2
    Notice.objects.update(seen_at=datetime.now(UTC) - timedelta(days=3))
    retention.forget_old()
    assert not Notice.objects.exists()


def test_of_several_workers_one_tells(quiet: Office, outbox: Outbox) -> None:
    def sent(_: int) -> int:
        try:
            return notices.send()
        finally:
            connections.close_all()

    over(quiet.bob)
    notices.note()
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(sent, range(4))) == 2
    assert sorted(recipient for recipient, _ in outbox.mails) == ["alice@acme.example", "bob@acme.example"]
