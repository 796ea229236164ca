"""What happened to a grant that an administrator should know of (V11, V13, V19, V20); `findings.py` tells it.

Never holds a secret, an address or a provider's words."""

from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from organizations import audit
from vault.models import Connection, Incident

#: Kinds. REUSE: refused after a renewal whose outcome nobody knew, so the provider may have ended the whole family.
REUSE, RESTORED, QUARANTINED, TAMPERED = "reuse", "restored", "quarantined", "tampered"
SENTENCES = {
    REUSE: "A renewal was interrupted, and the provider has ended the connection.",
    RESTORED: "The database was restored from a backup that is older than its grants.",
    QUARANTINED: "A provider answered a renewal for another person, or named a host that is not allowed.",
    TAMPERED: "A stored grant does not open any more: its row was changed, or its key is gone.",
}


def record(kind: str, organization_id: UUID, row: Connection | None = None) -> None:
    """In the caller's transaction, with its audit row; `spread` has the organization's other grants looked at."""
    generation = row.generation if row else 0
    Incident.objects.create(organization_id=organization_id, connection=row, kind=kind, generation=generation, at=Now())
    audit.record(organization_id, "task:renewal", "incident.recorded", row.pk if row else "", kind)


def spread() -> None:
    """Put the other grants of the same organization and provider down to be asked whether they still work (V13)."""
    for incident_id in Incident.objects.filter(spread_at__isnull=True).values_list("pk", flat=True)[:100]:
        _spread(incident_id)


@transaction.atomic
def _spread(incident_id: UUID) -> None:
    mine = Incident.objects.select_for_update(skip_locked=True, of=("self",)).select_related("connection")
    incident = mine.filter(pk=incident_id, spread_at__isnull=True).first()
    if incident is None:
        return
    hit = incident.connection
    if hit is not None:
        others = Connection.objects.filter(organization_id=hit.organization_id, provider=hit.provider)
        others.exclude(pk=hit.pk).update(probe_at=Now())
    Incident.objects.filter(pk=incident_id).update(spread_at=Now())
