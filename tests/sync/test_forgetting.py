"""What goes, and when: old decisions, an organization that is destroyed. The ledger stays until then."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.apps import apps
from django.db.models import F
from django.db.models.functions import Now

from organizations.registries import erasers
from sync import backfill, erasing, retention, undoing
from sync.models import (
    Conversation,
    Correction,
    Decision,
    Job,
    LedgerEntry,
    NotedMail,
    Notice,
    Pause,
    Stream,
    Subscription,
    SyncedMailbox,
    Tally,
    Waiting,
)
from tests.sync.conftest import Office, Post

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def fill(post: Post) -> None:
    """A row in every table."""
    post.run()
    post.box.arrive(2)
    post.box.arrive(matches=False)
    post.run()
    backfill.start(post.mailbox, post.mailbox.starts_at - timedelta(days=3))
    Subscription.objects.create(
        mailbox=post.mailbox, provider_id="s", secret_digest=b"", expires_at=Now(), renew_at=Now()
    )
    Conversation.objects.create(mailbox=post.mailbox, thread_id="t", is_private=True)
    Pause.objects.create(organization=post.member.organization, until=Now(), cause="throttled")
    whose = {"organization": post.member.organization, "mailbox": post.mailbox, "recipient": post.member}
    Notice.objects.create(**whose, trouble="silence")
    noted = {"organization": post.member.organization, "member": post.member, "message_mark": b"m"}
    NotedMail.objects.create(**noted, mail_id=uuid4())
    assert undoing.undo_mail(post.member, Decision.objects.filter(mailbox=post.mailbox, outcome="synced")[0].pk)


def test_an_organization_leaves_nothing_here_and_another_loses_nothing(office: Office) -> None:
    fill(office.alice)
    fill(office.charlie)
    mine, theirs = (each.member.organization_id for each in (office.alice, office.charlie))
    eraser = dict(erasers)["sync"]
    before = eraser.count(theirs)
    assert 0 not in {*eraser.count(mine).values(), *before.values()}
    assert str(office.alice.mailbox.pk) in {str(name) for name in eraser.names(mine)}
    eraser.erase(mine)
    assert set(eraser.count(mine).values()) == {0}
    assert eraser.count(theirs) == before
    eraser.erase(mine)


def test_every_table_of_this_room_is_erased() -> None:
    models = {model.__name__ for model in apps.get_app_config("sync").get_models()}
    kinds = {rows.model.__name__ for rows in erasing._kinds(SyncedMailbox().pk).values()}
    assert kinds == models


def test_a_job_under_way_while_its_organization_goes_stores_nothing(alice: Post) -> None:
    alice.run()
    alice.box.arrive()
    alice.pull()
    headings = alice.box.headings

    def erased_meanwhile(ids: list[str]) -> object:
        erasing.erase(alice.member.organization_id)
        return headings(ids)

    alice.box.headings = erased_meanwhile  # type: ignore[method-assign,assignment]
    alice.desk.box = alice.box
    alice.work()
    assert not Decision.objects.exists()
    assert not Job.objects.exists()
    assert not LedgerEntry.objects.exists()


def test_old_decisions_go_with_their_jobs_and_the_ledger_stays(alice: Post) -> None:
    alice.run()
    ids = alice.box.arrive(3)
    alice.run()
    Job.objects.filter(message_id__in=ids[:2]).update(created_at=Now() - timedelta(days=91))
    retention.forget_old()
    assert list(alice.decisions()) == ids[2:]
    assert Job.objects.count() == 1
    assert LedgerEntry.objects.count() == 3
    alice.box.tell(ids[0])
    alice.run()
    assert alice.decisions()[ids[0]] == "matched"
    assert len(alice.desk.records) == 3
    assert alice.desk.writes[ids[0]] == 1


def test_what_is_not_done_is_not_forgotten(alice: Post) -> None:
    alice.run()
    alice.box.arrive()
    alice.pull()
    Job.objects.update(created_at=Now() - timedelta(days=200))
    retention.forget_old()
    assert Job.objects.count() == 1


def test_waiting_ends_after_its_time(alice: Post) -> None:
    alice.run()
    alice.box.arrive(matches=False)
    alice.run()
    retention.forget_old()
    assert Waiting.objects.count() == 1
    Waiting.objects.update(until=Now())
    retention.forget_old()
    assert not Waiting.objects.exists()
    assert Stream.objects.count() == 1


def test_tallies_and_notices_go_with_their_time(alice: Post) -> None:
    alice.run()
    alice.box.arrive()
    alice.run()
    whose = {"organization": alice.member.organization, "mailbox": alice.mailbox, "recipient": alice.member}
    Notice.objects.create(**whose, trouble="silence")
    retention.forget_old()
    assert (Tally.objects.count(), Notice.objects.count()) == (1, 1)
    Tally.objects.update(day=F("day") - timedelta(days=91))
    Notice.objects.update(seen_at=Now() - timedelta(days=3))
    retention.forget_old()
    assert (Tally.objects.count(), Notice.objects.count()) == (0, 0)


def test_a_correction_goes_with_its_steps_and_what_it_did_to_the_ledger_stays(alice: Post) -> None:
    alice.run()
    alice.box.arrive(2)
    alice.run()
    for row in Decision.objects.all():
        undoing.undo_mail(alice.member, row.pk)
    (old, _) = Correction.objects.order_by("created_at")
    Correction.objects.filter(pk=old.pk).update(ended_at=Now() - timedelta(days=91))
    retention.forget_old()
    assert not Correction.objects.filter(pk=old.pk).exists()
    assert Correction.objects.count() == 1
    assert LedgerEntry.objects.exclude(undone_at=None).count() == 2
