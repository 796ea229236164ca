"""Counts why providers send people back without a code, for the doctor. Nobody and no organization is named."""

from collections.abc import Iterator
from datetime import timedelta

from django.db import connection
from django.db.models.functions import Now

from vault.models import RefusedSignIn

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


def lately() -> Iterator[tuple[str, str, int]]:
    """(provider, cause, count) of those seen within the last week, the most frequent first."""
    rows = RefusedSignIn.objects.filter(last_at__gt=Now() - _LATELY).order_by("-count")
    yield from rows.values_list("provider", "cause", "count")
