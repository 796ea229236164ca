"""What decisions say once their activity was taken out of Salesforce again, or stands with others there."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from organizations.models import Member
from sync.models import Decision
from sync.reasons import Rule, verdict


def taken_back(organization_id: UUID, activity_id: str, at: datetime | None, member: Member | None = None) -> None:
    """Nothing of this activity's mail is in Salesforce any more, for `member` or for all. `at`: of the step that did
    it, by which putting it back finds them. In a transaction."""
    rows = _locked(organization_id, activity_id)
    ids = [row.pk for row in (rows.filter(mailbox__member=member) if member else rows)]
    told = verdict(Rule.TAKEN_BACK)
    changes = {"outcome": told.outcome, "rule": told.rule, "values": {}, "error_code": ""}
    Decision.objects.filter(pk__in=ids).update(**changes, activity_id="", record_ids=[], decided_at=at)


def relinked(organization_id: UUID, activity_id: str, off: Collection[str], onto: Sequence[str]) -> None:
    """This activity stands with `onto` instead of `off`. In a transaction."""
    for row in _locked(organization_id, activity_id):
        kept = [each for each in row.record_ids if each not in off and each not in onto]
        Decision.objects.filter(pk=row.pk).update(record_ids=[*kept, *onto], rule=Rule.RELINKED)


def _locked(organization_id: UUID, activity_id: str) -> QuerySet[Decision]:
    """In the order of `conclusions.record`, so that nobody waits for anybody who waits for him."""
    rows = Decision.objects.filter(organization_id=organization_id, activity_id=activity_id).exclude(activity_id="")
    return rows.select_for_update(of=("self",)).order_by("mailbox_id", "message_id")
