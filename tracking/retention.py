"""Forgets what is older than each organization keeps it: whole months where nobody keeps them, single rows else."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q

from organizations import policy
from organizations.models import Organization
from tracking import erasing, partitions
from tracking.models import Event, TrackedMessage
from tracking.policies import RETENTION

#: What was prepared and never sent counts for nothing; delivery may be put off for as long.
UNSENT = timedelta(days=30)


def drop_old(now: datetime) -> int:
    """How many messages went. A message goes with what came of it; a late hit on it finds nothing and is dropped."""
    longest = timedelta(days=RETENTION.maximum or 0)
    partitions.drop_before(partitions.month_of(now - longest))
    return sum(_of(organization_id, now) for organization_id in Organization.objects.values_list("pk", flat=True))


def _of(organization_id: UUID, now: datetime) -> int:
    before = now - timedelta(days=int(policy.organization_value_of(RETENTION.key, organization_id)))
    Event.objects.filter(organization_id=organization_id, at__lt=before).delete()
    theirs = TrackedMessage.objects.filter(organization_id=organization_id)
    is_old = Q(created_at__lt=before) | Q(created_at__lt=now - UNSENT, sent_at=None)
    return erasing.forget(theirs.filter(is_old))
