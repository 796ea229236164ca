"""Tracking's part in destroying an organization: its messages and what came back. Nothing is recorded any more
(publishing.py); old links still lead where they should, and withdrawn ones nowhere."""

from collections.abc import Mapping
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from organizations.registries import Eraser, erasers
from tracking.models import Copy, Event, TrackedMessage, WithdrawnTarget

#: Messages deleted in one transaction.
BATCH = 1_000


def count(organization_id: UUID) -> Mapping[str, int]:
    return {
        "tracked messages": TrackedMessage.objects.filter(organization_id=organization_id).count(),
        "opens and clicks": Event.objects.filter(organization_id=organization_id).count(),
        "addresses of withdrawn links": _withdrawn(organization_id).count(),
    }


def erase(organization_id: UUID) -> None:
    forget(TrackedMessage.objects.filter(organization_id=organization_id))
    Event.objects.filter(organization_id=organization_id).delete()
    _withdrawn(organization_id).update(sealed=None, organization=None)


def forget(messages: QuerySet[TrackedMessage]) -> int:
    """With what came of them. Returns how many."""
    count = 0
    while batch := list(messages.values_list("pk", flat=True)[:BATCH]):
        count += len(batch)
        _forget(batch)
    return count


def _forget(ids: list[UUID]) -> None:
    """The copies first, in the order in which whoever drains holds them: what was being stored goes as well."""
    with transaction.atomic():
        list(Copy.objects.select_for_update().filter(message_id__in=ids).order_by("pk").values_list("pk"))
        TrackedMessage.objects.filter(pk__in=ids).delete()
        Event.objects.filter(message_id__in=ids).delete()


def _withdrawn(organization_id: UUID) -> QuerySet[WithdrawnTarget]:
    """Of these the mark stays, so that its links go on leading nowhere."""
    return WithdrawnTarget.objects.filter(organization_id=organization_id)


erasers.register("tracking")(Eraser(count, erase))
