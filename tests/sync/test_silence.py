"""What a provider has and never told of is found by its own list, counted, and not lost."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now

from providers.errors import Transient
from providers.mail import Change, Listed
from sync import backfill, cursors, pull, silence, sweep, tallies
from sync.models import Listing, SyncedMailbox, Tally
from tests.sync.conftest import Office, Post

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def earlier(hours: float) -> datetime:
    return datetime.now(UTC) - timedelta(hours=hours)


def begun(post: Post, days: int = 1) -> None:
    """It has been synced for so long, and compared up to two hours ago."""
    post.run()
    SyncedMailbox.objects.filter(pk=post.mailbox.pk).update(
        starts_at=Now() - timedelta(days=days), counted_until=Now() - timedelta(hours=2)
    )


def compare(post: Post) -> None:
    """Up to now, whatever day began meanwhile: a new one has a comparison of its own, which is hours away."""
    before, reached = None, post.again().counted_until
    while reached != before:
        silence.compare(post.mailbox.pk)
        before, reached = reached, post.again().counted_until


def counted() -> tuple[int, int]:
    rows = Tally.objects.all()
    return sum(row.listed for row in rows), sum(row.missed for row in rows)


def test_what_nobody_told_of_is_counted_and_taken_in(alice: Post) -> None:
    begun(alice)
    told = alice.box.arrive(4, at=earlier(1.5))
    alice.run()
    untold = alice.box.keep(3, at=earlier(1.5))
    compare(alice)
    assert counted() == (7, 3)
    alice.run()
    assert set(alice.decisions()) == {*told, *untold}
    compare(alice)
    assert counted() == (7, 3)


def test_what_is_on_its_way_lies_elsewhere_or_is_gone_was_not_missed(alice: Post) -> None:
    begun(alice)
    alice.box.arrive(2, at=earlier(1.5))  # not read yet
    elsewhere, gone, *_ = alice.box.keep(2, at=earlier(1.5))
    alice.box.mails[elsewhere].folders = ("ELSEWHERE",)
    alice.box.keep(1, at=earlier(0.5))  # the provider may still tell of it
    alice.box.keep(1, at=earlier(2.5))  # compared before
    arrived_at = alice.box.mails.pop(gone).arrived_at
    listed = alice.box.listed

    def listed_with_the_gone(since: datetime, until: datetime, *, page: str = "", most: int = 100) -> Listed:
        found = listed(since, until, page=page, most=most)
        return Listed((*found.message_ids, gone), found.next_page) if since <= arrived_at < until else found

    alice.box.listed = listed_with_the_gone  # type: ignore[method-assign]
    compare(alice)
    assert counted()[1] == 0
    assert counted()[0] >= 4


def test_each_day_has_its_own_numbers(alice: Post) -> None:
    begun(alice, days=9)
    SyncedMailbox.objects.update(counted_until=Now() - timedelta(days=5))
    alice.box.keep(1, at=earlier(24 * 4))  # for longer than it is compared: a listing's business
    ids = [alice.box.keep(2, at=earlier(24 * days + 2))[0] for days in range(3)]
    assert silence.compare(alice.mailbox.pk)
    compare(alice)
    days = [row.day for row in Tally.objects.exclude(missed=0).order_by("day")]
    assert days == sorted({alice.box.mails[each].arrived_at.date() for each in ids})
    assert counted() == (6, 6)
    assert [row.day for row in tallies.latest([alice.mailbox.pk])[alice.mailbox.pk]] == days[::-1]


def test_changes_are_counted_as_often_as_they_are_told(alice: Post) -> None:
    begun(alice)
    (one,) = alice.box.arrive(1)
    alice.box.log.append(("", Change(one, folders=("INBOX",))))
    alice.run()
    assert Tally.objects.get().told == 2


def test_nothing_is_said_while_a_listing_runs_or_changes_cannot_be_read(alice: Post) -> None:
    begun(alice)
    alice.box.keep(1, at=earlier(1.5))
    listed = cursors.open_listing(alice.again(), Listing.Kind.RESYNC, earlier(3))
    compare(alice)
    assert counted() == (0, 0)
    listed.delete()
    SyncedMailbox.objects.update(folders_at=None)
    alice.box.errors.append(Transient("away", provider="google"))
    compare(alice)
    assert counted() == (0, 0)
    assert alice.again().count_at < datetime.now(UTC) + silence.AGAIN + timedelta(minutes=1)
    SyncedMailbox.objects.update(parked_until=None)
    compare(alice)
    assert counted() == (1, 1)


def test_a_backfill_keeps_no_alarm_silent(alice: Post) -> None:
    """It takes days, and lists what is older than anything that was compared; of whom nothing was yet, it waits."""
    begun(alice)
    alice.box.keep(1, at=earlier(1.5))
    alice.box.keep(2, at=earlier(30))
    assert backfill.start(alice.again(), earlier(48))
    SyncedMailbox.objects.update(counted_until=None)
    compare(alice)
    assert counted() == (0, 0)
    SyncedMailbox.objects.update(counted_until=Now() - timedelta(hours=2))
    compare(alice)
    assert counted() == (1, 1)


def test_what_is_still_being_read_was_not_missed(alice: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    begun(alice)
    ids = alice.box.arrive(7, at=earlier(1.5))
    with monkeypatch.context() as hurried:
        hurried.setattr(pull, "SLICE", 0.0)
        compare(alice)
    assert counted() == (0, 0)
    compare(alice)
    assert counted() == (len(ids), 0)


def test_a_list_that_breaks_off_counts_nothing(alice: Post) -> None:
    begun(alice)
    alice.box.keep(5, at=earlier(1.5))
    listed = alice.box.listed

    def broken(*args: object, **options: object) -> object:
        if options.get("page"):
            raise Transient("cut", provider="google")
        return listed(*args, **options)  # type: ignore[arg-type]

    alice.box.listed = broken  # type: ignore[method-assign, assignment]
    compare(alice)
    assert counted() == (0, 0)
    alice.box.listed = listed  # type: ignore[method-assign]
    compare(alice)
    assert counted() == (5, 5)


def test_each_mailbox_is_compared_four_times_a_day(office: Office) -> None:
    everybody = {each.mailbox.pk for each in (office.alice, office.bob, office.charlie)}
    assert set(sweep.to_compare()) == everybody
    assert sweep.to_compare() == []
    SyncedMailbox.objects.update(count_at=F("count_at") - silence.EVERY)
    assert set(sweep.to_compare()) == everybody
