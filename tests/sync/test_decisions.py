"""Why? Asked by whose mail it is, and by the administrators of his organization; by nobody else. And dead letters."""

from collections import deque

import pytest
from django.db.models.functions import Now

from providers.errors import Detail, Rejected
from sync import decisions, retention, waiting
from sync.models import Decision, Job, Waiting
from sync.reasons import Rule, verdict
from tests.sync.conftest import Office, Post
from tests.sync.test_api import client_of

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def refuse(post: Post, message_id: str, times: int = 1) -> None:
    error = Rejected("no", provider="salesforce", details=(Detail("CANNOT_INSERT", "Canary"),))
    post.desk.errors[message_id] = deque([error] * times)


@pytest.fixture
def decided(office: Office) -> Office:
    for each in (office.alice, office.bob, office.charlie):
        each.run()
        ids = each.box.arrive(3)
        each.box.arrive(2, matches=False)
        refuse(each, ids[0])
        each.run()
    return office


def test_everybody_reads_his_own_in_words(decided: Office) -> None:
    shown, following = decisions.page(decisions.of_member(decided.bob.member))
    assert {each.message_id for each in shown} == set(decided.bob.box.mails)
    assert following is None
    failed = next(each for each in shown if each.outcome == "failed")
    assert failed.sentence == "Salesforce refused it (CANNOT_INSERT)."
    assert failed.is_dead
    assert decisions.counts(decided.bob.member) == {"synced": 2, "unmatched": 2, "failed": 1}


def test_an_administrator_reads_his_organizations_and_no_other(decided: Office) -> None:
    rows = decisions.of_organization(decided.alice.member)
    assert set(rows.values_list("mailbox__member__username", flat=True)) == {"Alice@acme.example", "bob@acme.example"}
    assert not decisions.of_organization(decided.bob.member).exists()
    strangers = decisions.of_organization(decided.charlie.member)
    assert set(strangers.values_list("mailbox__member__username", flat=True)) == {"charlie@globex.example"}


def test_pages_have_every_decision_once(decided: Office) -> None:
    Decision.objects.update(decided_at=Now())  # all at one moment: the id decides
    found, after = [], None
    while True:
        shown, after = decisions.page(decisions.of_organization(decided.alice.member), after=after, most=3)
        found += [each.id for each in shown]
        if after is None:
            break
    assert len(found) == len(set(found)) == 10
    only, _ = decisions.page(decisions.of_member(decided.alice.member), outcomes=["unmatched"])
    assert {each.rule for each in only} == {"nobody_found"}


def dead_letter(post: Post) -> Decision:
    return Decision.objects.get(mailbox=post.mailbox, outcome="failed")


def test_a_dead_letter_is_tried_again_by_its_member_only(decided: Office) -> None:
    row = dead_letter(decided.bob)
    for stranger in (decided.charlie.member, decided.alice.member):
        assert decisions.try_again(stranger, [row.pk]) == []
        assert decisions.ignore(stranger, [row.pk]) == 0
    assert decisions.try_again(decided.bob.member, [row.pk]) == [decided.bob.mailbox.pk]
    decided.bob.run()
    row.refresh_from_db()
    assert (row.outcome, row.error_code) == ("synced", "")


def test_a_dead_letter_is_left_alone(decided: Office) -> None:
    row = dead_letter(decided.bob)
    assert decisions.ignore(decided.bob.member, [row.pk]) == 1
    row.refresh_from_db()
    assert (row.outcome, row.rule) == ("ignored", "left_alone")
    assert decisions.ignore(decided.bob.member, [row.pk]) == 0
    shown, _ = decisions.page(decisions.of_member(decided.bob.member))
    assert not any(each.is_dead for each in shown)


def test_where_a_message_is_before_it_is_decided(alice: Post) -> None:
    alice.run()
    one = alice.box.arrive()[0]

    def standing() -> str:
        return decisions.standing_of(alice.member, one)

    found = [standing()]
    alice.pull()
    found.append(standing())
    alice.jobs()
    found.append(standing())
    alice.run()
    assert [*found, standing()] == ["unseen", "waiting", "running", "decided"]


def test_a_rule_of_an_older_release_is_shown_all_the_same(decided: Office) -> None:
    Decision.objects.update(rule="long_gone")
    shown, _ = decisions.page(decisions.of_member(decided.alice.member))
    assert {each.sentence for each in shown if each.outcome == "failed"} == {"It was decided: failed."}


def test_what_has_waited_in_vain_says_so_and_waits_anew_when_it_is_looked_at(alice: Post) -> None:
    alice.run()
    alice.box.arrive(1, matches=False)
    alice.run()

    def shown() -> tuple[bool, str]:
        ((line,), _) = decisions.page(decisions.of_member(alice.member))
        return line.is_waiting, line.sentence

    why = "Nobody in Salesforce has one of its addresses."
    in_vain = "Nobody appeared within 30 days, so it is not looked at by itself any more."
    assert shown() == (True, why)
    Waiting.objects.update(until=Now())
    assert shown() == (False, f"{why} {in_vain}")
    retention.forget_old()
    assert shown() == (False, f"{why} {in_vain}")
    Decision.objects.update(rule="leads_off")
    assert shown()[1].endswith("switched off. It has waited for 30 days, and is not looked at by itself any more.")
    assert decisions.try_again(alice.member, [Decision.objects.get().pk])
    alice.run()
    assert shown() == (True, why)


def test_what_was_decided_otherwise_has_not_waited(decided: Office) -> None:
    lines, _ = decisions.page(decisions.of_member(decided.bob.member))
    assert {line.outcome for line in lines if line.is_waiting} == {"unmatched"}
    assert not any("by itself" in line.sentence for line in lines)


def test_mail_that_waits_for_somebody_is_looked_at_when_he_appears(decided: Office) -> None:
    alice, charlie = decided.alice, decided.charlie
    assert Waiting.objects.filter(organization=alice.member.organization).count() == 4
    assert waiting.appeared(alice.member.organization_id, ["somebody.else@customer.example"]) == []
    for mail in alice.box.mails.values():
        mail.matches = True
    found = waiting.appeared(alice.member.organization_id, ["Jane@Customer.example"])
    assert set(found) == {alice.mailbox.pk, decided.bob.mailbox.pk}
    assert not Job.objects.filter(mailbox=charlie.mailbox).exclude(state__in=["done", "dead"]).exists()
    alice.run()
    assert decisions.counts(alice.member) == {"synced": 4, "failed": 1}
    assert not Waiting.objects.filter(decision__mailbox=alice.mailbox).exists()


def test_what_somebody_keeps_out_names_nobody_to_his_administrator(office: Office) -> None:
    """A list of one's own is nobody else's to read (F9)."""
    said = {
        "a": verdict(Rule.BLOCKED_DOMAIN, domain="rival.example"),
        "b": verdict(Rule.SIGN_IN_CODE),
        "c": verdict(Rule.NOBODY_FOUND),
    }
    for post in (office.alice, office.bob):
        whose = {"organization": post.member.organization, "mailbox": post.mailbox, "decided_at": Now()}
        for name, each in said.items():
            about = {"outcome": each.outcome, "rule": each.rule, "values": dict(each.values)}
            Decision.objects.create(**whose, **about, message_id=name, domain="rival.example")
    client = client_of(office.alice.member)
    found = client.get("/api/v1/sync/decisions/", {"whose": "everybody"}).json()["decisions"]
    mine = {each["message_id"]: each for each in found if each["mailbox_id"] == str(office.alice.mailbox.pk)}
    others = {each["message_id"]: each for each in found if each["mailbox_id"] == str(office.bob.mailbox.pk)}
    assert "rival.example" in mine["a"]["sentence"]
    assert {each["domain"] for each in mine.values()} == {"rival.example"}
    assert others["a"]["sentence"] == "One of its addresses is at a domain that is blocked."
    assert [others[name]["domain"] for name in "abc"] == ["", "", "rival.example"]
