"""The order in which jobs are locked by whoever changes several, so that no two wait for each other."""

from uuid import UUID

from django.db.models import QuerySet

from sync.models import Job


def hold(jobs: QuerySet[Job]) -> list[UUID]:
    """Until the caller commits. Their ids."""
    return list(jobs.select_for_update().order_by("pk").values_list("pk", flat=True))
