"""A dry run in a member's mailbox: as if sync were on, from headings alone, in few calls, and nothing is written."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from organizations import policy
from organizations.models import Member
from providers.activities import FoundPeople
from providers.errors import Transient
from providers.mail import Heading, Listed
from sync import conversations, rehearsal
from sync.models import Decision, Job, LedgerEntry, SyncedMailbox
from sync.reasons import Rule
from tests.sync.boxes import Box
from tests.sync.conftest import Office
from tests.sync.mails import found, heading, person
from vault import clients, clock

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


class Mailbox(Box):
    """Hands out the headings it was given; a page of its list may come twice."""

    given: dict[str, Heading]
    seconds = 0.0  # that headings take

    def listed(self, since: datetime, until: datetime, *, page: str = "", most: int = 100) -> Listed:
        self._called("listed")
        names = [name for name, each in self.given.items() if since <= each.received_at < until]
        start = int(page or 0)
        return Listed(tuple(names[max(0, start - 1) : start + 50]), str(start + 50) if start + 50 < len(names) else "")

    def headings(self, message_ids: Sequence[str]) -> Mapping[str, Heading | None]:
        self._called("headings")
        assert len(message_ids) <= 20
        time.sleep(self.seconds)
        return {each: self.given.get(each) for each in message_ids}


class Activities:
    calls = 0

    def people(self, addresses: Sequence[str], message_ids: Sequence[str] = ()) -> FoundPeople:
        self.calls += 1
        return found(*(person(f"c{each}", address=each) for each in addresses if each.startswith("known")))


@pytest.fixture
def salesforce(monkeypatch: pytest.MonkeyPatch) -> Activities:
    made = Activities()
    monkeypatch.setattr(clients, "salesforce_connection_of", lambda _: None)
    monkeypatch.setattr(clients, "activities_for", lambda *_, **__: made)
    return made


@pytest.fixture
def box(office: Office, salesforce: Activities, monkeypatch: pytest.MonkeyPatch) -> Mailbox:
    """Alice's, with 130 mails of the last days; sync is off for everybody of her organization."""
    alice = office.alice.member
    policy.set_organization_value(alice, alice.organization_id, "email.sync.enabled", False)
    SyncedMailbox.objects.filter(member=alice).update(is_on=False)
    made, now = Mailbox(), clock.now()
    senders = ["known@a.example", "stranger@b.example", "alice@acme.example"]
    made.given = {
        f"m{number}": replace(
            heading(senders[number % 3], "alice@acme.example", id=f"m{number}", folders=("INBOX",)),
            thread_id=f"t{number}",
            received_at=now - timedelta(hours=1 + number),
        )
        for number in range(130)
    }
    monkeypatch.setattr(clients, "mailbox_for", lambda *_: made)
    monkeypatch.setattr(clients, "connection_of", lambda *_: office.alice.mailbox.connection)
    return made


def run(member: Member, status: int = 200, **asked: Any) -> dict[str, Any]:
    client = APIClient()
    client.force_authenticate(user=member)  # type: ignore[arg-type]  # django-stubs wants its own base class
    answer = client.post("/api/v1/sync/dry-run/", {"provider": "google", **asked}, format="json")
    assert answer.status_code == status, answer.content
    return dict(answer.json())


def test_what_it_would_have_done(office: Office, box: Mailbox, salesforce: Activities) -> None:
    told = run(office.alice.member)
    assert (told["seen"], told["synced"], told["is_complete"]) == (130, 44, True)
    assert told["sentence"] == "44 of 130 emails would have been saved, 86 would not."
    assert {line["rule"]: line["count"] for line in told["lines"]} == {
        "matched": 44,
        "nobody_found": 43,
        "only_colleagues": 43,
    }
    assert all(line["sentence"].endswith(".") for line in told["lines"])
    assert salesforce.calls == 1
    assert (box.calls["headings"], box.calls["mime"]) == (8, 0)


def test_nothing_is_written(office: Office, box: Mailbox) -> None:
    run(office.alice.member)
    assert not any(model.objects.exists() for model in (Job, Decision, LedgerEntry))


def test_only_the_days_that_were_asked_for(office: Office, box: Mailbox) -> None:
    assert run(office.alice.member, days=1)["seen"] == 23
    for days in (0, 8, "x"):
        run(office.alice.member, 400, days=days)
    run(office.alice.member, 400, provider="salesforce")


def test_the_settings_in_force_hold(office: Office, box: Mailbox) -> None:
    alice = office.alice.member
    policy.set_member_value(alice, "email.filter.blocked_domains", ["a.example"])
    conversations.keep_private(alice, "google", "t1", True)
    counts = {line["rule"]: line["count"] for line in run(alice)["lines"]}
    assert counts == {"only_colleagues": 43, "blocked_domain": 44, "nobody_found": 42, Rule.KEPT_PRIVATE.value: 1}
    policy.set_member_value(alice, "email.sync.replies_only", True)
    counts = {line["rule"]: line["count"] for line in run(alice)["lines"]}
    assert counts == {"not_a_reply": 129, "kept_private": 1}


def test_it_stops_and_says_so(office: Office, box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "MOST_SECONDS", 0.3)
    box.seconds = 0.2
    told = run(office.alice.member)
    assert 20 <= told["seen"] < 130
    assert not told["is_complete"]
    assert told["since"] < told["reached"]


def test_few_at_a_time(office: Office, box: Mailbox) -> None:
    with rehearsal._a_place(), rehearsal._a_place():
        run(office.alice.member, 429)
    assert run(office.alice.member)["seen"] == 130
    box.errors.append(Transient("away", provider="google"))
    run(office.alice.member, 503)
    assert run(office.alice.member)["seen"] == 130  # the place was given back
