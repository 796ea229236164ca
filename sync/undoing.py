"""Taking mail out of Salesforce again, or saving it with other people: one email, a conversation, or all that a rule
has saved in a span of time. Begins it: ledger and steps change together; `correcting` does the rest."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Max, Min, Q, QuerySet
from django.db.models.functions import Now

from organizations import audit
from organizations.models import Member
from sync import conversations, corrections, decisions
from sync.corrections import Action
from sync.models import Correction, CorrectionStep, Decision, LedgerEntry
from sync.reasons import Rule
from sync.writing import UNSEEN

Kind, Scope = Correction.Kind, Correction.Scope
#: What may stand in the ledger as the reason why something was saved.
WRITES = (Rule.MATCHED, Rule.ASKED_FOR)
#: People that one email or conversation is saved with instead.
MOST_PEOPLE = 10
_BATCH = 1_000


class NotAllowed(RuntimeError):
    """What others have saved is an administrator's to take back."""


class HasChanged(RuntimeError):
    """There is more, or less, to be taken back than was counted before. `count`: as it is now."""

    def __init__(self, count: int) -> None:
        super().__init__("The number of emails is another one by now.")
        self.count = count


@dataclass(frozen=True, slots=True)
class Span:
    """What `rule` has saved from `since` until before `until` (aware), by when it was saved; of one member, or with one
    counterpart's domain only, where given."""

    rule: str
    since: datetime
    until: datetime
    member_id: UUID | None = None
    domain: str = ""


@dataclass(frozen=True, slots=True)
class Counted:
    """`first` and `last`: when they were saved. `members`: in whose names."""

    count: int
    members: int
    first: datetime | None
    last: datetime | None


# -- one email, one conversation --------------------------------------------------------------------------------------


def undo_mail(member: Member, decision_id: UUID) -> Correction | None:
    """Of one's own, or anybody's for an administrator. A colleague who has the email too keeps it: whoever asks is
    taken off it then, unless he asks for somebody else as an administrator. None where nothing of it is saved."""
    row = _saved(member, decision_id)
    return _undo(member, Scope.MAIL, [row], is_for_all=row.mailbox.member_id != member.pk) if row else None


def undo_thread(member: Member, provider: str, thread_id: str) -> Correction | None:
    """All of one's own mail of this conversation that is saved so far. What comes later is saved again."""
    return _undo(member, Scope.THREAD, _of_thread(member, provider, thread_id), is_for_all=False)


def undo_activity(member: Member, activity_id: str) -> Correction | None:
    """By the id that saving it on request has told; there need be no decision on such an email. One's own, or what was
    saved from no mailbox that is synced: then one's rights in Salesforce decide. Administrators anybody's."""
    rows = _entries(member, [activity_id])
    if not member.is_administrator:
        rows = rows.filter(Q(mailbox=None) | Q(mailbox__member=member) | Q(stands_for__contains=[member.pk]))
    is_for_all = member.is_administrator and rows.exclude(mailbox=None).exclude(mailbox__member=member).exists()
    return _begun(member, Correction(kind=Kind.UNDO, scope=Scope.MAIL, is_for_all=is_for_all), rows, {})


def relink_mail(member: Member, decision_id: UUID, person_ids: Sequence[str]) -> Correction | None:
    """To stand with these contacts or leads instead of those whom it was saved with."""
    row = _saved(member, decision_id)
    is_for_all = row is not None and row.mailbox.member_id != member.pk
    return _relink(member, Scope.MAIL, [row], person_ids, is_for_all=is_for_all) if row else None


def relink_thread(member: Member, provider: str, thread_id: str, person_ids: Sequence[str]) -> Correction | None:
    """The same for a conversation of one's own, and from now on they are who is meant in it."""
    rows = _of_thread(member, provider, thread_id)
    with transaction.atomic():
        begun = _relink(member, Scope.THREAD, rows, person_ids, is_for_all=False)
        for row in rows if begun else ():
            conversations.pin(row.mailbox_id, row.thread_id, person_ids, instead_of=row.record_ids)
    return begun


def _saved(member: Member, decision_id: UUID) -> Decision | None:
    mine = decisions.of_member(member) | decisions.of_organization(member)
    return mine.select_related("mailbox").filter(pk=decision_id).exclude(activity_id="").first()


def _of_thread(member: Member, provider: str, thread_id: str) -> list[Decision]:
    rows = decisions.of_member(member).filter(thread_id=thread_id, mailbox__connection__provider=provider)
    return list(rows.exclude(activity_id=""))


def _undo(member: Member, scope: str, rows: Sequence[Decision], *, is_for_all: bool) -> Correction | None:
    correction = Correction(kind=Kind.UNDO, scope=scope, is_for_all=is_for_all)
    return _begun(member, correction, _entries(member, [row.activity_id for row in rows]), {})


def _relink(
    member: Member, scope: str, rows: Sequence[Decision], person_ids: Sequence[str], *, is_for_all: bool
) -> Correction | None:
    people = list(dict.fromkeys(person_ids))
    correction = Correction(kind=Kind.RELINK, scope=scope, is_for_all=is_for_all, person_ids=people)
    former = {row.activity_id: row.record_ids for row in rows}
    return _begun(member, correction, _entries(member, list(former)), former)


def _entries(member: Member, activity_ids: Iterable[str]) -> QuerySet[LedgerEntry]:
    return LedgerEntry.objects.filter(organization_id=member.organization_id, salesforce_id__in=set(activity_ids))


# -- what a rule has saved --------------------------------------------------------------------------------------------


def count(member: Member, span: Span) -> Counted:
    """What `undo_span` would take back. Raises NotAllowed."""
    found = _written(member, span).aggregate(
        count=Count("pk"),
        members=Count("mailbox__member", distinct=True),
        first=Min("written_at"),
        last=Max("written_at"),
    )
    return Counted(**found)


def undo_span(member: Member, span: Span, expected: int) -> Correction | None:
    """`expected`: as it was counted. Raises NotAllowed, HasChanged."""
    with transaction.atomic():
        rows = _written(member, span)
        found = rows.count()
        if found != expected:
            raise HasChanged(found)
        is_for_all = _is_for_all(member, span)
        correction = Correction(kind=Kind.UNDO, scope=Scope.RULE, rule=span.rule, is_for_all=is_for_all)
        return _begun(member, correction, rows, {})


def _is_for_all(member: Member, span: Span) -> bool:
    return member.is_administrator and span.member_id != member.pk


def _written(member: Member, span: Span) -> QuerySet[LedgerEntry]:
    if not member.is_administrator and span.member_id not in (None, member.pk):
        raise NotAllowed
    whose = span.member_id if member.is_administrator else member.pk
    rows = LedgerEntry.objects.filter(organization_id=member.organization_id, rule=span.rule)
    rows = rows.filter(written_at__gte=span.since, written_at__lt=span.until)
    rows = rows.filter(mailbox__member_id=whose) if whose else rows
    return _open(rows.filter(salesforce_id__in=_with(member, span.domain)) if span.domain else rows)


def _with(member: Member, domain: str) -> QuerySet[Decision, str]:
    rows = Decision.objects.filter(organization_id=member.organization_id, domain=domain.lower())
    return rows.exclude(activity_id="").values_list("activity_id", flat=True)


# -- beginning --------------------------------------------------------------------------------------------------------


def _open(rows: QuerySet[LedgerEntry]) -> QuerySet[LedgerEntry]:
    """Those of a record that is there and known."""
    return rows.filter(undone_at=None).exclude(salesforce_id__in=["", UNSEEN])


def _begun(
    member: Member, correction: Correction, entries: QuerySet[LedgerEntry], former: Mapping[str, Sequence[str]]
) -> Correction | None:
    """Written with its steps, all or none. Asked for once more while it is under way, it is the same; what somebody
    else has asked for is only an administrator's to follow."""
    with transaction.atomic():
        rows = list(_open(entries).select_for_update(of=("self",)).order_by("pk"))
        if not rows:
            mine = corrections.seen_by(member)
            same = mine.filter(steps__entry__in=entries, kind=correction.kind, ended_at=None)
            return same.order_by("-created_at").first()
        correction.organization_id, correction.asked_by = member.organization_id, member
        correction.save(force_insert=True)
        correction.refresh_from_db()
        steps = [_step(correction, row, action, former) for row, action in _actions(member, correction, rows)]
        CorrectionStep.objects.bulk_create(steps, batch_size=_BATCH)
        going = [step.entry_id for step in steps if step.action == Action.DELETE]
        LedgerEntry.objects.filter(pk__in=going).update(undone_at=Now())
        _recorded(member, correction, len(steps))
    return correction


def _actions(member: Member, correction: Correction, rows: Sequence[LedgerEntry]) -> list[tuple[LedgerEntry, str]]:
    if correction.kind == Kind.RELINK:
        return [(row, Action.MOVE) for row in rows]
    shared = set() if correction.is_for_all else _with_colleagues(member, rows)
    return [(row, Action.LEAVE if row.salesforce_id in shared else Action.DELETE) for row in rows]


def _with_colleagues(member: Member, entries: Sequence[LedgerEntry]) -> set[str]:
    """Those that a colleague has as well. The ledger remembers it, however old they are: decisions are forgotten, and
    who has handed an email over may never have had one."""
    return {row.salesforce_id for row in entries if set(row.stands_for) - {member.pk}}


def _step(correction: Correction, row: LedgerEntry, action: str, former: Mapping[str, Sequence[str]]) -> CorrectionStep:
    left = list(former.get(row.salesforce_id, ()))
    return CorrectionStep(correction=correction, entry=row, action=action, former_ids=left)


def _recorded(member: Member, correction: Correction, number: int) -> None:
    audit.record(
        member.organization_id,
        member,
        f"sync.{correction.kind}_asked",
        correction.pk,
        scope=str(correction.scope),
        rule=correction.rule,
        count=number,
        is_for_all=correction.is_for_all,
        people=list(correction.person_ids),
    )
