"""What is kept of people who were not let in: why providers send them back without a code, counted for the doctor and
naming nobody; and in an organization's audit log that a token of its own was looked at and given up."""

from collections.abc import Iterator
from datetime import timedelta

from django.db import connection, transaction
from django.db.models.functions import Now

from organizations import audit
from organizations.models import Organization
from providers.base import Secret
from vault import grants
from vault.models import RefusedSignIn

ACTOR = "task:sign_in"
_LATELY = timedelta(days=7)
_NOTE = """
INSERT INTO vault_refusedsignin (provider, cause, count, last_at) VALUES (%s, %s, 1, now())
ON CONFLICT (provider, cause) DO UPDATE SET last_at = now(), count = 1 + CASE
    WHEN vault_refusedsignin.last_at < now() - interval '7 days' THEN 0 ELSE vault_refusedsignin.count END
"""


def note(provider: str, cause: str) -> None:
    """One more for this cause; "" is not counted. After a week without any the count begins anew."""
    if cause:
        with connection.cursor() as cursor:
            cursor.execute(_NOTE, [provider, cause])


@transaction.atomic
def record(salesforce_org_id: str, token: Secret) -> None:
    """A fresh token has told whose it is, and was given up (I8): in its organization's log, where that is here. The
    organization is locked first, so that nothing is written for one that is being destroyed."""
    here = Organization.objects.filter(salesforce_org_id=salesforce_org_id, ending_since=None)
    for organization_id in here.select_for_update(no_key=True).values_list("pk", flat=True):
        audit.record(organization_id, ACTOR, "connection.refused", result="refused", token=grants.fingerprint(token))


def lately() -> Iterator[tuple[str, str, int]]:
    """(provider, cause, count) of those seen within the last week, the most frequent first."""
    rows = RefusedSignIn.objects.filter(last_at__gt=Now() - _LATELY).order_by("-count")
    yield from rows.values_list("provider", "cause", "count")
