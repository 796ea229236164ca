"""Mail that waits for somebody is looked at again when he appears in Salesforce, and hardly anybody is asked for it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now

from providers.activities import Newcomers
from providers.errors import NeedsReconnect, PermissionMissing, ProviderError
from sync import appearing, sweep
from sync.models import Decision, SyncedMailbox, Waiting
from tests.sync.conftest import Office, Post
from vault import clients, clock

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
JANE = "jane@customer.example"


@dataclass
class Asked:
    """`providers.activities.Activities` as far as it is asked who is new."""

    answer: Newcomers = field(default_factory=lambda: Newcomers(frozenset()))
    since: list[datetime] = field(default_factory=list)
    error: ProviderError | None = None

    def newcomers(self, since: datetime) -> Newcomers:
        self.since.append(since)
        if self.error:
            raise self.error
        return self.answer


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    built = Asked()
    monkeypatch.setattr(clients, "activities_for", lambda *_, **__: built)
    monkeypatch.setattr(clients, "salesforce_connection_of", lambda _: None)
    return built


def with_waiting(post: Post, count: int = 2) -> list[str]:
    post.pull()
    ids = post.box.arrive(count, matches=False)
    post.run()
    assert set(post.decisions().values()) == {"nobody_found"}
    return ids


def test_mail_is_looked_at_again_when_its_person_appears(office: Office, asked: Asked) -> None:
    mine, theirs = with_waiting(office.alice), with_waiting(office.bob)
    asked.answer = Newcomers(frozenset({"nobody@else.example"}))
    assert appearing.ask(office.alice.mailbox.pk) == []
    asked.answer = Newcomers(frozenset({"nobody@else.example", JANE}))
    for post, ids in ((office.alice, mine), (office.bob, theirs)):
        for each in ids:
            post.box.mails[each].matches = True
    found = appearing.ask(office.alice.mailbox.pk)
    assert set(found) == {office.alice.mailbox.pk, office.bob.mailbox.pk}  # whoever sees her, both have waited
    office.alice.run()
    office.bob.run()
    assert {*office.alice.decisions().values(), *office.bob.decisions().values()} == {"matched"}
    assert not Waiting.objects.exists()


def test_each_question_begins_where_the_last_one_did(alice: Post, asked: Asked) -> None:
    with_waiting(alice)
    before = clock.now()
    appearing.ask(alice.mailbox.pk)
    SyncedMailbox.objects.update(asked_until=F("asked_until") - timedelta(hours=1))
    appearing.ask(alice.mailbox.pk)
    first, second = asked.since
    assert before - timedelta(minutes=6) < first < before - timedelta(minutes=4)  # when the mail began to wait
    assert second < clock.now() - timedelta(hours=1)
    assert alice.again().asked_until is not None


def test_only_mailboxes_with_mail_that_waits_are_asked_for_once_an_hour(office: Office) -> None:
    with_waiting(office.alice)
    assert sweep.to_ask() == [office.alice.mailbox.pk]
    assert sweep.to_ask() == []
    SyncedMailbox.objects.update(ask_at=F("ask_at") - appearing.EVERY)
    assert sweep.to_ask() == [office.alice.mailbox.pk]
    SyncedMailbox.objects.update(ask_at=F("ask_at") - appearing.EVERY)
    Waiting.objects.update(until=Now())
    assert sweep.to_ask() == []


def test_where_too_many_have_changed_each_mail_is_looked_at_once_a_day(alice: Post, asked: Asked) -> None:
    ids = with_waiting(alice)
    asked.answer = Newcomers(frozenset(), is_cut=True)
    assert appearing.ask(alice.mailbox.pk) == []
    Decision.objects.filter(message_id=ids[0]).update(decided_at=Now() - timedelta(hours=21))
    assert appearing.ask(alice.mailbox.pk) == [alice.mailbox.pk]
    assert alice.open_jobs() == 1
    alice.run()
    assert appearing.ask(alice.mailbox.pk) == []


def test_a_question_that_failed_is_asked_from_where_it_began(alice: Post, asked: Asked) -> None:
    with_waiting(alice)
    asked.error = PermissionMissing("not for you", provider="salesforce")
    assert appearing.ask(alice.mailbox.pk) == []
    assert (alice.again().asked_until, alice.again().parked_until) == (None, None)
    asked.error = NeedsReconnect("over", provider="salesforce")
    assert appearing.ask(alice.mailbox.pk) == []
    assert alice.again().parked_for == "needs_reconnect"
