"""Ends the grants of whom an administrator has sent away (V23, I7). Decides nobody's membership.

Not in the transaction that switches him off: there his row is locked first, and everywhere else a connection's is."""

from uuid import UUID

from django.db.models import QuerySet

from vault import revocation
from vault.models import ENDED, Connection

ACTOR = "task:offboarding"


def left() -> QuerySet[Connection]:
    """What is still connected in the name of somebody who has no access here any more.

    An organization that is being destroyed sees to its own, and counts them (erasing.py)."""
    away = Connection.objects.filter(member__is_active=False, organization__ending_since=None)
    return away.exclude(state__in=ENDED)


def left_of(member_id: UUID) -> list[UUID]:
    return list(left().filter(member_id=member_id).values_list("pk", flat=True))


def left_of_all(most: int) -> list[UUID]:
    """In any order, so that those whose keys cannot be had just now keep no others waiting."""
    return list(left().order_by("?").values_list("pk", flat=True)[:most])


def end(connection_id: UUID) -> None:
    """Nothing where the person has been let in again meanwhile. Raises as `revocation.put_down` does."""
    if left().filter(pk=connection_id).exists():
        revocation.disconnect(connection_id, ACTOR)
