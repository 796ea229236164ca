"""Spans of time that are listed: expired cursors, new folders, backfills. Nothing is wiped, nothing is told twice."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now

from providers.errors import Transient
from sync import backfill, listing, mailboxes, sweep
from sync.models import Decision, Job, Listing, Stream, SyncedMailbox
from tests.sync.conftest import Office, Post

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def test_what_an_expired_cursor_has_missed_is_listed_and_nothing_is_wiped(alice: Post) -> None:
    alice.run()
    known = alice.box.arrive(3)
    alice.run()
    jobs = set(Job.objects.values_list("pk", flat=True))
    missed = alice.box.arrive(5)
    alice.box.expire()
    after = alice.box.arrive(2)
    alice.run()
    assert set(alice.decisions()) == {*known, *missed, *after}
    assert jobs < set(Job.objects.values_list("pk", flat=True))
    assert set(alice.desk.writes.values()) == {1}
    assert Listing.objects.filter(kind="resync").count() == 1


def test_one_listing_an_hour_for_expired_cursors(alice: Post) -> None:
    alice.run()
    for _ in range(3):
        alice.box.expire()
        alice.run()
    assert Listing.objects.filter(kind="resync").count() == 1
    assert alice.stream().expired_at is not None  # waits, with its old cursor
    missed = alice.box.arrive(2)
    SyncedMailbox.objects.update(resynced_at=F("resynced_at") - timedelta(hours=1))
    alice.run()
    assert Listing.objects.filter(kind="resync").count() == 2
    assert alice.stream().expired_at is None
    assert set(alice.decisions()) == set(missed)


def test_it_reaches_back_to_the_last_page_read_and_no_further_than_a_month(alice: Post) -> None:
    alice.run()
    SyncedMailbox.objects.update(starts_at=Now() - timedelta(days=400))
    Stream.objects.update(read_at=Now() - timedelta(days=200))
    alice.box.expire()
    alice.pull()
    row = Listing.objects.get(kind="resync")
    assert timedelta(days=30) < row.until - row.since < timedelta(days=30, minutes=11)


def test_many_streams_that_expire_together_are_one_listing(alice: Post) -> None:
    alice.box.names = ("a", "b", "c")
    alice.run()
    alice.box.expire()
    alice.pull()
    assert Listing.objects.filter(kind="resync").count() == 1
    assert not Stream.objects.exclude(expired_at=None).exists()


def test_what_came_between_switching_on_and_the_first_look_is_listed(alice: Post) -> None:
    early = alice.box.arrive(2)
    too_early = alice.box.keep(at=datetime.now(UTC) - timedelta(days=2))
    alice.run()
    assert set(alice.decisions()) == set(early)
    assert too_early[0] not in alice.decisions()


def test_a_folder_that_appears_is_followed_and_what_is_in_it_already_is_listed(alice: Post) -> None:
    alice.box.names = ("a",)
    alice.run()
    alice.box.names = ("a", "b")
    missed = alice.box.keep(at=datetime.now(UTC))  # told of in another stream than the one that is followed
    alice.run()
    assert alice.decisions() == {}
    SyncedMailbox.objects.update(folders_at=Now() - timedelta(hours=2))
    alice.run()
    assert set(alice.decisions()) == set(missed)
    alice.box.names = ("b",)
    SyncedMailbox.objects.update(folders_at=Now() - timedelta(hours=2))
    alice.run()
    assert alice.stream().name == "b"


def old_mail(alice: Post, days: int) -> list[str]:
    now = datetime.now(UTC)
    return [alice.box.keep(at=now - timedelta(days=day, hours=1))[0] for day in range(1, days + 1)]


def test_a_backfill_tells_how_far_it_is_and_brings_each_mail_once(alice: Post) -> None:
    alice.run()
    ids = old_mail(alice, 10)
    backfill.start(alice.again(), datetime.now(UTC) - timedelta(days=6))
    with pytest.raises(backfill.RunningAlready):
        backfill.start(alice.again(), datetime.now(UTC) - timedelta(days=20))
    shares = []
    while listing.proceed(alice.mailbox.pk):
        shares.append(progress(alice).share)
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.5
    assert (progress(alice).share, progress(alice).is_listed, progress(alice).found) == (1.0, True, 5)
    assert progress(alice).left > 0
    alice.run()
    assert set(ids[:5]) <= set(alice.decisions())
    assert progress(alice).left == 0
    assert set(alice.desk.writes.values()) == {1}


def progress(alice: Post) -> backfill.Progress:
    found = backfill.progress(alice.mailbox)
    assert found is not None
    return found


def test_a_window_that_breaks_off_is_listed_again(alice: Post) -> None:
    alice.run()
    ids = [old_mail(alice, 1)[0] for _ in range(8)]
    backfill.start(alice.again(), datetime.now(UTC) - timedelta(days=2))
    listed = alice.box.listed

    def broken(*arguments: object, **options: object) -> object:
        if options.get("page") == "6":
            alice.box.listed = listed  # type: ignore[method-assign]
            raise Transient("cut", provider="google")
        return listed(*arguments, **options)  # type: ignore[arg-type]

    alice.box.listed = broken  # type: ignore[method-assign,assignment]
    alice.run()
    assert set(ids) == set(alice.decisions())


def test_a_cancelled_backfill_stops_and_what_was_found_is_not_looked_at(alice: Post) -> None:
    alice.run()
    old_mail(alice, 5)
    backfill.start(alice.again(), datetime.now(UTC) - timedelta(days=6))
    assert backfill.progress(alice.mailbox) is not None
    listing.proceed(alice.mailbox.pk)
    listing.proceed(alice.mailbox.pk)
    assert backfill.cancel(alice.mailbox)
    assert not backfill.cancel(alice.mailbox)
    alice.run()
    assert alice.decisions() == {}
    assert progress(alice).is_cancelled


def test_there_is_nothing_to_fill_after_the_beginning(alice: Post) -> None:
    with pytest.raises(ValueError, match="before"):
        backfill.start(alice.mailbox, datetime.now(UTC) + timedelta(days=1))
    assert backfill.progress(alice.mailbox) is None


def test_listing_waits_while_enough_jobs_wait(alice: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    alice.run()
    old_mail(alice, 5)
    backfill.start(alice.again(), datetime.now(UTC) - timedelta(days=6))
    monkeypatch.setattr(listing, "ENOUGH", 1)
    for _ in range(10):
        listing.proceed(alice.mailbox.pk)
    assert 0 < Job.objects.exclude(state="done").count() <= 2
    assert alice.mailbox.pk in sweep.to_list()


def test_switched_off_and_on_again_it_begins_anew(office: Office) -> None:
    alice = office.alice
    alice.run()
    alice.box.arrive()
    mailboxes.switch_off(alice.mailbox.connection_id)
    assert alice.pull() is False
    meanwhile = alice.box.keep(at=datetime.now(UTC) - timedelta(minutes=30))
    mailboxes.switch_on(alice.mailbox.connection_id)
    alice.run()
    assert meanwhile[0] not in alice.decisions()
    assert Decision.objects.count() <= 1
