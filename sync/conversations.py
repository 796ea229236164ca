"""What a person has said of a conversation in his own mailbox: that it stays private, and who is meant by an address
that several people have. Nobody else sees or says it; ids only."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from organizations.models import Member
from sync import decisions, jobs
from sync.models import Conversation, Decision, SyncedMailbox
from sync.reasons import Rule


@dataclass(frozen=True, slots=True)
class Said:
    """`person_ids`: of the people in Salesforce who are meant."""

    is_private: bool = False
    person_ids: frozenset[str] = frozenset()


NOTHING = Said()


def said_of(mailbox_id: UUID, thread_ids: Collection[str]) -> Mapping[str, Said]:
    """By thread, those of which something was said. One query."""
    rows = Conversation.objects.filter(mailbox_id=mailbox_id, thread_id__in=set(thread_ids))
    return {row.thread_id: Said(row.is_private, frozenset(row.person_ids)) for row in rows}


def is_private(mailbox_id: UUID, thread_id: str) -> bool:
    return Conversation.objects.filter(mailbox_id=mailbox_id, thread_id=thread_id, is_private=True).exists()


def keep_private(member: Member, provider: str, thread_id: str, wanted: bool) -> list[UUID] | None:
    """From now on nothing of it is saved, or is again. What stayed out for it alone is looked at once more; what was
    saved stays until it is taken back. Returns mailboxes that have work now, None where there is no mailbox."""
    mailboxes = _own(member).filter(connection__provider=provider)
    found = list(mailboxes.values_list("pk", flat=True))
    with transaction.atomic():
        for mailbox_id in found:
            _say(mailbox_id, thread_id, is_private=wanted)
    if not found:
        return None
    return [] if wanted else _again(_of_thread(member, thread_id).filter(mailbox__in=found, rule=Rule.KEPT_PRIVATE))


def choose(member: Member, decision_id: UUID, person_id: str) -> list[UUID] | None:
    """This one is meant, in the whole conversation. Only one of those whom the decision names can be chosen. Returns
    mailboxes that have work now, None where there is no such question."""
    row = decisions.of_member(member).filter(pk=decision_id).first()
    if row is None or person_id not in row.asked_ids:
        return None
    with transaction.atomic():
        _say(row.mailbox_id, row.thread_id, person_id=person_id, instead_of=row.asked_ids)
    return _again(_of_thread(member, row.thread_id).filter(mailbox=row.mailbox_id).exclude(asked_ids=[]))


def pin(mailbox_id: UUID, thread_id: str, person_ids: Collection[str], *, instead_of: Collection[str]) -> None:
    """These are meant in this conversation from now on, wherever one of its addresses is theirs. In a transaction."""
    for person_id in person_ids:
        _say(mailbox_id, thread_id, person_id=person_id, instead_of=set(instead_of) - set(person_ids))


def _own(member: Member) -> QuerySet[SyncedMailbox]:
    return SyncedMailbox.objects.filter(member=member, organization_id=member.organization_id)


def _of_thread(member: Member, thread_id: str) -> QuerySet[Decision]:
    return decisions.of_member(member).filter(thread_id=thread_id)


def _say(
    mailbox_id: UUID,
    thread_id: str,
    *,
    is_private: bool | None = None,
    person_id: str = "",
    instead_of: Collection[str] = (),
) -> None:
    rows = Conversation.objects.select_for_update()
    row, _ = rows.get_or_create(mailbox_id=mailbox_id, thread_id=thread_id)
    row.is_private = row.is_private if is_private is None else is_private
    kept = {each for each in row.person_ids if each not in instead_of}
    row.person_ids = sorted({*kept, person_id} if person_id else kept)
    if row.is_private or row.person_ids:
        row.save()
    else:
        row.delete()


def _again(rows: QuerySet[Decision]) -> list[UUID]:
    by_mailbox: dict[UUID, list[str]] = {}
    for mailbox_id, message_id in rows.values_list("mailbox_id", "message_id"):
        by_mailbox.setdefault(mailbox_id, []).append(message_id)
    return [mailbox_id for mailbox_id, messages in by_mailbox.items() if jobs.again(mailbox_id, messages)]
