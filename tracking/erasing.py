"""Tracking's part in destroying an organization: its messages and what came back. The switch-off for the hot process
goes out with the epochs (publishing.py); old links still lead where they should."""

from collections.abc import Mapping
from uuid import UUID

from organizations.registries import Eraser, erasers
from tracking.models import Event, TrackedMessage

#: Rows deleted in one transaction.
BATCH = 5_000


def count(organization_id: UUID) -> Mapping[str, int]:
    return {
        "tracked messages": TrackedMessage.objects.filter(organization_id=organization_id).count(),
        "opens and clicks": Event.objects.filter(organization_id=organization_id).count(),
    }


def erase(organization_id: UUID) -> None:
    messages = TrackedMessage.objects.filter(organization_id=organization_id)
    while batch := list(messages.values_list("pk", flat=True)[:BATCH]):
        TrackedMessage.objects.filter(pk__in=batch).delete()
    Event.objects.filter(organization_id=organization_id).delete()


erasers.register("tracking")(Eraser(count, erase))
