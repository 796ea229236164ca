"""Two colleagues with mail that sync has saved at the simulated Salesforce, in each form it keeps mail in; and a
worker's turns until a correction has ended."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db.models.functions import Now

from organizations.models import Member
from providers.activities import Logged
from sync import correcting, corrections, retries
from sync.models import Correction, CorrectionStep, Decision, LedgerEntry
from sync.reasons import Rule
from tests.providers.desks import Desk, mail, to
from tests.simulators.running import Running, salesforce, salesforce_process
from tests.sync.conftest import Office, Post
from vault import clients

__all__ = ["salesforce", "salesforce_process"]
#: What the organization lacks, and what becomes of a mail there.
FORMS = {"EmailMessage": ["Sync_Ledger__c"], "Task": ["EmailMessage", "EmailMessageRelation", "Sync_Ledger__c"]}


@dataclass
class Room:
    """Alice and Bob, each with a desk at Salesforce of his own."""

    office: Office
    desks: Mapping[Any, Desk]
    form: str
    broken: dict[Any, Exception] = field(default_factory=dict)  # by member: what opening his connection raises

    @property
    def alice(self) -> Post:
        return self.office.alice

    @property
    def bob(self) -> Post:
        return self.office.bob

    @property
    def desk(self) -> Desk:
        return self.desks[self.alice.member.pk]

    def save(self, post: Post, *colleagues: Post, thread: str = "t", rule: str = Rule.MATCHED) -> Decision:
        """A mail that sync has saved for `post`, and that stands on colleagues' side as well."""
        desk, key = self.desks[post.member.pk], uuid4().hex
        person = desk.ids("Contact", 1)[0]
        logged = desk.activities.log_email(mail(to(person)), key)
        LedgerEntry.objects.create(
            organization=post.member.organization,
            mailbox=post.mailbox,
            key=key,
            message_mark=key.encode(),
            rule=rule,
            object_name=logged.object,
            salesforce_id=logged.id,
            written_at=Now(),
            stands_for=[each.member.pk for each in (post, *colleagues)],
        )
        about = (logged, person["Id"], thread)
        for colleague in colleagues:
            self._decided(colleague, *about, Rule.COLLEAGUE_WAS_FIRST)
        return self._decided(post, *about, rule)

    @staticmethod
    def _decided(post: Post, logged: Logged, person: str, thread: str, rule: str) -> Decision:
        return Decision.objects.create(
            organization=post.member.organization,
            mailbox=post.mailbox,
            message_id=uuid4().hex,
            thread_id=thread,
            outcome="synced",
            rule=rule,
            domain="customer.example",
            activity_id=logged.id,
            record_ids=[person],
        )

    def there(self) -> set[str]:
        return {row["Id"] for row in self.desk.mails(self.form)}

    def people_on(self, activity_id: str) -> set[str]:
        kind, parent = ("EmailMessageRelation", "EmailMessageId")
        if self.form == "Task":
            kind, parent = ("TaskRelation", "TaskId")
        return {row["RelationId"] for row in self.desk.rows(kind, **{parent: activity_id}) if row.get("RelationId")}


@pytest.fixture(params=list(FORMS))
def room(
    request: pytest.FixtureRequest, office: Office, salesforce: Running, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Room]:
    yield furnished(office, salesforce, monkeypatch, request.param, FORMS[request.param])
    salesforce.reset()


def furnished(
    office: Office, salesforce: Running, monkeypatch: pytest.MonkeyPatch, form: str, absent: Sequence[str]
) -> Room:
    pairs = ((office.alice, "alice"), (office.bob, "bob"))
    desks = {post.member.pk: Desk(salesforce, "acme", user, absent=absent) for post, user in pairs}
    users = {user["key"]: user["id"] for user in salesforce.sim("state?object=User", org="acme")["users"]}
    for post, user in pairs:
        post.member.salesforce_user_id = users[user]
        post.member.save()
    built = Room(office, desks, form)

    def connection_of(member: Member) -> object:
        if member.pk in built.broken:
            raise built.broken[member.pk]
        return member.pk

    monkeypatch.setattr(clients, "salesforce_connection_of", connection_of)
    monkeypatch.setattr(clients, "activities_for", lambda connection, *_, **__: desks[connection].activities)
    monkeypatch.setattr(retries, "BASE", 0.0)
    return built


def proceed(correction: Correction | None, rounds: int = 12) -> dict[str, int]:
    """Until it has ended; how often each result came."""
    assert correction is not None
    for _ in range(rounds):
        past = Now() - timedelta(seconds=1)
        CorrectionStep.objects.filter(correction=correction).update(next_at=past)
        CorrectionStep.objects.exclude(lease_until=None).update(lease_until=past)
        if correction.pk in corrections.to_go_on():
            correcting.proceed(correction.pk)
        correction.refresh_from_db()
        if correction.ended_at is not None:
            break
    assert correction.ended_at is not None
    return {line.result: line.count for line in corrections.progress([correction])[0].lines}


def rule_of(row: Decision) -> str:
    return Decision.objects.get(pk=row.pk).rule
