"""What recipients did with a mail, said on its activity: in each way that an organization may have for it, once."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from providers.activities import Logged, Note, Seen
from providers.errors import NotFound, PermissionMissing, Transient
from providers.salesforce.noting import with_line
from tests.providers.desks import KEY, Desk, fault, mail, main, to
from tests.simulators.running import Running

SEEN = Seen(1, 0, datetime(2026, 3, 2, 8, 5, 9, tzinfo=UTC))
MORE = Seen(3, 2, datetime(2026, 3, 3, 9, 0, tzinfo=UTC))
FIELDS = [f"{name}.{field}" for name in ("Task", "EmailMessage") for field in
          ("Sync_Opens__c", "Sync_Clicks__c", "Sync_Seen_At__c")]  # fmt: skip


def logged(desk: Desk) -> Note:
    first = desk.activities.log_email(mail(to(desk.ids("Contact", 1)[0])), KEY)
    desk.salesforce.reset(only=["calls"])
    return Note(first, KEY, SEEN)


def beside(desk: Desk) -> list[dict[str, Any]]:
    return [row for row in desk.rows("Task") if str(row["Subject"]).startswith("Opens and clicks: Unmistakable")]


@pytest.mark.parametrize("absent", [["Sync_Ledger__c"], ["EmailMessage", "Sync_Ledger__c"]])
def test_fields_of_ours_say_it_in_one_call_for_many(salesforce: Running, absent: list[str]) -> None:
    """EmailMessage, and Task."""
    desk = Desk(salesforce, "acme", "alice", absent=absent)
    note = logged(desk)
    other = desk.activities.log_email(mail(to(desk.ids("Contact", 1)[0])), KEY[::-1])
    desk.salesforce.reset(only=["calls"])
    assert desk.activities.note_seen([note, Note(other, KEY[::-1], MORE)]) == ["", ""]
    assert desk.calls() == 1
    rows = {row["Id"]: row for row in desk.mails(main(desk))}
    first, second = rows[note.logged.id], rows[other.id]
    assert (first["Sync_Opens__c"], first["Sync_Clicks__c"], second["Sync_Opens__c"]) == (1, 0, 3)
    assert first["Sync_Seen_At__c"].startswith("2026-03-02T08:05:09")
    assert beside(desk) == []


def test_the_text_of_a_task_says_it_where_there_are_no_fields(salesforce: Running) -> None:
    desk = Desk(salesforce, "acme", "alice", absent=["EmailMessage", "Sync_Ledger__c", *FIELDS])
    note = logged(desk)
    (before,) = desk.mails("Task")
    desk.me.crm.update("Task", note.logged.id, {"Description": f"Called her. {before['Description']}"})
    for seen in (SEEN, MORE, MORE):
        assert desk.activities.note_seen([replace(note, seen=seen)]) == [""]
    (after,) = desk.mails("Task")
    assert after["Description"] == (
        "Opens and clicks: likely opened 3 times, links followed 2 times; last on 2026-03-03 09:00 UTC.\n\n"
        f"Called her. {before['Description']}"
    )


def test_a_mail_that_cannot_be_changed_has_one_task_beside_it(salesforce: Running) -> None:
    desk = Desk(salesforce, "acme", "alice", absent=["Sync_Ledger__c", *FIELDS])
    note = logged(desk)
    (task_id,) = desk.activities.note_seen([note])
    assert desk.calls() == 2
    assert isinstance(task_id, str)
    assert desk.activities.note_seen([replace(note, beside=task_id, seen=MORE)]) == [task_id]
    (task,) = beside(desk)
    person = desk.ids("Contact", 1)[0]["Id"]
    assert (task["Id"], task["Status"], task["WhoId"], task["TaskSubtype"]) == (task_id, "Completed", person, "Task")
    assert task["Description"].startswith("Opens and clicks: likely opened 3 times, links followed 2 times;")
    assert desk.mails("EmailMessage")[0]["TextBody"] == "Dear Jane,\n\nsee below."


def test_an_unanswered_attempt_makes_no_second_task(salesforce: Running) -> None:
    desk = Desk(salesforce, "acme", "alice", absent=["Sync_Ledger__c", *FIELDS])
    note = logged(desk)
    fault(desk, cut_after=0)
    with pytest.raises(Transient):
        desk.activities.note_seen([note])
    (task_id,) = desk.activities.note_seen([replace(note, is_repeat=True, seen=MORE)])
    (task,) = beside(desk)
    assert task["Id"] == task_id
    assert "3 times" in task["Description"]


@pytest.mark.parametrize("absent", [[], FIELDS, ["EmailMessage", *FIELDS]])
def test_what_is_gone_is_an_outcome_and_no_end_of_the_others(salesforce: Running, absent: list[str]) -> None:
    desk = Desk(salesforce, "acme", "alice", absent=["Sync_Ledger__c", *absent])
    note = logged(desk)
    other = desk.activities.log_email(mail(to(desk.ids("Contact", 1)[0])), KEY[::-1])
    desk.activities.delete(Logged(main(desk), other.id), KEY[::-1])
    found = desk.activities.note_seen([Note(other, KEY[::-1], SEEN), note])
    assert isinstance(found[0], NotFound)
    assert isinstance(found[1], str)


def test_whoever_may_not_change_tasks_is_told_so(salesforce: Running) -> None:
    desk = Desk(salesforce, "globex", "charlie")
    note = logged(desk)
    salesforce.sim("users/charlie", {"read_only": ["Task.Description"]}, "globex")
    try:
        desk.me.store.kept = None
        (found,) = desk.client().note_seen([note])
        assert isinstance(found, PermissionMissing)
    finally:
        salesforce.reset(only=["users"])
        desk.me.store.kept = None


def test_the_line_comes_first_and_the_mark_last_whatever_is_cut() -> None:
    line, mark = "Opens and clicks: new.", "Sync reference: K"
    assert with_line("text", line, mark, 0) == f"{line}\n\ntext"
    assert with_line(f"{line}\n\ntext", "Opens and clicks: newer.", mark, 0) == "Opens and clicks: newer.\n\ntext"
    cut = with_line(f"{'x' * 100}\n\n{mark}", line, mark, 80)
    assert (len(cut), cut.startswith(line), cut.endswith(f"\n\n{mark}")) == (80, True, True)
