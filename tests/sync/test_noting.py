"""Opens and clicks on the logged activity: only where switched on, once per mail and window, whatever dies then."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from organizations import policy, signals
from organizations.registries import Seen, seen_counters
from providers.activities import Logged, Note
from providers.errors import NotFound, PermissionMissing, ProviderError, RateLimited, Transient
from sync import ledger, noted, noting
from sync.models import LedgerEntry, NotedMail, Pause
from tests.sync.boxes import Killed
from tests.sync.conftest import Office, Post
from vault import clients

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
MESSAGE_ID = "<offer@mail.acme.example>"
RECORD = "02s000000000001AAA"


@dataclass
class Crm:
    """`providers.activities.Activities`, as far as noting asks."""

    notes: list[Note] = field(default_factory=list)
    calls: int = 0
    deleted: list[str] = field(default_factory=list)
    keeps: ProviderError | None = None  # why it deletes nothing
    outcomes: list[str | ProviderError | BaseException] = field(default_factory=list)

    def note_seen(self, notes: Sequence[Note]) -> list[str | ProviderError]:
        self.calls += 1
        self.notes += notes
        outcome = self.outcomes.pop(0) if self.outcomes else ""
        if isinstance(outcome, BaseException) and not isinstance(outcome, NotFound):
            raise outcome
        return [outcome for _ in notes]

    def delete(self, logged: Logged, key: str) -> None:
        if self.keeps:
            raise self.keeps
        self.deleted.append(logged.id)


@dataclass
class Counts:
    """Tracking's, which this room does not know."""

    seen: dict[UUID, Seen] = field(default_factory=dict)


@pytest.fixture
def crm(monkeypatch: pytest.MonkeyPatch) -> Crm:
    found = Crm()
    monkeypatch.setattr(clients, "salesforce_connection_of", lambda *_: None)
    monkeypatch.setattr(clients, "activities_for", lambda *_, **__: found)
    return found


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counts:
    found = Counts()

    def counted(mail_ids: Sequence[UUID]) -> dict[UUID, Seen]:
        return {each: found.seen[each] for each in mail_ids if each in found.seen}

    monkeypatch.setattr(seen_counters, "_parts", {"tests": counted})
    return found


@pytest.fixture
def post(office: Office) -> Post:
    policy.set_organization_value(
        str(office.alice.member.pk), office.alice.member.organization_id, "track.in_salesforce", True
    )
    return office.alice


def sent(post: Post, message_id: str = MESSAGE_ID) -> UUID:
    mail_id = uuid4()
    signals.mail_sent.send(sender=None, member=post.member, mail_id=mail_id, message_id=message_id)
    return mail_id


def saved(post: Post, message_id: str = MESSAGE_ID, **values: Any) -> LedgerEntry:
    marks = ledger.marks_of(post.member.organization_id)
    given = {"key": uuid4().hex, "object_name": "EmailMessage", "salesforce_id": RECORD, "written_at": timezone.now()}
    return LedgerEntry.objects.create(
        organization=post.member.organization, message_mark=marks.of_message_id(message_id), **{**given, **values}
    )


def seen(counts: Counts, *mail_ids: UUID, opens: int = 1, clicks: int = 0) -> None:
    for each in mail_ids:
        counts.seen[each] = Seen(opens, clicks, timezone.now())
    with transaction.atomic():
        signals.mail_seen.send(sender=None, mail_ids=set(mail_ids))


def pass_time(hours: float = 0.1) -> None:
    """In the database: what is due by then is due now, and whoever was at it is dead."""
    span = timedelta(hours=hours)
    for row in NotedMail.objects.all():
        moments = {
            name: getattr(row, name) - span for name in ("due_at", "lease_until", "noted_at") if getattr(row, name)
        }
        NotedMail.objects.filter(pk=row.pk).update(**moments)


def run(post: Post) -> None:
    for member_id in noted.due():
        noting.note(member_id)


def test_it_is_noted_once_and_then_once_an_hour(post: Post, crm: Crm, counts: Counts) -> None:
    mail, entry = sent(post), saved(post)
    seen(counts, mail)
    run(post)
    assert crm.calls == 0, "until it is known whether a machine did it"
    pass_time()
    seen(counts, mail, opens=2)
    run(post)
    (note,) = crm.notes
    assert (note.logged.id, note.key, note.seen.opens, note.is_repeat) == (RECORD, entry.key, 2, False)
    for opens in (3, 4, 5):
        seen(counts, mail, opens=opens, clicks=1)
        pass_time(0.2)
        run(post)
    assert crm.calls == 1
    pass_time(0.6)
    run(post)
    assert [(each.seen.opens, each.seen.clicks) for each in crm.notes] == [(2, 0), (5, 1)]
    pass_time(5)
    run(post)
    assert crm.calls == 2


def test_what_comes_while_it_is_written_is_noted_a_window_later(post: Post, crm: Crm, counts: Counts) -> None:
    mail, _ = sent(post), saved(post)
    seen(counts, mail)
    pass_time()
    lease, (claimed,) = noted.claim(post.member.pk)
    seen(counts, mail, opens=7)
    noted.noted(lease, claimed, Seen(1, 0, None), "")
    pass_time(0.9)
    run(post)
    assert crm.calls == 0
    pass_time(0.2)
    run(post)
    assert [note.seen.opens for note in crm.notes] == [7]


def test_many_mails_are_one_call(post: Post, crm: Crm, counts: Counts) -> None:
    mails = [sent(post, f"<{n}@acme.example>") for n in range(20)]
    for n in range(20):
        saved(post, f"<{n}@acme.example>")
    seen(counts, *mails)
    pass_time()
    run(post)
    assert (crm.calls, len(crm.notes)) == (1, 20)


def test_where_it_is_off_nothing_is_kept_and_what_was_kept_goes(post: Post, crm: Crm, counts: Counts) -> None:
    member = post.member
    mail, _ = sent(post), saved(post)
    seen(counts, mail)
    policy.set_organization_value(str(member.pk), member.organization_id, "track.in_salesforce", False)
    sent(post, "<other@acme.example>")
    assert NotedMail.objects.count() == 1
    pass_time()
    run(post)
    assert (crm.calls, NotedMail.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    "spelt", ["<offer@mail.acme.example>", " offer@mail.acme.example ", "<offer@mail.acme.example>\n"]
)
def test_a_message_id_is_known_however_the_mail_client_spells_it(
    post: Post, crm: Crm, counts: Counts, spelt: str
) -> None:
    mail, _ = sent(post, spelt), saved(post)
    seen(counts, mail)
    pass_time()
    run(post)
    assert len(crm.notes) == 1


def test_a_mail_that_is_saved_later_is_noted_then(post: Post, crm: Crm, counts: Counts) -> None:
    mail = sent(post)
    seen(counts, mail)
    pass_time()
    run(post)
    saved(post, salesforce_id="")
    pass_time(1.1)
    run(post)
    assert crm.calls == 0
    LedgerEntry.objects.update(salesforce_id=RECORD)
    pass_time(1.1)
    run(post)
    assert crm.calls == 1
    assert not crm.notes[0].is_repeat


def test_a_mail_that_is_never_saved_is_not_asked_about_for_ever(post: Post, crm: Crm, counts: Counts) -> None:
    mail = sent(post)
    seen(counts, mail)
    NotedMail.objects.update(created_at=Now() - noted.UNSAVED)
    pass_time()
    run(post)
    assert NotedMail.objects.get().due_at is None


def test_of_several_under_one_message_id_the_first_is_it(post: Post, crm: Crm, counts: Counts) -> None:
    mail, _ = sent(post), saved(post)
    saved(post, salesforce_id="02s000000000002AAA", written_at=timezone.now() + timedelta(minutes=1))
    seen(counts, mail)
    pass_time()
    run(post)
    assert [note.logged.id for note in crm.notes] == [RECORD]


def test_a_death_while_it_is_written_is_a_repeat_later(post: Post, crm: Crm, counts: Counts) -> None:
    mail, _ = sent(post), saved(post)
    crm.outcomes = [Killed(), "00T000000000001AAA"]
    seen(counts, mail)
    pass_time()
    with pytest.raises(Killed):
        run(post)
    run(post)
    assert crm.calls == 1, "somebody may be at it"
    pass_time()
    run(post)
    assert [note.is_repeat for note in crm.notes] == [False, True]
    assert NotedMail.objects.get().beside_id == "00T000000000001AAA"


def test_passing_faults_are_tried_again_until_enough(post: Post, crm: Crm, counts: Counts) -> None:
    mail, _ = sent(post), saved(post)
    crm.outcomes = [Transient("away", provider="salesforce") for _ in range(20)]
    seen(counts, mail)
    for _ in range(12):
        pass_time()
        run(post)
    assert crm.calls == 8
    crm.outcomes = []
    seen(counts, mail, opens=2)
    pass_time()
    run(post)
    assert crm.calls == 9
    assert NotedMail.objects.get().opens == 2


def test_what_is_gone_in_salesforce_is_let_be(post: Post, crm: Crm, counts: Counts) -> None:
    mail, _ = sent(post), saved(post)
    crm.outcomes = [NotFound("gone", provider="salesforce")]
    seen(counts, mail)
    pass_time()
    run(post)
    pass_time(5)
    run(post)
    assert crm.calls == 1


def test_a_throttled_organization_waits_and_loses_no_try(post: Post, crm: Crm, counts: Counts) -> None:
    mail, _ = sent(post), saved(post)
    crm.outcomes = [RateLimited("wait", provider="salesforce", retry_after=30.0)]
    seen(counts, mail)
    pass_time()
    run(post)
    assert NotedMail.objects.get().tries == 0
    Pause.objects.create(organization=post.member.organization, until=Now() + timedelta(hours=1), cause="throttled")
    pass_time()
    assert noted.due() == []
    Pause.objects.all().delete()
    run(post)
    assert crm.calls == 2


def test_what_turns_out_to_be_nobody_is_corrected(post: Post, crm: Crm, counts: Counts) -> None:
    """His own look at it, which was taken for a recipient's."""
    mail, _ = sent(post), saved(post)
    seen(counts, mail)
    pass_time()
    run(post)
    seen(counts, mail, opens=0)
    pass_time(1.1)
    run(post)
    assert [note.seen.opens for note in crm.notes] == [1, 0]


def test_a_mail_that_is_taken_back_takes_along_what_stands_beside_it(post: Post, crm: Crm, counts: Counts) -> None:
    mail, _ = sent(post), saved(post)
    crm.outcomes = ["00T000000000001AAA"]
    seen(counts, mail)
    pass_time()
    run(post)
    assert noted.look_for_undone() == 0
    LedgerEntry.objects.update(undone_at=Now())
    assert noted.look_for_undone() == 1
    run(post)
    assert (crm.deleted, NotedMail.objects.count()) == (["00T000000000001AAA"], 0)


def test_what_may_not_be_deleted_keeps_no_other_mail_from_being_noted(post: Post, crm: Crm, counts: Counts) -> None:
    first, _ = sent(post), saved(post)
    crm.outcomes = ["00T000000000001AAA"]
    seen(counts, first)
    pass_time()
    run(post)
    LedgerEntry.objects.update(undone_at=Now())
    crm.keeps = PermissionMissing("no", provider="salesforce")
    other, _ = sent(post, "<other@mail.acme.example>"), saved(post, "<other@mail.acme.example>")
    seen(counts, other)
    pass_time()
    noted.look_for_undone()
    run(post)
    assert (len(crm.notes), NotedMail.objects.get().mail_id) == (2, other)


def test_what_tracking_has_forgotten_goes(post: Post, crm: Crm, counts: Counts) -> None:
    mail, _ = sent(post), saved(post)
    seen(counts, mail)
    counts.seen.clear()
    pass_time()
    run(post)
    assert (crm.calls, NotedMail.objects.count()) == (0, 0)


def test_a_strangers_mail_of_the_same_name_is_his_own(office: Office, post: Post, crm: Crm, counts: Counts) -> None:
    """Charlie's organization has other digests, and another ledger."""
    charlie = office.charlie.member
    policy.set_organization_value(str(charlie.pk), charlie.organization_id, "track.in_salesforce", True)
    saved(post)
    mail = sent(office.charlie)
    seen(counts, mail)
    pass_time()
    run(office.charlie)
    assert crm.calls == 0
