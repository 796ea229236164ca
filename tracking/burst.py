"""Several links of one copy within seconds are nobody's fingers: looked at once all of them are in the table, since
they may come in different batches. Works in the caller's transaction, under the copies' locks."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import connection

from tracking import storing
from tracking.classify import BURST, LINKS_AT_ONCE, Verdict
from tracking.hot.tokens import Kind
from tracking.storing import Change, Row

#: Of these copies, those with clicks on more than one link at all.
_SUSPECTS = """
SELECT copy_id FROM tracking_event WHERE copy_id = ANY(%(copies)s) AND kind = %(click)s
AND at BETWEEN %(first)s AND %(last)s GROUP BY copy_id HAVING count(DISTINCT link) > 1
"""
#: For each click the nearest ones of another link before and after it: where the link changes, in order of time, the
#: neighbour across is one. Sorted once, so that whoever hammers one link costs no more than his clicks.
_REJUDGE = """
WITH beside AS (
    SELECT *, lag(at) OVER by_time AS before_at, lag(link) OVER by_time AS before_link,
        lead(at) OVER by_time AS after_at, lead(link) OVER by_time AS after_link
    FROM tracking_event WHERE copy_id = ANY(%(copies)s) AND kind = %(click)s AND at BETWEEN %(first)s AND %(last)s
    WINDOW by_time AS (PARTITION BY copy_id ORDER BY at, id)
), others AS (
    SELECT at, id, verdict,
        max(before_at) FILTER (WHERE before_link <> link) OVER (PARTITION BY copy_id ORDER BY at, id) AS earlier,
        min(after_at) FILTER (WHERE after_link <> link) OVER (PARTITION BY copy_id ORDER BY at DESC, id DESC) AS later
    FROM beside
), together AS (
    SELECT at, id, verdict FROM others WHERE verdict IN (%(human)s, %(unknown)s)
    AND (earlier >= at - %(burst)s OR later <= at + %(burst)s)
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
        taken = [copy_id for copy_id, verdict in cursor.fetchall() if verdict == Verdict.HUMAN_LIKELY]
    for copy_id in taken:
        changes[copy_id].clicks -= 1
        changes[copy_id].last_at = None
    storing.look_up_last(set(taken))
