"""Mail that nobody in Salesforce matched waits for its people; here they have appeared (F11)."""

from collections import defaultdict
from collections.abc import Collection
from uuid import UUID

from django.db.models.functions import Now

from sync import jobs, ledger
from sync.models import Waiting


def appeared(organization_id: UUID, addresses: Collection[str]) -> list[UUID]:
    """These addresses are in Salesforce now. Returns the mailboxes whose messages are due again for it. Raises as
    ledger.marks_of."""
    if not addresses:
        return []
    marks = ledger.marks_of(organization_id)
    wanted = [marks.of_address(address) for address in addresses]
    rows = Waiting.objects.filter(organization_id=organization_id, mark__in=wanted, until__gt=Now())
    found: defaultdict[UUID, set[str]] = defaultdict(set)
    for mailbox_id, message_id in rows.values_list("decision__mailbox_id", "decision__message_id"):
        found[mailbox_id].add(message_id)
    return [mailbox_id for mailbox_id, ids in found.items() if jobs.again(mailbox_id, sorted(ids))]
