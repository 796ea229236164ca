"""What became of each message, for those who may know: its member, and the organization's administrators. Ids, times,
codes and sentences; nobody reads here what a mail said (GET sync/decisions/).

Written by `conclusions` only."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Now

from organizations.models import Member
from sync import conclusions, jobs
from sync.models import Decision, Job, SyncedMailbox, Waiting
from sync.reasons import Note, Outcome, Rule, Verdict, outcome_of, say_note, say_ranked, say_to_others, say_waited

#: Rows of one page at most.
MOST = 200
#: Mail that its person or a rule of his keeps out: with whom it is, is nobody else's to know (F9).
_KEPT_OUT = (Outcome.BLOCKED, Outcome.PRIVATE)


@dataclass(frozen=True, slots=True)
class Shown:
    """One decision. `sentence`: why, in words; `notes`: sentences of what else there was, and of what stayed out.
    `asked_why`: sentences of what makes one of `asked_ids` likelier, for whom they are asked of. `is_dead`: waits for
    its member to try again or to ignore it. `is_waiting`: is looked at again by itself when its person appears."""

    id: UUID
    mailbox_id: UUID
    provider: str
    message_id: str
    thread_id: str
    arrived_at: datetime | None
    decided_at: datetime
    outcome: str
    rule: str
    sentence: str
    domain: str
    error_code: str
    activity_id: str
    record_ids: tuple[str, ...]
    asked_ids: tuple[str, ...]
    asked_why: Mapping[str, tuple[str, ...]]
    is_dead: bool
    is_waiting: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Position:
    """Where the next page begins."""

    decided_at: datetime
    id: UUID


def of_member(member: Member) -> QuerySet[Decision]:
    """One's own."""
    return Decision.objects.filter(mailbox__member=member, organization_id=member.organization_id)


def of_organization(administrator: Member) -> QuerySet[Decision]:
    """Everybody's, for an administrator; nothing for anybody else."""
    if not administrator.is_administrator:
        return Decision.objects.none()
    return Decision.objects.filter(organization_id=administrator.organization_id)


def page(
    rows: QuerySet[Decision],
    *,
    outcomes: Collection[str] = (),
    after: Position | None = None,
    most: int = MOST,
    reader: Member | None = None,
) -> tuple[list[Shown], Position | None]:
    """The newest first; the position of the next page, None after the last. `reader`: who is not told of others with
    whom it is what they keep out; None where the rows are his own."""
    if outcomes:
        rows = rows.filter(outcome__in=outcomes)
    if after is not None:
        rows = rows.filter(Q(decided_at__lt=after.decided_at) | Q(decided_at=after.decided_at, id__lt=after.id))
    most = min(most, MOST)
    found = list(rows.select_related("mailbox__connection").order_by("-decided_at", "-id")[: most + 1])
    following = Position(found[most - 1].decided_at, found[most - 1].pk) if len(found) > most else None
    lines = shown(found[:most])
    if reader is not None:
        lines = [_to(reader, row, line) for row, line in zip(found, lines, strict=False)]
    return lines, following


def _to(reader: Member, row: Decision, line: Shown) -> Shown:
    if row.mailbox.member_id == reader.pk:
        return line
    line = replace(line, asked_why={})  # "you" in it is not whoever reads here
    if line.outcome not in _KEPT_OUT:
        return line
    return replace(line, domain="", sentence=say_to_others(line.rule, line.sentence), notes=())


def shown(rows: Iterable[Decision]) -> list[Shown]:
    found = list(rows)
    dead, awaiting = _dead(found), _awaiting(found)
    return [
        _shown(row, is_dead=(row.mailbox_id, row.message_id) in dead, is_waiting=row.pk in awaiting) for row in found
    ]


def _awaiting(rows: Collection[Decision]) -> set[UUID]:
    unmatched = [row.pk for row in rows if row.outcome == Outcome.UNMATCHED]
    found = Waiting.objects.filter(decision__in=unmatched, until__gt=Now())
    return set(found.values_list("decision", flat=True))


def _dead(rows: Collection[Decision]) -> set[tuple[UUID, str]]:
    failed = [row for row in rows if row.outcome == Outcome.FAILED]
    ids, mailboxes = [row.message_id for row in failed], {row.mailbox_id for row in failed}
    states = [Job.State.DEAD, Job.State.SET_ASIDE]
    found = Job.objects.filter(mailbox__in=mailboxes, message_id__in=ids, state__in=states)
    return set(found.values_list("mailbox_id", "message_id"))


def _shown(row: Decision, *, is_dead: bool, is_waiting: bool) -> Shown:
    whose = (row.pk, row.mailbox_id, row.mailbox.connection.provider, row.message_id, row.thread_id)
    sentence = sentence_of(row)
    if row.outcome == Outcome.UNMATCHED and not is_waiting:
        sentence = f"{sentence} {say_waited(row.rule, conclusions.WAITS.days)}"
    codes = (row.outcome, row.rule, sentence, row.domain, row.error_code, row.activity_id)
    return Shown(
        *whose,
        row.arrived_at,
        row.decided_at,
        *codes,
        tuple(row.record_ids),
        tuple(row.asked_ids),
        why_asked(row),
        is_dead,
        is_waiting,
        notes_of(row),
    )


def sentence_of(row: Decision) -> str:
    """A rule of an older release, which nobody can put in words any more, says its outcome."""
    try:
        return Verdict(Rule(row.rule), row.values).sentence
    except ValueError:
        return f"It was decided: {row.outcome}."


def notes_of(row: Decision) -> tuple[str, ...]:
    """Those of an older release, which nobody can put in words any more, are passed over."""
    known = {each.value for each in Note}
    return tuple(say_note(Note(note), count) for note, count in sorted(row.notes.items()) if note in known)


def why_asked(row: Decision) -> Mapping[str, tuple[str, ...]]:
    """Of those who could be meant and have a reason that is known."""
    said = {id_: say_ranked(codes) for id_, codes in row.asked_why.items()}
    return {id_: sentences for id_, sentences in said.items() if sentences}


def standing_of(member: Member, message_id: str) -> str:
    """Where a message is before there is a decision: "waiting", "running", "decided" or "unseen"."""
    row = Job.objects.filter(mailbox__member=member, message_id=message_id).first()
    if row is None:
        return "unseen"
    if row.state == Job.State.DUE:
        return "waiting"
    return "running" if row.state == Job.State.RUNNING else "decided"


def counts(member: Member) -> Mapping[str, int]:
    """Outcome -> how many of one's own."""
    rows = of_member(member).values_list("outcome").annotate(number=Count("pk")).order_by()
    return dict(rows)


def try_again(member: Member, ids: Collection[UUID]) -> list[UUID]:
    """Look once more at these of one's own, whatever was decided. Returns mailboxes that have work now."""
    found = of_member(member).filter(pk__in=ids).values_list("mailbox_id", "message_id")
    by_mailbox: dict[UUID, list[str]] = {}
    for mailbox_id, message_id in found:
        by_mailbox.setdefault(mailbox_id, []).append(message_id)
    return [mailbox_id for mailbox_id, messages in by_mailbox.items() if jobs.again(mailbox_id, messages)]


def ignore(member: Member, ids: Collection[UUID]) -> int:
    """These dead letters of one's own are not asked about any more. Returns how many."""
    with transaction.atomic():
        failed = list(of_member(member).filter(pk__in=ids, outcome=Outcome.FAILED))
        ended = [row for row in failed if conclusions.put_down(row)]
        for row in ended:
            row.outcome, row.rule, row.values = outcome_of(Rule.LEFT_ALONE), Rule.LEFT_ALONE, {}
        conclusions.record(ended)
    return len(ended)


def mailboxes_of(member: Member) -> QuerySet[SyncedMailbox]:
    return SyncedMailbox.objects.filter(member=member).select_related("connection")
