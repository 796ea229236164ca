"""What the sidebar shows of one opened message: where it stands, what was decided and why, and whether its conversation
is kept private. Of one's own mailbox only; ids and sentences."""

from dataclasses import dataclass

from organizations.models import Member
from sync import conversations, decisions, standing
from sync.decisions import Shown
from sync.models import SyncedMailbox


@dataclass(frozen=True, slots=True)
class Why:
    """`is_followed`: this person's mailbox there is synced, so a conversation in it can be kept private. `standing`:
    see decisions.standing_of. `hindrance`: why its turn does not come, in words, where something is in the way."""

    is_followed: bool
    standing: str
    decision: Shown | None
    is_private: bool
    hindrance: str


def why(member: Member, provider: str, message_id: str, thread_id: str = "") -> Why:
    mailboxes = SyncedMailbox.objects.filter(member=member, organization_id=member.organization_id)
    rows = list(mailboxes.filter(connection__provider=provider).select_related("connection"))
    followed = [each.pk for each in rows]
    row = (
        decisions.of_member(member).filter(message_id=message_id, mailbox__in=followed).order_by("-decided_at").first()
    )
    decision = decisions.shown([row])[0] if row else None
    thread = thread_id or (decision.thread_id if decision else "")
    is_private = bool(thread) and any(conversations.is_private(each, thread) for each in followed)
    where = decisions.standing_of(member, message_id)
    hindrances = (standing.hindrance(each) for each in rows if where != "decided")
    return Why(bool(followed), where, decision, is_private, next(filter(None, hindrances), ""))
