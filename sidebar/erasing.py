"""The sidebar's part in destroying an organization: idempotency keys. Its cards are in RAM and go with the epochs."""

from collections.abc import Mapping
from uuid import UUID

from organizations.registries import Eraser, erasers
from sidebar.models import IdempotencyKey


def count(organization_id: UUID) -> Mapping[str, int]:
    return {"idempotency keys": IdempotencyKey.objects.filter(member__organization_id=organization_id).count()}


def erase(organization_id: UUID) -> None:
    IdempotencyKey.objects.filter(member__organization_id=organization_id).delete()


erasers.register("sidebar")(Eraser(count, erase))
