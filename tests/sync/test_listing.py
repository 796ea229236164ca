"""Spans of time that are listed: expired cursors, new folders, backfills. Nothing is wiped, nothing is told twice."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now

from organizations import policy
from providers.errors import NotFound, Transient
from sync import backfill, intake, jobs, listing, mailboxes, standing, sweep
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
    assert alice.stream().missed_since is not None  # waits to be listed
    assert standing_of(alice) == "Catching up"
    told = alice.box.arrive(2)
    alice.run()
    assert set(alice.decisions()) == set(told)
    missed = alice.box.keep(at=datetime.now(UTC))
    SyncedMailbox.objects.update(resynced_at=F("resynced_at") - timedelta(hours=1))
    alice.run()
    assert Listing.objects.filter(kind="resync").count() == 2
    assert alice.stream().missed_since is None
    assert set(alice.decisions()) == {*told, *missed}
    assert standing_of(alice) == "Up to date"


def standing_of(post: Post) -> str:
    return standing.of(SyncedMailbox.objects.filter(pk=post.mailbox.pk))[0].words


def test_it_reaches_back_to_the_last_page_read_and_no_further_than_a_month(alice: Post) -> None:
    alice.run()
    SyncedMailbox.objects.update(starts_at=Now() - timedelta(days=400))
    Stream.objects.update(read_at=Now() - timedelta(days=200))
    alice.box.expire()
    alice.pull()
    row = Listing.objects.get(kind="resync")
    assert timedelta(days=30) < row.until - row.since < timedelta(days=30, minutes=11)
    mailbox = alice.again()
    assert timedelta(0) <= mailbox.starts_at - row.since < timedelta(minutes=10)
    backfill.start(mailbox, row.since - timedelta(days=10))  # the rest may be asked for


def test_many_streams_that_expire_together_are_one_listing(alice: Post) -> None:
    alice.box.names = ("a", "b", "c")
    alice.run()
    alice.box.expire()
    alice.pull()
    assert Listing.objects.filter(kind="resync").count() == 1
    assert not Stream.objects.exclude(missed_since=None).exists()


def test_a_stream_that_expires_just_after_another_was_listed_is_told_of_and_listed_later(alice: Post) -> None:
    alice.box.names = ("a", "b")
    alice.run()
    alice.box.expire()
    alice.run()
    Stream.objects.filter(name="b").update(missed_since=Now() - timedelta(minutes=5))
    late = alice.box.keep(at=datetime.now(UTC))
    told = alice.box.arrive(2)
    alice.run()
    assert set(alice.decisions()) == set(told)
    SyncedMailbox.objects.update(resynced_at=F("resynced_at") - timedelta(hours=1))
    alice.run()
    assert set(alice.decisions()) == {*told, *late}
    assert Listing.objects.filter(kind="resync").count() == 2


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


def test_a_folder_that_went_away_has_nothing_listed_that_is_known(alice: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside a new one: that may have missed what came since the last look through, and not all that ever came."""
    alice.box.names = ("a", "b")
    alice.run()
    SyncedMailbox.objects.update(starts_at=Now() - timedelta(days=200))
    changes = alice.box.changes

    def told(stream: str, cursor: str, *, most: int = 100) -> object:
        if stream == "a":
            raise NotFound("no such folder", provider="microsoft")
        return changes(stream, cursor, most=most)

    monkeypatch.setattr(alice.box, "changes", told)
    alice.pull()
    alice.box.names = ("b", "c")
    alice.run()
    assert set(Stream.objects.values_list("name", flat=True)) == {"b", "c"}
    row = Listing.objects.latest("created_at")
    assert row.until - row.since < timedelta(hours=2)


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


def test_a_day_with_much_mail_is_listed_in_parts(alice: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "IN_A_WINDOW", 3)
    alice.run()
    day = datetime.now(UTC) - timedelta(days=1)
    ids = {alice.box.keep(at=day + timedelta(minutes=20 * number))[0] for number in range(60)}
    ids |= set(alice.box.keep(20, at=day + timedelta(minutes=100)))  # no window is too short for these
    backfill.start(alice.again(), datetime.now(UTC) - timedelta(days=3))
    before, turns = alice.box.calls["listed"], 0
    while alice.list_more():
        turns += 1
        assert alice.box.calls["listed"] - before < 30
        before = alice.box.calls["listed"]
    assert turns > 5
    assert set(Job.objects.values_list("message_id", flat=True)) == ids
    assert progress(alice).found == len(ids)


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
    backfill.start(alice.again(), datetime.now(UTC) - timedelta(days=6))  # and once more, after all
    alice.run()
    assert len(alice.decisions()) == 5


def test_what_stayed_out_for_its_age_is_looked_at_once_a_backfill_reaches_it(alice: Post) -> None:
    """Somebody has read an old mail, so that its provider told of it as of anything that happens."""
    alice.run()
    (old,) = old_mail(alice, 1)
    alice.box.tell(old)
    alice.run()
    Decision.objects.filter(message_id=old).update(outcome="ignored", rule="before_start")
    backfill.start(alice.again(), datetime.now(UTC) - timedelta(days=3))
    alice.list_more()
    assert backfill.cancel(alice.again())
    alice.run()
    assert alice.decisions() == {old: "before_start"}
    backfill.start(alice.again(), datetime.now(UTC) - timedelta(days=3))
    alice.run()
    assert alice.decisions() == {old: "matched"}


def test_a_cancelled_backfill_takes_along_nothing_that_others_have_found(alice: Post) -> None:
    alice.run()
    awaited = alice.box.keep(at=datetime.now(UTC))
    intake.take_in_listed(alice.mailbox, awaited)
    alice.run()
    jobs.again(alice.mailbox.pk, awaited)  # its person has appeared
    missed = alice.box.arrive(2)
    alice.box.expire()
    alice.pull()
    while alice.list_more():
        pass
    old_mail(alice, 3)
    backfill.start(alice.again(), datetime.now(UTC) - timedelta(days=6))
    alice.list_more()
    assert backfill.cancel(alice.again())
    assert set(Job.objects.filter(state="due").values_list("message_id", flat=True)) == set(awaited)
    alice.run()
    assert set(alice.decisions()) == {*awaited, *missed}


def test_an_organization_may_allow_no_backfill_and_none_reaches_back_for_ever(alice: Post) -> None:
    with pytest.raises(ValueError, match="long"):
        backfill.start(alice.mailbox, datetime.now(UTC) - backfill.LONGEST - timedelta(days=1))
    policy.set_organization_value(str(alice.member.pk), alice.member.organization_id, "sync.backfill", False)
    with pytest.raises(backfill.SwitchedOff):
        backfill.start(alice.mailbox, datetime.now(UTC) - timedelta(days=6))
    assert backfill.progress(alice.mailbox) is None


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


def test_what_was_missed_goes_before_a_backfill_that_is_under_way(alice: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its listing does not wait for the backfill's jobs, and its mail is looked at before these."""
    alice.run()
    old = old_mail(alice, 5)
    backfill.start(alice.again(), datetime.now(UTC) - timedelta(days=6))
    monkeypatch.setattr(listing, "ENOUGH", 1)
    for _ in range(3):
        alice.list_more()
    before = set(Job.objects.values_list("message_id", flat=True))
    assert before
    missed = set(alice.box.arrive(2))
    alice.box.expire()
    SyncedMailbox.objects.update(resynced_at=None)
    alice.pull()
    alice.list_more()
    assert not Listing.objects.filter(kind="resync", ended_at=None).exists()
    assert Listing.objects.filter(kind="backfill", ended_at=None).exists()
    assert missed < set(Job.objects.values_list("message_id", flat=True))
    live = alice.box.arrive()
    alice.pull()
    in_turn = [task.message_id for task in jobs.claim(alice.mailbox.pk)]
    assert (in_turn[0], set(in_turn[1:3])) == (live[0], missed)
    assert before <= set(in_turn[3:])
    assert not Job.objects.filter(message_id__in=[*missed, *old], is_live=True).exists()


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
