"""The page that tries email sync out: what would have been done and why, or what has to be connected first."""

from typing import Any

import pytest
from django.utils import timezone

from organizations.models import Member
from providers.errors import PermissionMissing, Transient
from sync import rehearsal
from sync.dry_run import Foreseen, forecast
from sync.reasons import Rule, verdict
from sync.rehearsal import Rehearsal
from tests.dashboard.test_pages import page, signed_in
from tests.organizations import people

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bob() -> Member:
    return people.everybody()[1]


def run(member: Member, provider: str = "google") -> tuple[int, str]:
    answer = signed_in(member).post("/dashboard/email-sync/try/run/", {"provider": provider})
    return answer.status_code, answer.content.decode()


def rehearsed(monkeypatch: pytest.MonkeyPatch, outcome: Any) -> None:
    def rehearse(member: Member, provider: str, *, days: int) -> Rehearsal:
        if isinstance(outcome, Exception):
            raise outcome
        return Rehearsal(outcome, timezone.now(), timezone.now(), is_complete=days != 7)

    monkeypatch.setattr(rehearsal, "rehearse", rehearse)


def test_it_says_what_would_have_been_done(bob: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    decided = [verdict(Rule.MATCHED), verdict(Rule.BLOCKED_DOMAIN, domain="evil.example")]
    rehearsed(monkeypatch, forecast(Foreseen("m", timezone.now(), each) for each in decided))
    status, shown = run(bob)
    assert status == 200
    assert "1 of 2 emails would have been saved, 1 would not." in shown
    assert "One of its addresses is at evil.example, which is blocked." in shown
    assert "There was time for those since" in shown


@pytest.mark.parametrize("refusal", [PermissionMissing("no", provider="google"), None])
def test_who_has_connected_nothing_is_told_what_to_do(bob: Member, monkeypatch: Any, refusal: Any) -> None:
    if refusal:
        rehearsed(monkeypatch, refusal)
    status, shown = run(bob)
    assert (status, "Google has to be connected first" in shown) == (409, True)
    assert 'href="/connect/google/?next=' in shown.replace("http://localhost:8000", "")
    assert "#email.sync.try_out" in shown


def test_others_are_at_it(bob: Member) -> None:
    with rehearsal._a_place(), rehearsal._a_place():
        status, shown = run(bob)
    assert (status, "Try again in half a minute" in shown) == (429, True)


def test_who_cannot_be_asked_now_may_be_later(bob: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    rehearsed(monkeypatch, Transient("away", provider="google"))
    status, shown = run(bob)
    assert (status, "could not be asked just now" in shown) == (503, True)
    assert run(bob, "salesforce")[0] == 404


def test_the_page_itself_tries_nothing(bob: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    rehearsed(monkeypatch, AssertionError())
    assert "Which mailbox" in page(signed_in(bob), "email-sync/try/")
    assert signed_in(bob).get("/dashboard/email-sync/try/run/").status_code == 405
    assert "Try it out" in page(signed_in(bob), "email-sync/")
