"""Mail that nobody in Salesforce matched waits for its people; here they have appeared (F11)."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Min
from django.db.models.functions import Now

from sync import jobs, ledger
from sync.conclusions import WAITS
from sync.models import Waiting

#: Where nobody can say who has appeared, each message is looked at again this often at most.
AGAIN = timedelta(hours=20)


def appeared(organization_id: UUID, addresses: Collection[str]) -> list[UUID]:
    """These addresses are in Salesforce now. Returns the mailboxes whose messages are due again for it. Raises as
    ledger.marks_of."""
    rows = Waiting.objects.filter(organization_id=organization_id, until__gt=Now())
    if not addresses or not rows.exists():
        return []
    marks = ledger.marks_of(organization_id)
    wanted = [marks.of_address(address) for address in addresses]
    found: defaultdict[UUID, set[str]] = defaultdict(set)
    waiting = rows.filter(mark__in=wanted)
    for mailbox_id, message_id in waiting.values_list("decision__mailbox_id", "decision__message_id"):
        found[mailbox_id].add(message_id)
    return [mailbox_id for mailbox_id, ids in found.items() if jobs.again(mailbox_id, sorted(ids))]


def begun_at(mailbox_id: UUID) -> datetime | None:
    """Since when a mailbox' mail has waited for anybody; None where none does."""
    rows = Waiting.objects.filter(decision__mailbox=mailbox_id, until__gt=Now())
    until: datetime | None = rows.aggregate(first=Min("until"))["first"]
    return until - WAITS if until else None


def again(mailbox_id: UUID) -> int:
    """Too many people have changed to be told one by one: look at whatever waits in this mailbox. Returns how many."""
    rows = Waiting.objects.filter(decision__mailbox=mailbox_id, until__gt=Now())
    looked = rows.filter(decision__decided_at__lt=Now() - AGAIN)
    ids = looked.values_list("decision__message_id", flat=True).distinct()
    return jobs.again(mailbox_id, sorted(ids))
