"""Filed mails in the simulated Salesforce, taken back and moved: only what nobody has touched, whole or not at all."""

import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta

import pytest

from providers.activities import FileToAttach, Logged, Removed, Role
from providers.errors import NotFound, PermissionMissing, ProviderError
from providers.salesforce import taking_back
from tests.providers.desks import KEY, Desk, fault, mail, to
from tests.simulators.running import Running

#: What an organization lacks, and what becomes of a mail there.
AS_EMAIL = ["Sync_Ledger__c"]
AS_TASK = ["EmailMessage", "EmailMessageRelation", "Sync_Ledger__c"]
WITHOUT_SHARING = [*AS_TASK, "TaskRelation", "TaskWhoRelation"]
EACH = pytest.mark.parametrize("absent", [AS_EMAIL, AS_TASK], ids=["email", "task"])


@pytest.fixture
def desk(salesforce: Running, absent: list[str]) -> Desk:
    return Desk(salesforce, "acme", "alice", absent=absent)


@pytest.fixture
def an_hour_passes(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Salesforce counts seconds; what lies one apart is as good as an hour."""
    monkeypatch.setattr(taking_back, "_AT_ONCE", timedelta(0))
    return lambda: time.sleep(1.1)


def on(desk: Desk, logged: Logged) -> set[str]:
    kind, parent = ("EmailMessageRelation", "EmailMessageId")
    if logged.object == "Task":
        kind, parent = ("TaskRelation", "TaskId")
    return {row["RelationId"] for row in desk.rows(kind, **{parent: logged.id}) if row.get("RelationId")}


@EACH
def test_what_nobody_has_touched_goes_once(desk: Desk) -> None:
    before = len(desk.rows("Task"))
    logged = desk.activities.log_email(mail(to(desk.ids("Contact", 1)[0])), KEY)
    there = Logged(logged.object, logged.id)
    assert desk.activities.take_back(there, KEY) is Removed.DELETED
    assert (desk.mails(logged.object), len(desk.rows("Task"))) == ([], before)
    assert desk.activities.take_back(there, KEY) is Removed.GONE
    assert not desk.activities.log_email(mail(to(desk.ids("Contact", 1)[0])), KEY).was_there


@pytest.mark.parametrize("absent", [AS_TASK], ids=["task"])
def test_what_somebody_has_changed_stays(desk: Desk, an_hour_passes: Callable[[], None]) -> None:
    logged = desk.activities.log_email(mail(to(desk.ids("Contact", 1)[0])), KEY)
    an_hour_passes()
    desk.me.crm.update("Task", logged.id, {"Subject": "Unmistakable, and read"})
    assert desk.activities.take_back(logged, KEY) is Removed.CHANGED
    assert len(desk.mails("Task")) == 1
    ours = [datetime.now(UTC)]
    assert desk.activities.take_back(logged, KEY, ours) is Removed.DELETED


@pytest.mark.parametrize("absent", [AS_EMAIL], ids=["email"])
def test_a_change_of_the_task_that_salesforce_made_for_a_mail_keeps_both(
    desk: Desk, an_hour_passes: Callable[[], None]
) -> None:
    logged = desk.activities.log_email(mail(to(desk.ids("Contact", 1)[0])), KEY)
    task = desk.rows("EmailMessage", Id=logged.id)[0]["ActivityId"]
    an_hour_passes()
    desk.me.crm.update("Task", task, {"Description": "Call her about it"})
    assert desk.activities.take_back(logged, KEY) is Removed.CHANGED
    assert len(desk.mails("EmailMessage")) == 1


@EACH
@pytest.mark.parametrize("calls", range(5))
def test_what_was_half_taken_back_goes_when_it_is_repeated(desk: Desk, calls: int) -> None:
    """Each answer in turn does not come, although what was asked is done."""
    before = len(desk.rows("Task"))
    logged = desk.activities.log_email(mail(to(desk.ids("Contact", 1)[0])), KEY)
    fault(desk, "/services/data/v62.0/composite", cut_after=0, skip=calls)
    with suppress(ProviderError):
        desk.activities.take_back(logged, KEY)
    desk.salesforce.reset(only=["faults"])
    assert desk.activities.take_back(logged, KEY) in (Removed.DELETED, Removed.GONE)
    assert (desk.mails(logged.object), len(desk.rows("Task"))) == ([], before)


@pytest.mark.parametrize("absent", [["EmailMessage.Sync_Key__c"]], ids=["ledger"])
def test_a_mail_that_may_not_be_deleted_keeps_its_key_and_its_files(desk: Desk) -> None:
    record = mail(to(desk.ids("Contact", 1)[0]))
    logged = desk.activities.log_email(record, KEY)
    desk.activities.attach([logged.id], FileToAttach("a.pdf", "application/pdf", lambda: nullcontext([b"a"])), "A" * 20)
    kept = desk.me.store.kept
    desk.salesforce.sim("users/alice", {"objects": {"EmailMessage": "cru"}}, "acme")
    desk.me.store.kept = None  # described anew: nothing is begun
    with pytest.raises(PermissionMissing):
        desk.activities.take_back(logged, KEY)
    assert len(desk.rows("ContentVersion")) == 1
    desk.me.store.kept = kept  # forbidden since it was described
    with pytest.raises(PermissionMissing):
        desk.activities.take_back(logged, KEY)
    assert len(desk.rows("Sync_Ledger__c")) == len(desk.mails("EmailMessage")) == 1
    assert desk.activities.log_email(record, KEY).was_there


@EACH
def test_other_people_take_the_places_of_those_who_leave(desk: Desk) -> None:
    first, second, third = desk.ids("Contact", 3)
    logged = desk.activities.log_email(mail(to(first), to(second, Role.CC)), KEY)
    for _ in range(2):
        assert desk.activities.move(logged, KEY, [second["Id"]], [third["Id"], first["Id"]]) == ()
        assert on(desk, logged) == {first["Id"], third["Id"]}
    assert desk.activities.move(logged, KEY, [first["Id"], third["Id"]], [second["Id"]]) == ()
    assert on(desk, logged) == {second["Id"]}
    task = desk.rows("EmailMessage", Id=logged.id)[0]["ActivityId"] if logged.object != "Task" else logged.id
    assert desk.rows("Task", Id=task)[0]["WhoId"] == second["Id"]


@pytest.mark.parametrize("absent", [AS_EMAIL], ids=["email"])
def test_who_comes_stands_where_the_other_stood(desk: Desk) -> None:
    sender, other = desk.ids("Contact", 2)
    logged = desk.activities.log_email(mail(to(sender, Role.FROM), is_incoming=True), KEY)
    desk.activities.move(logged, KEY, [sender["Id"]], [other["Id"]])
    row = next(row for row in desk.rows("EmailMessageRelation", EmailMessageId=logged.id) if row["RelationId"])
    assert (row["RelationId"], row["RelationType"]) == (other["Id"], "FromAddress")


@pytest.mark.parametrize("absent", [WITHOUT_SHARING], ids=["one"])
def test_a_task_that_takes_one_takes_another_instead(desk: Desk) -> None:
    first, second, third = desk.ids("Contact", 3)
    logged = desk.activities.log_email(mail(to(first)), KEY)
    assert desk.activities.move(logged, KEY, [first["Id"]], [second["Id"], third["Id"]]) == (third["Id"],)
    assert desk.rows("Task", Id=logged.id)[0]["WhoId"] == first["Id"]
    assert desk.activities.move(logged, KEY, [first["Id"]], [second["Id"]]) == ()
    assert desk.rows("Task", Id=logged.id)[0]["WhoId"] == second["Id"]


@pytest.mark.parametrize("absent", [AS_TASK], ids=["task"])
def test_a_lead_takes_the_task_that_is_his_own_along(desk: Desk) -> None:
    (contact,), (lead, other) = desk.ids("Contact", 1), desk.ids("Lead", 2)
    logged = desk.activities.log_email(mail(to(contact), to(lead)), KEY)
    there = Logged("Task", logged.id)
    assert desk.activities.move(there, KEY, [contact["Id"]], [contact["Id"], other["Id"]]) == (other["Id"],)
    assert len(desk.mails("Task")) == 2
    assert desk.activities.move(there, KEY, [lead["Id"]], [contact["Id"]]) == ()
    assert [row["WhoId"] for row in desk.mails("Task")] == [contact["Id"]]
    assert desk.activities.move(there, KEY, [contact["Id"]], [other["Id"]]) == ()
    assert [row["WhoId"] for row in desk.mails("Task")] == [other["Id"]]


@EACH
def test_what_salesforce_refuses_changes_nothing(desk: Desk) -> None:
    (first,) = desk.ids("Contact", 1)
    logged = desk.activities.log_email(mail(to(first)), KEY)
    with pytest.raises(ProviderError):
        desk.activities.move(logged, KEY, [first["Id"]], ["003000000000001AAA"])
    assert on(desk, logged) == {first["Id"]}
    desk.activities.delete(logged, KEY)
    with pytest.raises(NotFound):
        desk.activities.move(logged, KEY, [], [first["Id"]])
