"""The page on what became of one's mail: its reasons, states that need proof, another try; nothing for strangers."""

from collections import deque
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from organizations.models import Member
from providers.errors import NeedsReconnect, Rejected
from sync.models import Decision, SyncedMailbox
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


def test_each_message_is_told_with_its_reason(decided: Office) -> None:
    shown = seen_by(decided.alice.member)
    assert "Up to date" in shown
    assert "Nobody in Salesforce has one of its addresses." in shown
    assert "Salesforce refused it (validation)." in shown
    assert "Canary" not in shown
    some = seen_by(decided.alice.member, "?outcome=unmatched")
    assert "Nobody in Salesforce" in some
    assert "refused it" not in some


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
