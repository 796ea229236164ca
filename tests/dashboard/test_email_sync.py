"""The page on what became of one's mail: its reasons, states that need proof, another try; nothing for strangers."""

from collections import deque
from datetime import UTC, datetime, timedelta

import pytest
from django.db.models.functions import Now

from dashboard import email_sync
from organizations import policy
from organizations.models import Member
from providers.errors import NeedsReconnect, Rejected
from sync import conversations
from sync.models import Decision, SyncedMailbox, Tally, Waiting
from tests.dashboard.test_pages import page, signed_in
from tests.sync.conftest import Office, cold, office

__all__ = ["cold", "office"]
pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def seen_by(member: Member, query: str = "") -> str:
    return page(signed_in(member), f"email-sync/{query}")


def sent_by(member: Member, what: str, decision: object) -> int:
    return signed_in(member).post(f"/dashboard/email-sync/{what}/", {"decision": str(decision)}).status_code


@pytest.fixture
def decided(office: Office) -> Office:
    """Alice: one saved, one whose person nobody knows, one that Salesforce refused."""
    office.alice.pull()
    office.alice.box.arrive(1)
    office.alice.box.arrive(1, matches=False)
    (dead,) = office.alice.box.arrive(1)
    office.alice.desk.errors[dead] = deque([Rejected("no", provider="salesforce", code="validation")])
    office.alice.run()
    return office


def test_what_another_program_has_saved_may_be_looked_at_again(decided: Office) -> None:
    """It may have been deleted there; and nothing of it is ours to take back."""
    Decision.objects.filter(outcome="synced").update(rule="saved_elsewhere", activity_id="")
    shown = seen_by(decided.alice.member, "?outcome=synced")
    assert "Another program has saved it in Salesforce already" in shown
    assert "Look again" in shown
    assert "Take back" not in shown


def test_each_message_is_told_with_its_reason(decided: Office) -> None:
    shown = seen_by(decided.alice.member)
    assert "Up to date" in shown
    assert "Nobody in Salesforce has one of its addresses." in shown
    assert "Salesforce refused it (validation)." in shown
    assert "Canary" not in shown
    some = seen_by(decided.alice.member, "?outcome=unmatched")
    assert "Nobody in Salesforce" in some
    assert "refused it" not in some


def test_what_has_waited_in_vain_says_so_and_may_be_looked_at_again(decided: Office) -> None:
    in_vain = "Nobody appeared within 30 days, so it is not looked at by itself any more."
    assert in_vain not in seen_by(decided.alice.member, "?outcome=unmatched")
    Waiting.objects.update(until=Now())
    shown = seen_by(decided.alice.member, "?outcome=unmatched")
    assert in_vain in shown
    assert "Look again" in shown


def test_everybodys_mailboxes_come_in_pages(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(email_sync, "MAILBOXES", 1)
    row = '<th scope="row">{}<span'.format
    names = [row(post.member.name) for post in (office.alice, office.bob)]
    first, second = (seen_by(office.alice.member, f"?mailboxes={number}") for number in (1, 2))
    assert [[name in each for name in names] for each in (first, second)] == [[True, False], [False, True]]
    assert '"?mailboxes=2#everybody"' in first
    assert "Everybody" not in seen_by(office.bob.member)


def test_what_stayed_out_of_a_mail_is_told_beside_it(decided: Office) -> None:
    Decision.objects.filter(rule="matched").update(notes={"file_too_large": 2, "of_another_release": 1})
    assert "Attachments left out because they are too large: 2." in seen_by(decided.alice.member)


def test_a_state_is_only_as_good_as_its_proof(decided: Office) -> None:
    rows = SyncedMailbox.objects.filter(pk=decided.alice.mailbox.pk)
    rows.update(polled_at=Now() - timedelta(minutes=11))  # twice five minutes, and one more
    assert "Standing still" in seen_by(decided.alice.member)
    rows.update(polled_at=None)
    assert "Beginning" in seen_by(decided.alice.member)


def test_who_has_to_connect_again_is_told(decided: Office) -> None:
    decided.alice.box.errors.append(NeedsReconnect("gone", provider="google"))
    decided.alice.wait()
    SyncedMailbox.objects.filter(pk=decided.alice.mailbox.pk).update(poll_at=Now())
    decided.alice.pull()
    shown = seen_by(decided.alice.member)
    assert "Needs you" in shown
    assert "It waits until you connect Google again." in shown


def test_it_can_be_looked_at_again_or_left_alone(decided: Office) -> None:
    alice = decided.alice.member
    waiting = Decision.objects.get(rule="nobody_found")
    for mail in decided.alice.box.mails.values():
        mail.matches = True
    assert sent_by(alice, "again", waiting.pk) == 302
    dead = Decision.objects.get(rule="refused")
    assert sent_by(alice, "ignore", dead.pk) == 302
    decided.alice.run()
    assert set(Decision.objects.filter(mailbox=decided.alice.mailbox).values_list("rule", flat=True)) == {
        "matched",
        "left_alone",
    }


def test_strangers_and_colleagues_see_none_of_it(decided: Office) -> None:
    for member in (decided.bob.member, decided.charlie.member):
        assert "refused it" not in seen_by(member)
        dead = Decision.objects.get(rule="refused")
        assert sent_by(member, "ignore", dead.pk) == 302
        assert Decision.objects.filter(pk=dead.pk, rule="refused").exists()
    assert "Everybody" in seen_by(decided.alice.member)
    assert "Everybody" not in seen_by(decided.bob.member)
    assert sent_by(decided.alice.member, "ignore", "x") == 404


def earlier(member: Member, mailbox: object, what: str = "", **values: str) -> str:
    """Where the form leads."""
    sent = {"mailbox": str(mailbox), **values}
    answer = signed_in(member).post(f"/dashboard/email-sync/earlier/{what}", sent)
    return answer["Location"].partition("?")[2] if answer.status_code == 302 else str(answer.status_code)


def day(days: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).date().isoformat()


def test_earlier_mail_is_asked_for_shown_and_stopped(decided: Office) -> None:
    alice, box = decided.alice, decided.alice.mailbox.pk
    assert "Save earlier mail" in seen_by(alice.member)
    alice.box.keep(2, at=datetime.now(UTC) - timedelta(days=3))
    assert earlier(alice.member, box, since=day(6)) == "saved=earlier"
    shown = seen_by(alice.member, "?saved=earlier")
    assert "Earlier mail since" in shown
    assert "<progress" in shown
    assert 'name="since"' not in shown
    assert earlier(alice.member, box, since=day(9)) == "refused=running"
    assert "already" in seen_by(alice.member, "?refused=running")
    assert earlier(alice.member, box, "stop/") == "saved=stopped"
    assert 'name="since"' in seen_by(alice.member)
    assert earlier(alice.member, box, since=day(6)) == "saved=earlier"
    alice.run()
    assert "2 found" in seen_by(alice.member)


def test_no_earlier_mail_of_others_of_no_day_or_where_it_is_switched_off(decided: Office) -> None:
    alice, box = decided.alice.member, decided.alice.mailbox.pk
    for stranger in (decided.bob.member, decided.charlie.member):
        assert earlier(stranger, box, since=day(6)) == "404"
        assert earlier(stranger, box, "stop/") == "404"
    for since in ("", "yesterday", "0001-01-01", day(-2), day(3 * 366)):
        assert earlier(alice, box, since=since) == "refused=early"
    assert earlier(alice, "nonsense", since=day(6)) == "404"
    policy.set_organization_value(str(alice.pk), alice.organization_id, "sync.backfill", False)
    assert "Save earlier mail" not in seen_by(alice)
    assert earlier(alice, box, since=day(6)) == "refused=off"


def test_what_was_told_and_what_was_not_is_shown_by_day(decided: Office) -> None:
    Tally.objects.filter(mailbox=decided.alice.mailbox).update(listed=41, missed=17)
    shown = seen_by(decided.alice.member)
    assert "The last week, counted" in shown
    assert ">41</td>" in shown
    assert ">17</td>" in shown
    assert "counting found 17 more" in shown
    assert ">17</td>" not in seen_by(decided.bob.member)


def test_who_is_meant_is_asked_and_answered(decided: Office) -> None:
    """What needs somebody is no dead end: the people can be looked at, and one of them chosen."""
    alice, ids = decided.alice.member, ["003000000000002AAA", "00Q000000000003AAA"]
    row = Decision.objects.get(mailbox=decided.alice.mailbox, rule="nobody_found")
    asked = {"outcome": "parked", "rule": "several_people", "asked_ids": ids, "asked_why": {ids[1]: ["yours"]}}
    Decision.objects.filter(pk=row.pk).update(**asked, thread_id="t-1")
    shown = seen_by(alice)
    assert "Who is meant?" in shown
    assert shown.count("You own this record.") == 1
    assert shown.index("Save with Lead 2") < shown.index("You own this record.")
    assert all(f"/dashboard/email-sync/record/{each}/" in shown for each in ids)
    sent = {"decision": str(row.pk), "person": ids[1]}
    for member in (decided.bob.member, decided.charlie.member):
        assert signed_in(member).post("/dashboard/email-sync/choose/", sent).status_code == 404
    assert signed_in(alice).post("/dashboard/email-sync/choose/", {**sent, "person": "003x"}).status_code == 404
    assert signed_in(alice).post("/dashboard/email-sync/choose/", sent).status_code == 302
    assert conversations.said_of(decided.alice.mailbox.pk, ["t-1"])["t-1"].person_ids == {ids[1]}


def test_a_dead_letter_can_be_opened_by_its_person_alone(decided: Office) -> None:
    dead = Decision.objects.get(rule="refused")
    path = f"/dashboard/email-sync/open/{dead.pk}/"
    assert path in seen_by(decided.alice.member)
    assert signed_in(decided.alice.member).get(path)["Location"] == f"https://mail.example/{dead.message_id}"
    for member in (decided.bob.member, decided.charlie.member):
        assert signed_in(member).get(path).status_code == 404
    decided.alice.box.mails.clear()
    assert signed_in(decided.alice.member).get(path)["Location"].endswith("?refused=gone")
    assert "not in your mailbox any more" in seen_by(decided.alice.member, "?refused=gone")


@pytest.mark.parametrize("odd", ["x", "00300000000000é", "evil.example", "003000000000002AAAA"])
def test_what_is_no_record_is_not_opened(office: Office, odd: str) -> None:
    assert signed_in(office.alice.member).get(f"/dashboard/email-sync/record/{odd}/").status_code == 404


def test_what_a_setting_kept_out_can_be_looked_at_again(decided: Office) -> None:
    """Nothing else has it decided anew: a folder chosen too late, a dead letter ignored by mistake."""
    rows = Decision.objects.filter(mailbox=decided.alice.mailbox, rule="nobody_found")
    rows.update(outcome="ignored", rule="other_folder")
    shown = seen_by(decided.alice.member, "?outcome=ignored")
    assert "It is in no folder that is chosen for sync." in shown
    assert "Look again" in shown
    assert "Look again" not in seen_by(decided.alice.member, "?outcome=synced")
