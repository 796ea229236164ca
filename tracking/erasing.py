"""Tracking's part in destroying an organization: its messages and what came back. Nothing is recorded any more
(publishing.py); old links still lead where they should, and withdrawn ones nowhere."""

from collections.abc import Mapping
from uuid import UUID

from django.db.models import QuerySet

from organizations.registries import Eraser, erasers
from tracking.models import Event, TrackedMessage, WithdrawnTarget

#: Rows deleted in one transaction.
BATCH = 5_000


def count(organization_id: UUID) -> Mapping[str, int]:
    return {
        "tracked messages": TrackedMessage.objects.filter(organization_id=organization_id).count(),
        "opens and clicks": Event.objects.filter(organization_id=organization_id).count(),
        "addresses of withdrawn links": _withdrawn(organization_id).count(),
    }


def erase(organization_id: UUID) -> None:
    messages = TrackedMessage.objects.filter(organization_id=organization_id)
    while batch := list(messages.values_list("pk", flat=True)[:BATCH]):
        TrackedMessage.objects.filter(pk__in=batch).delete()
    Event.objects.filter(organization_id=organization_id).delete()
    _withdrawn(organization_id).update(sealed=None, organization=None)


def _withdrawn(organization_id: UUID) -> QuerySet[WithdrawnTarget]:
    """Of these the mark stays, so that its links go on leading nowhere."""
    return WithdrawnTarget.objects.filter(organization_id=organization_id)


erasers.register("tracking")(Eraser(count, erase))
