"""Mail filed in the simulated Salesforce as one person: once, whole, with the right people, in each way to key it."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Barrier, BrokenBarrierError
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from providers.activities import Copy, Correspondent, Keyed, KeyForm, Link, Logged, PersonKind, Role
from providers.errors import PermissionMissing, ProviderError, Rejected, Transient
from providers.salesforce import relations
from providers.salesforce.graphs import post
from providers.salesforce.transport import Wire
from tests.providers.desks import FORMS, KEY, SENT, Desk, fault, mail, main, to
from tests.providers.simulated import JANE
from tests.simulators.running import Running


def test_each_organization_says_how_it_keeps_a_mail_single(salesforce: Running) -> None:
    for form, (org, user) in FORMS.items():
        found = Desk(salesforce, org, user).activities.capabilities()
        assert found.key_form is form
        assert found.record == ("Task" if org == "globex" else "EmailMessage")
        assert found.is_attachment_keyed == (form is KeyForm.FIELD)
        assert bool(found.notes) == (form is not KeyForm.FIELD)


def test_capabilities_are_described_once(salesforce: Running) -> None:
    desk = Desk(salesforce, "acme", "alice")
    assert desk.client().capabilities() == desk.activities.capabilities()
    assert desk.calls() == 0


def test_people_are_found_by_exact_addresses_in_one_call(salesforce: Running) -> None:
    desk = Desk(salesforce, "acme", "alice")
    lead = desk.ids("Lead", 1)[0]
    asked = [JANE.upper(), lead["Email"], "bob@acme.example", "nobody@nowhere.example", "o'x%_\\@x.example", "a\0@x"]
    found = desk.activities.people(asked)
    assert desk.calls() == 1
    jane = next(row for row in desk.rows("Contact") if row.get("Email") == JANE)
    (person,) = found.people[JANE.upper()]
    assert (person.id, person.kind, person.owner_id) == (jane["Id"], PersonKind.CONTACT, jane["OwnerId"])
    assert person.account_id == jane["AccountId"]
    assert lead["Id"] in {each.id for each in found.people[lead["Email"]]}
    assert {each.kind for each in found.people["bob@acme.example"]} >= {PersonKind.USER}
    assert set(found.people) == set(asked[:3])
    assert found.crowded == frozenset()


def filed_by_another(desk: Desk, message_id: str, **values: Any) -> None:
    wire = desk.wire()
    values = {"FromAddress": JANE, "Status": "1", "MessageDate": "2026-03-01T10:30:00Z", "Subject": "Hers", **values}
    answers = wire.composite([dict(post(wire, "mail", "EmailMessage", {"MessageIdentifier": message_id, **values}))])
    assert answers["mail"][0] == 201, answers


def test_mails_that_another_program_has_filed_are_found_along(salesforce: Running) -> None:
    """With <> or without, in the same call; letters' case makes another id. Whatever bears a key is ours."""
    desk = Desk(salesforce, "acme", "alice")
    for each in ("<with@mail.example>", "without@mail.example", "<CASE@mail.example>", "<it's\\@mail.example>"):
        filed_by_another(desk, each)
    filed_by_another(desk, "<ours@mail.example>", Sync_Key__c="K1")
    asked = ["<with@mail.example>", "<without@mail.example>", "<case@mail.example>", "<it's\\@mail.example>"]
    many = [f"<{n}.{'long' * 40}@mail.example>" for n in range(30)]
    salesforce.reset(only=["calls"])
    found = desk.activities.people(
        [JANE], [*asked, "<ours@mail.example>", *many, "<>", "", f"<{'x' * 300}>", "<a\0@x>"]
    )
    assert desk.calls() == 1
    assert len(found.people[JANE]) == 1
    copy = Copy(JANE, "Hers", SENT)
    assert found.copies == {asked[0]: (copy,), asked[1]: (copy,), asked[3]: (copy,)}
    desk.activities.people([], many * 5)
    assert desk.activities.people([JANE]).copies == {}


@pytest.mark.parametrize("absent", [[], ["Sync_Ledger__c", "EmailMessage.Sync_Key__c"]])
def test_what_we_have_filed_is_no_other_programs(salesforce: Running, absent: list[str]) -> None:
    """By its key, or by its mark; and of what stands in Salesforce's ledger ours tells."""
    desk = Desk(salesforce, "acme", "alice", absent)
    desk.activities.log_email(mail(), KEY)
    assert desk.rows("EmailMessage", MessageIdentifier="<one@mail.example>")
    assert desk.activities.people([JANE], ["<one@mail.example>"]).copies == {}


@pytest.mark.parametrize(
    "code", ["INVALID_FIELD", "INVALID_TYPE", "INSUFFICIENT_ACCESS", "QUERY_TIMEOUT", "FUNCTIONALITY_NOT_ENABLED"]
)
def test_mails_that_salesforce_will_not_search_keep_nobody_out(
    salesforce: Running, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    desk, ask = Desk(salesforce, "acme", "alice"), Wire.composite

    def refusing(wire: Wire, parts: list[dict[str, Any]]) -> dict[str, tuple[int, Any]]:
        answers, refusal = ask(wire, parts), [{"errorCode": code, "message": "no"}]
        return {name: (400, refusal) if name.startswith("mails") else each for name, each in answers.items()}

    monkeypatch.setattr(Wire, "composite", refusing)
    found = desk.activities.people([JANE], ["<one@mail.example>"])
    assert (len(found.people[JANE]), found.copies) == (1, {})


def test_a_person_account_is_found_as_the_contact_behind_it(salesforce: Running) -> None:
    desk = Desk(salesforce, "acme", "alice")
    row = next(row for row in desk.rows("Contact") if row.get("IsPersonAccount") and row.get("Email"))
    people = desk.activities.people([row["Email"]]).people[row["Email"]]
    assert [each.kind for each in people if each.id == row["Id"]] == [PersonKind.PERSON_ACCOUNT]


def test_a_tag_makes_another_person(salesforce: Running) -> None:
    assert Desk(salesforce, "acme", "alice").activities.people([JANE.replace("@", "+tag@")]).people == {}


def test_a_hundred_addresses_are_one_call_and_hidden_kinds_are_named(salesforce: Running) -> None:
    desk = Desk(salesforce, "acme", "alice")
    desk.activities.people([f"person{n}@somewhere.example" for n in range(100)])
    assert desk.calls() == 1
    salesforce.sim("users/alice", {"hide": ["Lead.Email"]}, "acme")
    found = desk.activities.people([JANE])  # the query fails once, and what is visible is described anew
    assert found.hidden == (PersonKind.LEAD,)
    assert len(found.people[JANE]) == 1


def test_a_mail_is_filed_once_whoever_repeats_it(desk: Desk) -> None:
    record = mail(to(desk.ids("Contact", 1)[0]))
    first = desk.activities.log_email(record, KEY)
    again = desk.client().log_email(replace(record, text="something else"), KEY, is_repeat=True)
    assert (first.was_there, again.was_there) == (False, True)
    assert again.id == first.id
    assert len(desk.mails(first.object)) == 1


@pytest.mark.parametrize("cut_after", [0, 40])
def test_a_mail_whose_answer_was_lost_is_filed_once(desk: Desk, cut_after: int) -> None:
    """It was written, and nobody heard of it."""
    record = mail(to(desk.ids("Contact", 1)[0]))
    fault(desk, cut_after=cut_after)
    with pytest.raises(Transient) as lost:
        desk.activities.log_email(record, KEY)
    assert lost.value.outcome_unknown
    (there,) = desk.mails(main(desk))
    assert desk.activities.log_email(record, KEY, is_repeat=True) == Logged(main(desk), there["Id"], was_there=True)
    assert len(desk.mails(main(desk))) == 1


def test_a_repeat_changes_nothing_that_people_changed(salesforce: Running) -> None:
    desk = Desk(salesforce, "acme", "alice", absent=["EmailMessage", "Sync_Ledger__c"])
    record = mail(to(desk.ids("Contact", 1)[0]))
    first = desk.activities.log_email(record, KEY)
    desk.me.crm.update("Task", first.id, {"Subject": "Unmistakable, and read"})
    assert desk.activities.log_email(record, KEY, is_repeat=True).was_there
    assert [row["Subject"] for row in desk.mails("Task")] == ["Unmistakable, and read"]


@pytest.mark.parametrize("message_id", ["<one@mail.example>", "", "<odd'\\one@x>", "<" + "x" * 300 + ">"])
def test_without_any_key_a_message_is_known_by_its_headers(salesforce: Running, message_id: str) -> None:
    desk = Desk(salesforce, "acme", "alice", absent=["Sync_Ledger__c", "EmailMessage.Sync_Key__c"])
    assert desk.activities.capabilities().key_form is KeyForm.LOOKUP
    record = mail(to(desk.ids("Contact", 1)[0]), message_id=message_id)
    fault(desk, cut_after=0)
    with pytest.raises(Transient):
        desk.activities.log_email(record, KEY)
    there = desk.activities.log_email(record, KEY, is_repeat=True)
    forgetful = desk.activities.log_email(record, KEY)
    assert (there.was_there, forgetful.was_there, forgetful.id) == (True, True, there.id)
    assert [row["Id"] for row in desk.mails("EmailMessage")] == [there.id]
    assert len(desk.rows("Task", Subject="Email: Unmistakable offer")) == 1
    assert desk.activities.log_email(record, KEY[::-1]).id != there.id


def test_without_any_key_a_message_is_known_by_its_id_whenever_a_copy_of_it_was_received(salesforce: Running) -> None:
    """Where it has no Date that can be, the time is each copy's own. Of one without an id no copy is known as such."""
    desk = Desk(salesforce, "acme", "alice", absent=["Sync_Ledger__c", "EmailMessage.Sync_Key__c"])
    record = mail(to(desk.ids("Contact", 1)[0]))
    fault(desk, cut_after=0)
    with pytest.raises(Transient):
        desk.activities.log_email(record, KEY)
    later = replace(record, sent_at=SENT + timedelta(seconds=7))
    there = desk.client().log_email(later, KEY, is_repeat=True)
    assert there.was_there
    assert [row["Id"] for row in desk.mails("EmailMessage")] == [there.id]
    assert desk.activities.log_email(later, KEY[::-1], is_repeat=True).id != there.id


def test_a_mail_that_several_write_at_once_is_filed_once(desk: Desk) -> None:
    record = mail(to(desk.ids("Contact", 1)[0]))
    with ThreadPoolExecutor(6) as pool:
        found = [each.result() for each in [pool.submit(desk.client().log_email, record, KEY) for _ in range(6)]]
    (there,) = desk.mails(main(desk))
    assert {each.id for each in found} == {there["Id"]}


def test_another_key_is_another_mail(desk: Desk) -> None:
    """A forged Message-ID must not suppress a real mail."""
    record = mail(to(desk.ids("Contact", 1)[0]))
    ids = {desk.activities.log_email(record, key).id for key in (KEY, KEY[::-1])}
    assert len(ids) == len(desk.mails(main(desk))) == 2


def test_an_unanswered_mail_is_written_whole_or_not_at_all(desk: Desk) -> None:
    gone = to(desk.ids("Contact", 1)[0])
    record = mail(replace(gone, person_id="003000000000001AAA"), related_to="")
    with pytest.raises(ProviderError):
        desk.activities.log_email(record, KEY)
    assert desk.mails(main(desk)) == []
    assert desk.rows("Sync_Ledger__c") == []
    assert not desk.activities.log_email(mail(gone), KEY).was_there


def test_one_live_mail_costs_two_calls(salesforce: Running) -> None:
    for form in (KeyForm.FIELD, KeyForm.LEDGER):
        desk = Desk(salesforce, *FORMS[form])
        row = desk.ids("Contact", 1)[0]
        desk.activities.people([row["Email"]])
        desk.activities.log_email(mail(to(row)), KEY)
        assert desk.calls() == 2


def test_an_email_message_has_everybody_on_it_once(salesforce: Running) -> None:
    desk = Desk(salesforce, "acme", "bob")
    sender, first, second = desk.ids("Contact", 3)
    lead, colleague = (
        desk.ids("Lead", 1)[0],
        next(row for row in desk.rows("User") if row["Email"] == "bob@acme.example"),
    )
    record = mail(
        to(sender, Role.FROM),
        to(colleague),
        to(first),
        to(second, Role.CC),
        to(first, Role.CC),
        to(lead, Role.BCC),
        Correspondent(Role.TO, "stranger@x.example"),
        Correspondent(Role.CC, '"odd one"@x.example'),
        is_incoming=True,
        thread_id="thread",
        related_to=sender["AccountId"],
        html="<p>Dear</p>",
        links=(Link("https://drive.example/f?a=1&b=2", "Plan <1>"),),
    )
    logged = desk.activities.log_email(record, KEY)
    (row,) = desk.mails("EmailMessage")
    relations = desk.rows("EmailMessageRelation", EmailMessageId=logged.id)
    assert {(each["RelationType"], each["RelationId"]) for each in relations} == {
        ("FromAddress", sender["Id"]),
        ("ToAddress", colleague["Id"]),
        ("ToAddress", first["Id"]),
        ("ToAddress", None),
        ("CcAddress", second["Id"]),
        ("BccAddress", lead["Id"]),
    }
    assert len(relations) == 6
    assert (row["ToAddress"], row.get("CcAddress"), row["FromAddress"]) == ("stranger@x.example", None, sender["Email"])
    assert (row["Incoming"], row["Status"], row["MessageDate"][:19]) == (True, "1", "2026-03-01T10:30:00")
    assert (row["MessageIdentifier"], row["ThreadIdentifier"]) == ("<one@mail.example>", "thread")
    assert row["RelatedToId"] == sender["AccountId"]
    assert row["TextBody"].startswith("Plan <1>: https://drive.example/f?a=1&b=2")
    assert '<a href="https://drive.example/f?a=1&amp;b=2">Plan &lt;1&gt;</a>' in row["HtmlBody"]
    (task,) = desk.rows("Task", Id=row["ActivityId"])
    assert task["OwnerId"] == row["CreatedById"] == colleague["Id"]  # the member himself


def test_texts_of_any_length_and_kind_are_taken(desk: Desk) -> None:
    person = to(desk.ids("Contact", 1)[0])
    hostile = "\0\x0b\ud800'\"\\\r\n" + "𝒳é" * 40_000
    strangers = [Correspondent(Role.TO, f"person{n}@a-rather-long-domain-name.example") for n in range(300)]
    record = mail(person, *strangers, subject=f"Unmistakable {hostile}", text=hostile, html=hostile,
                  message_id="<" + "x" * 400 + ">")  # fmt: skip
    logged = desk.activities.log_email(record, KEY)
    assert desk.activities.log_email(record, KEY, is_repeat=True).id == logged.id
    (row,) = desk.mails(logged.object)
    assert "\n" not in row["Subject"]
    assert not row.get("MessageIdentifier")


def test_a_task_has_its_people_and_leads_have_their_own(salesforce: Running) -> None:
    desk = Desk(salesforce, "acme", "bob", absent=["EmailMessage", "EmailMessageRelation", "Sync_Ledger__c"])
    contacts, leads = desk.ids("Contact", 3), desk.ids("Lead", 2)
    people = [
        to(leads[0]),
        *map(to, contacts),
        to(leads[1], Role.CC),
        Correspondent(Role.FROM, "me@acme.example", "Bob"),
    ]
    record = mail(*people, related_to=contacts[0]["AccountId"])
    logged = desk.activities.log_email(record, KEY)
    (task,) = desk.rows("Task", Id=logged.id)
    assert [each["RelationId"] for each in desk.rows("TaskRelation", TaskId=logged.id)] == [c["Id"] for c in contacts]
    assert {row["WhoId"] for row in desk.mails("Task") if row["Id"] in logged.others} == {lead["Id"] for lead in leads}
    assert len(desk.mails("Task")) == 3
    assert (task["Status"], task["TaskSubtype"], task["ActivityDate"]) == ("Completed", "Email", "2026-03-01")
    assert task["WhatId"] == contacts[0]["AccountId"]
    assert task["OwnerId"] == next(row["Id"] for row in desk.rows("User") if row["Email"] == "bob@acme.example")
    assert "From: Bob <me@acme.example>" in task["Description"]
    assert "see below" in task["Description"]
    assert desk.activities.log_email(record, KEY, is_repeat=True).was_there
    assert len(desk.mails("Task")) == 3


def test_without_shared_activities_the_first_contact_has_it_and_the_others_are_named(salesforce: Running) -> None:
    desk = Desk(salesforce, "globex", "charlie")
    contacts = desk.ids("Contact", 3)
    logged = desk.activities.log_email(mail(*map(to, contacts)), KEY)
    assert desk.rows("Task", Id=logged.id)[0]["WhoId"] == contacts[0]["Id"]
    assert logged.left_out == tuple(row["Id"] for row in contacts[1:])
    assert desk.activities.add_relations(logged, [to(contacts[1])]) == (contacts[1]["Id"],)


def test_who_stands_under_a_task_is_not_left_out_of_it(salesforce: Running) -> None:
    """Without Shared Activities, too."""
    desk = Desk(salesforce, "globex", "charlie")
    first, second = desk.ids("Contact", 2)
    logged = desk.activities.log_email(mail(to(first)), KEY)
    assert desk.activities.add_relations(logged, [to(first), to(second)]) == (second["Id"],)


@pytest.mark.parametrize("form", list(KeyForm))
def test_a_lead_for_whom_a_task_has_no_place_has_one_of_his_own(salesforce: Running, form: KeyForm) -> None:
    """Once, whoever asks; it goes with the mail. Where nothing keeps it single none is made, and that is told."""
    keys = {"EmailMessage.Sync_Key__c", "Task.Sync_Key__c"}
    absent = {KeyForm.FIELD: {"Sync_Ledger__c"}, KeyForm.LEDGER: keys, KeyForm.LOOKUP: {"Sync_Ledger__c", *keys}}
    desk = Desk(salesforce, "acme", "alice", absent=["EmailMessage", *absent[form]])
    (contact,), (known, new) = desk.ids("Contact", 1), desk.ids("Lead", 2)
    logged = desk.activities.log_email(mail(to(contact), to(known)), KEY)
    whole = Keyed(mail(to(contact), to(known), to(new)), KEY)
    told = (new["Id"],) if form is KeyForm.LOOKUP else ()
    for _ in range(2):
        left_out = desk.activities.add_relations(logged, whole.record.correspondents)
        assert left_out == (known["Id"], new["Id"])
        assert desk.activities.make_own_tasks(logged, whole, left_out) == told
        under = [row["WhoId"] for row in desk.mails("Task")]
        assert sorted(under) == sorted({contact["Id"], known["Id"], new["Id"]} - set(told))
    desk.activities.delete(Logged("Task", logged.id), KEY)
    assert not desk.mails("Task")
    assert not desk.rows("Sync_Ledger__c")


def test_a_tasks_day_is_its_writers_and_a_repeat_finds_it_from_any_zone(salesforce: Running) -> None:
    keys = {"EmailMessage.Sync_Key__c", "Task.Sync_Key__c"}
    desk = Desk(salesforce, "acme", "alice", absent=["EmailMessage", "Sync_Ledger__c", *keys])
    evening = datetime(2026, 11, 23, 18, 30, tzinfo=ZoneInfo("America/Los_Angeles"))
    record = replace(mail(to(desk.ids("Contact", 1)[0])), sent_at=evening)
    logged = desk.activities.log_email(record, KEY)
    (task,) = desk.rows("Task", Id=logged.id)
    assert task["ActivityDate"] == "2026-11-23"
    elsewhere = replace(record, sent_at=evening.astimezone(ZoneInfo("Asia/Tokyo")))
    assert elsewhere.sent_at.date() != evening.date()
    assert desk.activities.log_email(elsewhere, KEY, is_repeat=True) == replace(logged, was_there=True)


def test_fifty_contacts_stand_on_a_task_and_no_more(salesforce: Running) -> None:
    desk = Desk(salesforce, "acme", "alice")
    contacts = desk.ids("Contact", 52)
    logged = desk.client(prefers_task=True).log_email(mail(*map(to, contacts)), KEY)
    assert logged.object == "Task"
    assert logged.left_out == tuple(row["Id"] for row in contacts[50:])


def test_many_mails_go_in_few_calls_and_fail_one_by_one(desk: Desk) -> None:
    contacts = desk.ids("Contact", 10)
    mails = [Keyed(mail(to(row), message_id=f"<{n}@x>"), f"{KEY}{n}") for n, row in enumerate(contacts)]
    bad = Keyed(mail(Correspondent(Role.TO, "x@y.example", "", "003000000000001AAA"), message_id="<b@x>"), f"{KEY}bad")
    results = desk.activities.log_emails([*mails, bad, mails[0]])
    assert [isinstance(each, Logged) for each in results] == [True] * 10 + [False, True]
    assert len(desk.mails(main(desk))) == 10
    assert desk.calls() == (3 if main(desk) == "Task" else 1)  # without a key: written, then read back by fives
    again = desk.activities.log_emails(mails)
    assert [each.id for each in again if isinstance(each, Logged) and each.was_there] == [
        each.id for each in results[:10] if isinstance(each, Logged)
    ]
    assert len(desk.mails(main(desk))) == 10


def test_twenty_repeats_at_once_are_all_answered(salesforce: Running) -> None:
    """Salesforce stops after fourteen failures: the rest is sent again."""
    for form in (KeyForm.FIELD, KeyForm.LEDGER):
        desk = Desk(salesforce, *FORMS[form])
        contacts = desk.ids("Contact", 20)
        mails = [Keyed(mail(to(row), message_id=f"<{n}@x>"), f"{KEY}{n}") for n, row in enumerate(contacts)]
        first = desk.activities.log_emails(mails)
        again = desk.activities.log_emails(mails)
        assert [each.id for each in again if isinstance(each, Logged) and each.was_there] == [
            each.id for each in first if isinstance(each, Logged)
        ]
        assert len(desk.mails("EmailMessage")) == 20


def test_a_repeat_is_known_among_very_many_mails_of_one_person_and_day(salesforce: Running) -> None:
    desk = Desk(salesforce, *FORMS[KeyForm.LOOKUP])
    row = desk.ids("Contact", 1)[0]
    mails = [Keyed(mail(to(row), message_id=f"<{n}@x>"), f"{KEY}{n}") for n in range(225)]
    for start in range(0, 225, 25):
        desk.activities.log_emails(mails[start : start + 25])
    again = desk.activities.log_emails([replace(each, is_repeat=True) for each in mails[-25:]])
    assert all(isinstance(each, Logged) and each.was_there for each in again)
    assert len(desk.mails(main(desk))) == 225


def test_mails_of_many_leads_go_in_as_many_calls_as_they_need(salesforce: Running) -> None:
    """Three records for each lead, and five hundred in one call."""
    absent = ["EmailMessage", "EmailMessageRelation", "Task.Sync_Key__c"]
    desk = Desk(salesforce, "acme", "alice", absent=absent)
    assert desk.activities.capabilities().key_form is KeyForm.LEDGER
    record = mail(*map(to, desk.ids("Lead", 10)))
    results = desk.activities.log_emails([Keyed(record, f"{KEY}{n}") for n in range(20)])
    assert [len(each.others) for each in results if isinstance(each, Logged)] == [9] * 20
    assert (desk.calls(), len(desk.mails("Task"))) == (2, 200)


def test_what_salesforce_refuses_is_said(salesforce: Running) -> None:
    desk = Desk(salesforce, "acme", "alice")
    salesforce.sim("users/alice", {"objects": {"EmailMessage": "r"}}, "acme")
    row = desk.ids("Contact", 1)[0]
    with pytest.raises(PermissionMissing):
        desk.activities.log_email(mail(to(row)), KEY)
    rita = Desk(salesforce, "acme", "rita")
    assert rita.activities.capabilities().record == ""
    with pytest.raises(PermissionMissing):
        rita.activities.log_email(mail(to(row)), KEY)


def test_a_field_hidden_since_is_left_out(salesforce: Running) -> None:
    desk = Desk(salesforce, "acme", "alice")
    salesforce.sim("users/alice", {"hide": ["EmailMessage.ThreadIdentifier"]}, "acme")
    logged = desk.activities.log_email(mail(to(desk.ids("Contact", 1)[0]), thread_id="t"), KEY)
    assert not desk.rows("EmailMessage", Id=logged.id)[0].get("ThreadIdentifier")


def test_colleagues_and_others_are_added_once_and_taken_off(salesforce: Running) -> None:
    for absent in (["Sync_Ledger__c"], ["EmailMessage", "EmailMessageRelation", "Sync_Ledger__c"]):
        salesforce.reset()
        desk = Desk(salesforce, "acme", "alice", absent=absent)
        first, second = desk.ids("Contact", 2)
        logged = desk.activities.log_email(mail(to(first)), KEY)
        kind, parent = ("EmailMessageRelation", "EmailMessageId") if "Sync" in absent[0] else ("TaskRelation", "TaskId")
        for _ in range(2):
            assert desk.activities.add_relations(logged, [to(first), to(second, Role.CC)]) == ()
            assert {row["RelationId"] for row in desk.rows(kind, **{parent: logged.id})} == {first["Id"], second["Id"]}
            assert len(desk.rows(kind, **{parent: logged.id})) == 2
        for _ in range(2):
            desk.activities.unlink(logged, first["Id"])
            assert [row["RelationId"] for row in desk.rows(kind, **{parent: logged.id})] == [second["Id"]]


@pytest.mark.parametrize("kind", ["EmailMessageRelation", "TaskRelation"])
def test_colleagues_who_add_the_same_person_at_once_add_all_of_theirs(
    salesforce: Running, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Both have looked before either writes."""
    is_email = kind == "EmailMessageRelation"
    desk = Desk(salesforce, "acme", "alice", absent=[] if is_email else ["EmailMessage", "EmailMessageRelation"])
    first, common, *others = desk.ids("Contact", 4)
    logged = desk.activities.log_email(mail(to(first)), KEY)
    both, look = Barrier(2), relations._related

    def looked(*asked: Any) -> Any:
        found = look(*asked)
        with suppress(BrokenBarrierError):  # who has to look again waits for nobody
            both.wait(1.0)
        return found

    monkeypatch.setattr(relations, "_related", looked)
    with ThreadPoolExecutor(2) as pool:
        tries = [pool.submit(desk.client().add_relations, logged, [to(common), to(each)]) for each in others]
    assert [each.result() for each in tries] == [(), ()]
    parent = "EmailMessageId" if is_email else "TaskId"
    there = [row["RelationId"] for row in desk.rows(kind, **{parent: logged.id})]
    assert sorted(there) == sorted(row["Id"] for row in (first, common, *others))


@pytest.mark.parametrize("form", list(KeyForm))
def test_tasks_of_leads_are_taken_back_by_whoever_knows_the_first_task_only(salesforce: Running, form: KeyForm) -> None:
    keys = {"EmailMessage.Sync_Key__c", "Task.Sync_Key__c"}
    absent = {KeyForm.FIELD: {"Sync_Ledger__c"}, KeyForm.LEDGER: keys, KeyForm.LOOKUP: {"Sync_Ledger__c", *keys}}
    desk = Desk(salesforce, "acme", "alice", absent=["EmailMessage", *absent[form]])
    assert desk.activities.capabilities().key_form is form
    people = [*desk.ids("Contact", 1), *desk.ids("Lead", 2)]
    first = desk.activities.log_email(mail(*map(to, people)), KEY)
    other = desk.activities.log_email(mail(*map(to, people)), KEY[::-1])
    desk.activities.delete(Logged("Task", first.id), KEY)
    assert {row["Id"] for row in desk.mails("Task")} == {other.id, *other.others}
    assert len(desk.rows("Sync_Ledger__c")) == (3 if form is KeyForm.LEDGER else 0)


def test_what_is_taken_back_is_gone_and_may_be_filed_again(desk: Desk) -> None:
    contacts, leads = desk.ids("Contact", 2), desk.ids("Lead", 1)
    before = len(desk.rows("Task"))
    record = mail(*map(to, (*contacts, *leads)))
    logged = desk.activities.log_email(record, KEY)
    for _ in range(2):
        desk.activities.delete(logged, KEY)
        assert desk.mails(logged.object) == []
        assert len(desk.rows("Task")) == before
        assert desk.rows("Sync_Ledger__c") == []
    again = desk.activities.log_email(record, KEY)
    assert not again.was_there
    assert len(desk.mails(logged.object)) == (2 if logged.object == "Task" else 1)


def test_a_colleagues_mail_is_not_written_again(salesforce: Running) -> None:
    alice, bob = Desk(salesforce, "acme", "alice"), Desk(salesforce, "acme", "bob")
    record = mail(to(alice.ids("Contact", 1)[0]))
    first = alice.activities.log_email(record, KEY)
    assert bob.activities.log_email(record, KEY) == replace(first, was_there=True)
    assert len(alice.mails("EmailMessage")) == 1


def test_the_customers_own_duplicate_is_a_refusal(salesforce: Running) -> None:
    desk = Desk(salesforce, "acme", "alice")
    body = [
        {"errorCode": "DUPLICATE_VALUE", "message": "duplicate value found: Other__c duplicates value", "fields": []}
    ]
    entry = {"referenceId": "activity", "httpStatusCode": 400, "httpHeaders": {}, "body": body}
    answer = {"graphs": [{"graphId": "g0", "isSuccessful": False, "graphResponse": {"compositeResponse": [entry]}}]}
    fault(desk, status=200, body=answer)
    with pytest.raises(Rejected):
        desk.activities.log_email(mail(to(desk.ids("Contact", 1)[0])), KEY)


def test_a_link_is_posted_once(desk: Desk) -> None:
    person, link = desk.ids("Contact", 1)[0]["Id"], Link("https://drive.example/file", "The plan")
    fault(desk, cut_after=10)
    with pytest.raises(Transient):
        desk.activities.post_link(person, link, KEY)
    there = desk.activities.post_link(person, link, KEY)
    (post,) = desk.rows("FeedItem", ParentId=person)
    assert (post["Id"], post["LinkUrl"], post["Title"], post["Type"]) == (there, link.url, link.name, "LinkPost")


def test_a_link_for_a_mail_is_posted_where_it_has_a_feed(desk: Desk) -> None:
    logged = desk.activities.log_email(mail(to(desk.ids("Contact", 1)[0])), KEY)
    task = logged.id if logged.object == "Task" else desk.mails("EmailMessage")[0]["ActivityId"]
    posts = {desk.activities.post_link(logged.id, Link("https://x.example", "x"), f"{KEY}post") for _ in range(2)}
    assert [row["Id"] for row in desk.rows("FeedItem", ParentId=task)] == list(posts)


def test_nothing_of_a_mail_shows_in_a_failure_or_a_shape(desk: Desk) -> None:
    record = mail(to(desk.ids("Contact", 1)[0]))
    fault(desk, status=400, body=[{"errorCode": "X", "message": "Unmistakable", "fields": []}])
    with pytest.raises(ProviderError) as refused:
        desk.activities.log_email(record, KEY)
    assert "Unmistakable" not in f"{refused.value!r} {refused.value} {record!r} {record.correspondents!r}"
