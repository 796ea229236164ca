"""Several links of one copy within seconds are nobody's fingers: looked at once all of them are in the table, since
they may come in different batches. Works in the caller's transaction, under the copies' locks."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import connection

from tracking.classify import BURST, LINKS_AT_ONCE, Verdict
from tracking.hot.tokens import Kind
from tracking.storing import Change, Row

#: Of these copies, those with clicks on more than one link at all.
_SUSPECTS = """
SELECT copy_id FROM tracking_event WHERE copy_id = ANY(%(copies)s) AND kind = %(click)s
AND at BETWEEN %(first)s AND %(last)s GROUP BY copy_id HAVING count(DISTINCT link) > 1
"""
_REJUDGE = """
WITH together AS (
    SELECT c.at, c.id, c.verdict FROM tracking_event AS c
    WHERE c.copy_id = ANY(%(copies)s) AND c.kind = %(click)s AND c.verdict IN (%(human)s, %(unknown)s)
    AND c.at BETWEEN %(first)s AND %(last)s
    AND EXISTS (
        SELECT 1 FROM tracking_event AS o WHERE o.copy_id = c.copy_id AND o.kind = c.kind AND o.link <> c.link
        AND o.at BETWEEN c.at - %(burst)s AND c.at + %(burst)s
    )
)
UPDATE tracking_event AS e SET verdict = %(verdict)s, reason = %(reason)s
FROM together AS t WHERE e.at = t.at AND e.id = t.id RETURNING e.copy_id, t.verdict
"""


def rejudge(arrived: Iterable[Row], changes: dict[UUID, Change]) -> None:
    """Clicks that were taken for a person's, or left open, and have another link's beside them now; `changes` loses
    the former."""
    clicks = [row for row in arrived if row.kind == Kind.CLICK]
    if not clicks:
        return
    facts: dict[str, Any] = {
        "copies": list({row.copy_id for row in clicks}),
        "first": min(row.at for row in clicks) - BURST,
        "last": max(row.at for row in clicks) + BURST,
        "burst": BURST,
        "click": Kind.CLICK,
        "human": Verdict.HUMAN_LIKELY,
        "unknown": Verdict.UNKNOWN,
        "verdict": LINKS_AT_ONCE.verdict,
        "reason": LINKS_AT_ONCE.reason,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SUSPECTS, facts)
        facts["copies"] = [copy_id for (copy_id,) in cursor.fetchall()]
        cursor.execute(_REJUDGE, facts)
        for copy_id, verdict in cursor.fetchall():
            changes[copy_id].clicks -= verdict == Verdict.HUMAN_LIKELY
