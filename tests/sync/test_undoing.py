"""Mail taken out of Salesforce again, and saved with others: at the simulated Salesforce, in both forms it keeps mail
in, whoever dies meanwhile; and only by those who may."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db.models.functions import Now

from organizations.models import AuditEntry, Member, Role
from providers.activities import Activities, Logged, Removed
from providers.errors import NeedsReconnect, RateLimited, Rejected, Transient
from sync import asked, conversations, correcting, corrections, putting_back, undoing
from sync.asked import Whence
from sync.letters import Letter
from sync.mime import read
from sync.models import CorrectionStep, Decision, Job, LedgerEntry, NotedMail, Pause, SyncedMailbox
from sync.reasons import Rule
from sync.undoing import HasChanged, NotAllowed, Span
from tests.providers.desks import fault
from tests.simulators.running import salesforce, salesforce_process
from tests.sync.dying import reaping
from tests.sync.rooms import FORMS, Room, proceed, room, rule_of

__all__ = ["room", "salesforce", "salesforce_process"]
pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
COMPOSITE = "/services/data/v62.0/composite"


def span(**changes: Any) -> Span:
    now = datetime.now(UTC)
    return Span(**{"rule": Rule.MATCHED, "since": now - timedelta(days=1), "until": now + timedelta(days=1), **changes})


# -- one email --------------------------------------------------------------------------------------------------------


def test_an_email_goes_and_says_so(room: Room) -> None:
    row, other = room.save(room.alice), room.save(room.alice, thread="other")
    begun = undoing.undo_mail(room.alice.member, row.pk)
    assert LedgerEntry.objects.get(salesforce_id=row.activity_id).undone_at is not None
    assert undoing.undo_mail(room.alice.member, row.pk) == begun  # asked for twice
    assert proceed(begun) == {"deleted": 1}
    assert room.there() == {other.activity_id}
    again = Decision.objects.get(pk=row.pk)
    assert (again.outcome, again.rule, again.activity_id, again.record_ids) == ("ignored", "taken_back", "", [])
    assert rule_of(other) == "matched"
    assert undoing.undo_mail(room.alice.member, row.pk) is None
    told = AuditEntry.objects.filter(action__startswith="sync.undo").order_by("sequence")
    assert [each.action for each in told] == ["sync.undo_asked", "sync.undo_ended"]
    assert told[1].facts == {"deleted": 1}


def test_what_somebody_has_changed_stays_and_is_ours_still(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    row = room.save(room.alice)
    monkeypatch.setattr(type(room.desk.activities), "take_back", lambda *_: Removed.CHANGED)
    assert proceed(undoing.undo_mail(room.alice.member, row.pk)) == {"changed": 1}
    assert LedgerEntry.objects.get().undone_at is None
    assert rule_of(row) == "matched"


def test_our_own_later_writing_is_no_change(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A colleague's copy, opens that were noted, people who were chosen."""
    row = room.save(room.alice, room.bob)
    entry = LedgerEntry.objects.get()
    marks = {"message_mark": entry.message_mark, "mail_id": uuid4(), "organization_id": entry.organization_id}
    NotedMail.objects.create(member=room.alice.member, noted_at=Now(), beside_id="00T000000000001AAA", **marks)
    asked: list[Any] = []

    def take_back(_: Activities, *each: Any) -> Removed:
        asked.append(each)
        return Removed.DELETED

    monkeypatch.setattr(type(room.desk.activities), "take_back", take_back)
    assert room.alice.member.is_administrator
    bobs = Decision.objects.get(mailbox=room.bob.mailbox)
    assert proceed(undoing.undo_mail(room.alice.member, bobs.pk)) == {"deleted": 1}
    ((logged, key, known),) = asked
    assert (logged.id, logged.others, key) == (row.activity_id, ("00T000000000001AAA",), entry.key)
    assert len(known) == 4  # written, two looks, noted


def test_a_colleague_who_has_it_too_keeps_it(room: Room) -> None:
    row = room.save(room.alice, room.bob)
    mine = Decision.objects.get(mailbox=room.bob.mailbox)
    room.desk.activities.add_relations(Logged(room.form, row.activity_id), [])
    assert proceed(undoing.undo_mail(room.bob.member, mine.pk)) == {"left": 1}
    assert room.there() == {row.activity_id}
    assert (rule_of(mine), rule_of(row)) == ("taken_back", "matched")
    assert LedgerEntry.objects.get().undone_at is None
    assert proceed(undoing.undo_mail(room.alice.member, row.pk)) == {"deleted": 1}  # the last one who has it
    assert room.there() == set()


def test_what_an_administrator_takes_back_goes_for_all_in_its_writers_name(room: Room) -> None:
    row = room.save(room.bob, room.alice)
    room.desk.salesforce.reset(only=["calls"])
    assert proceed(undoing.undo_mail(room.alice.member, row.pk)) == {"deleted": 1}
    assert room.there() == set()
    assert set(Decision.objects.values_list("rule", flat=True)) == {"taken_back"}
    assert {call["user"] for call in room.desk.salesforce.calls("acme") if call["method"] == "POST"} == {"bob"}


def test_without_the_writers_connection_the_administrators_serves(room: Room) -> None:
    row, second = room.save(room.bob), room.save(room.bob)
    room.broken[room.bob.member.pk] = NeedsReconnect("gone", provider="salesforce")
    assert proceed(undoing.undo_mail(room.alice.member, row.pk)) == {"deleted": 1}
    room.broken[room.alice.member.pk] = NeedsReconnect("gone", provider="salesforce")
    assert proceed(undoing.undo_mail(room.alice.member, second.pk)) == {"nobody": 1}
    assert room.there() == {second.activity_id}
    assert LedgerEntry.objects.get(salesforce_id=second.activity_id).undone_at is None


def test_who_is_no_administrator_any_more_takes_nothing_of_others_back(room: Room) -> None:
    row = room.save(room.bob)
    begun = undoing.undo_mail(room.alice.member, row.pk)
    Member.objects.filter(pk=room.alice.member.pk).update(role=Role.USER)
    assert proceed(begun) == {"nobody": 1}
    assert room.there() == {row.activity_id}


# -- trouble ----------------------------------------------------------------------------------------------------------


def test_a_worker_that_dies_before_any_statement_costs_nothing(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every other place with one form, the places between with the other: our statements are the same."""
    places = range(list(FORMS).index(room.form), 60, 2)
    for place in places:
        row = room.save(room.alice)
        begun = undoing.undo_mail(room.alice.member, row.pk)
        assert begun is not None
        with reaping(monkeypatch, place) as reaper:
            correcting.proceed(begun.pk)
        found = proceed(begun)
        assert set(found) <= {"deleted", "gone"}
        assert (sum(found.values()), room.there(), rule_of(row)) == (1, set(), "taken_back")
        if not reaper.is_dead:
            break
    assert 5 < place < 58
    ended = AuditEntry.objects.filter(action="sync.undo_ended").values_list("target", flat=True)
    assert len(ended) == len(set(ended)) == places.index(place) + 1


def test_a_lost_answer_is_asked_for_again(room: Room) -> None:
    for calls in range(4):
        row = room.save(room.alice)
        fault(room.desk, COMPOSITE, cut_after=0, skip=calls)
        assert set(proceed(undoing.undo_mail(room.alice.member, row.pk))) <= {"deleted", "gone"}
        room.desk.salesforce.reset(only=["faults"])
        assert (room.there(), rule_of(row)) == (set(), "taken_back")


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (Rejected("no", provider="salesforce", code="FIELD_X"), "refused"),
        (Transient("no", provider="salesforce"), "gave_up"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_has_changed(
    room: Room, monkeypatch: pytest.MonkeyPatch, error: Exception, result: str
) -> None:
    row = room.save(room.alice)
    monkeypatch.setattr(type(room.desk.activities), "take_back", _raising(error))
    begun = undoing.undo_mail(room.alice.member, row.pk)
    assert proceed(begun) == {result: 1}
    assert LedgerEntry.objects.get().undone_at is None
    assert rule_of(row) == "matched"
    assert begun is not None
    assert corrections.progress([begun])[0].codes == (("FIELD_X",) if result == "refused" else ())


def _raising(error: Exception) -> Any:
    def take_back(*_: object) -> Removed:
        raise error

    return take_back


def test_while_salesforce_wants_a_pause_nothing_is_tried(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    row = room.save(room.alice)
    begun = undoing.undo_mail(room.alice.member, row.pk)
    assert begun is not None
    with monkeypatch.context() as patched:
        error = RateLimited("busy", provider="salesforce", retry_after=60.0)
        patched.setattr(type(room.desk.activities), "take_back", _raising(error))
        assert not correcting.proceed(begun.pk)
    assert Pause.objects.filter(until__gt=Now()).exists()
    CorrectionStep.objects.update(next_at=Now() - timedelta(seconds=1))
    assert corrections.to_go_on() == []
    assert CorrectionStep.objects.get().tries == 0
    Pause.objects.all().delete()
    assert proceed(begun) == {"deleted": 1}


def test_how_far_somebody_elses_has_come_is_an_administrators_to_see(room: Room) -> None:
    row = room.save(room.bob)
    begun = undoing.undo_span(room.alice.member, span(), expected=1)
    assert undoing.undo_mail(room.bob.member, row.pk) is None
    assert undoing.undo_mail(room.alice.member, row.pk) == begun


@pytest.mark.parametrize("is_writer_first", [True, False])
def test_what_a_colleague_has_asked_for_stays_until_both_take_it_back(room: Room, *, is_writer_first: bool) -> None:
    """Of an email that was saved on request there is no decision in the mailbox it is from."""
    row = room.save(room.alice, room.bob, rule=Rule.ASKED_FOR)
    joined = Decision.objects.get(mailbox=room.bob.mailbox)
    Decision.objects.filter(mailbox=room.alice.mailbox).delete()

    def writers() -> dict[str, int]:
        return proceed(undoing.undo_activity(room.alice.member, row.activity_id))

    def bobs() -> dict[str, int]:
        return proceed(undoing.undo_mail(room.bob.member, joined.pk))

    first, second = (writers, bobs) if is_writer_first else (bobs, writers)
    assert first() == {"left": 1}
    assert room.there() == {row.activity_id}
    assert second() == {"deleted": 1}


def test_a_colleague_keeps_it_after_the_decisions_on_it_were_forgotten(room: Room) -> None:
    row = room.save(room.bob, room.alice)
    Decision.objects.all().delete()  # after 90 days
    assert proceed(undoing.undo_span(room.bob.member, span(), expected=1)) == {"left": 1}
    assert room.there() == {row.activity_id}
    assert LedgerEntry.objects.get().stands_for == [room.alice.member.pk]
    assert proceed(undoing.undo_activity(room.alice.member, row.activity_id)) == {"deleted": 1}
    assert room.there() == set()


@pytest.mark.parametrize("is_synced", [True, False])
def test_a_colleague_who_has_handed_it_over_keeps_it(room: Room, *, is_synced: bool) -> None:
    """There is no decision on it of his. The last one who has it takes it out."""
    SyncedMailbox.objects.filter(member=room.bob.member).delete()
    if not is_synced:
        SyncedMailbox.objects.all().delete()
    first, second = room.alice.member, room.bob.member
    mail = handed_over(room.desk.ids("Contact", 1)[0]["Email"])
    (activity_id,) = {asked.log_letter_now(each, mail, Whence()).activity_id for each in (first, second)}
    assert not Decision.objects.exists()
    assert proceed(undoing.undo_activity(first, activity_id)) == {"left": 1}
    assert room.there() == {activity_id}
    assert proceed(undoing.undo_activity(second, activity_id)) == {"deleted": 1}
    assert room.there() == set()


def handed_over(sender: str) -> Letter:
    about = "To: alice@acme.example\r\nSubject: Unmistakable letter\r\nMessage-ID: <h@mail.example>\r\n"
    return read([f"From: {sender}\r\n{about}\r\nYes.\r\n".encode()], datetime.now(UTC))


# -- a conversation, a rule -------------------------------------------------------------------------------------------


def test_a_conversation_goes_and_others_stay(room: Room) -> None:
    rows = [room.save(room.alice, thread="t") for _ in range(3)]
    other, bobs = room.save(room.alice, thread="u"), room.save(room.bob, thread="t")
    assert proceed(undoing.undo_thread(room.alice.member, "google", "t")) == {"deleted": 3}
    assert room.there() == {other.activity_id, bobs.activity_id}
    assert {rule_of(row) for row in rows} == {"taken_back"}
    assert undoing.undo_thread(room.alice.member, "google", "t") is None
    assert undoing.undo_thread(room.alice.member, "microsoft", "u") is None


def test_what_a_rule_has_saved_is_counted_first_and_goes_then(room: Room) -> None:
    for _ in range(2):
        room.save(room.alice, room.bob)
    mine, asked = room.save(room.bob), room.save(room.bob, rule=Rule.ASKED_FOR)
    administrator = room.alice.member
    assert undoing.count(administrator, span()).count == 3
    assert undoing.count(administrator, span()).members == 2
    assert undoing.count(administrator, span(member_id=room.bob.member.pk)).count == 1
    assert undoing.count(administrator, span(domain="elsewhere.example")).count == 0
    assert undoing.count(administrator, span(until=datetime.now(UTC) - timedelta(hours=1))).count == 0
    with pytest.raises(HasChanged):
        undoing.undo_span(administrator, span(), expected=2)
    begun = undoing.undo_span(administrator, span(domain="Customer.Example"), expected=3)
    assert proceed(begun) == {"deleted": 3}
    assert room.there() == {asked.activity_id}
    assert (rule_of(mine), rule_of(asked)) == ("taken_back", "asked_for")
    assert undoing.count(administrator, span()).count == 0


def test_without_an_administrators_role_only_ones_own_goes(room: Room) -> None:
    row, alices = room.save(room.bob), room.save(room.alice, room.bob)
    bob = room.bob.member
    with pytest.raises(NotAllowed):
        undoing.count(bob, span(member_id=room.alice.member.pk))
    assert undoing.count(bob, span()).count == 1
    assert proceed(undoing.undo_span(bob, span(), expected=1)) == {"deleted": 1}
    assert room.there() == {alices.activity_id}
    assert rule_of(row) == "taken_back"


def test_strangers_and_colleagues_can_do_nothing(room: Room) -> None:
    row = room.save(room.alice)
    for member in (room.bob.member, room.office.charlie.member):
        assert undoing.undo_mail(member, row.pk) is None
        assert undoing.relink_mail(member, row.pk, ["003000000000001AAA"]) is None
        assert undoing.undo_thread(member, "google", "t") is None
    assert undoing.count(room.office.charlie.member, span()).count == 0
    begun = undoing.undo_mail(room.alice.member, row.pk)
    assert begun not in corrections.seen_by(room.bob.member)
    assert begun not in corrections.seen_by(room.office.charlie.member)
    assert begun in corrections.seen_by(room.alice.member)


# -- other people -----------------------------------------------------------------------------------------------------


def test_an_email_stands_with_others_instead(room: Room) -> None:
    row = room.save(room.alice)
    first, second = (each["Id"] for each in room.desk.ids("Contact", 2))
    for _ in range(2):
        assert proceed(undoing.relink_mail(room.alice.member, row.pk, [second, second])) == {"moved": 1}
        assert room.people_on(row.activity_id) == {second}
    again = Decision.objects.get(pk=row.pk)
    assert (again.rule, again.outcome, again.record_ids) == ("relinked", "synced", [second])
    assert first != second
    assert proceed(undoing.undo_mail(room.alice.member, row.pk)) == {"deleted": 1}  # our own change is none


def test_a_conversation_stands_with_others_and_remembers_it(room: Room) -> None:
    rows = [room.save(room.alice, thread="t") for _ in range(2)]
    person = room.desk.ids("Contact", 2)[1]["Id"]
    assert proceed(undoing.relink_thread(room.alice.member, "google", "t", [person])) == {"moved": 2}
    assert all(room.people_on(row.activity_id) == {person} for row in rows)
    assert conversations.said_of(room.alice.mailbox.pk, ["t"])["t"].person_ids == {person}


def test_whom_salesforce_does_not_know_it_does_not_take(room: Room) -> None:
    row = room.save(room.alice)
    before = room.people_on(row.activity_id)
    assert proceed(undoing.relink_mail(room.alice.member, row.pk, ["003000000000001AAA"])) == {"refused": 1}
    assert (room.people_on(row.activity_id), rule_of(row)) == (before, "matched")
    with suppress(Exception):
        room.desk.activities.delete(Logged(room.form, row.activity_id), LedgerEntry.objects.get().key)
    person = room.desk.ids("Contact", 2)[1]["Id"]
    assert proceed(undoing.relink_mail(room.alice.member, row.pk, [person])) == {"not_seen": 1}


# -- by its activity, and back ----------------------------------------------------------------------------------------


def test_what_was_saved_on_request_is_known_by_its_activity(room: Room) -> None:
    row, other = room.save(room.alice), room.save(room.alice)
    Decision.objects.all().delete()
    assert undoing.undo_activity(room.bob.member, row.activity_id) is None
    assert undoing.undo_activity(room.office.charlie.member, row.activity_id) is None
    LedgerEntry.objects.filter(salesforce_id=row.activity_id).update(mailbox=None)  # it was asked for without sync
    assert proceed(undoing.undo_activity(room.alice.member, row.activity_id)) == {"deleted": 1}
    assert room.there() == {other.activity_id}
    assert proceed(undoing.undo_activity(room.alice.member, other.activity_id)) == {"deleted": 1}


def test_what_was_taken_back_can_be_put_back(room: Room) -> None:
    row, other = room.save(room.alice), room.save(room.alice)
    for each in (row, other):
        whose = {"organization_id": each.organization_id, "mailbox_id": each.mailbox_id}
        Job.objects.create(**whose, message_id=each.message_id, state=Job.State.DONE)
    alice = room.alice.member
    begun, elsewhere = undoing.undo_mail(alice, row.pk), undoing.undo_mail(alice, other.pk)
    assert begun is not None
    assert putting_back.put_back(alice, begun.pk) is None  # it has not come to an end
    proceed(begun)
    proceed(elsewhere)
    assert putting_back.put_back(room.bob.member, begun.pk) is None
    assert putting_back.put_back(room.office.charlie.member, begun.pk) is None
    assert putting_back.put_back(alice, begun.pk) == [room.alice.mailbox.pk]
    assert set(Job.objects.values_list("message_id", "state")) == {(row.message_id, "due"), (other.message_id, "done")}
    entries = LedgerEntry.objects.order_by("created_at").values_list("salesforce_id", "undone_at")
    assert entries[0] == ("", None)
    assert entries[1][0] == other.activity_id
    assert putting_back.put_back(alice, begun.pk) is None
    assert proceed(begun) == {"put_back": 1}
