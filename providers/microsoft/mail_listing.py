"""Messages of a span of time, newest first, page by page, without the holes of counted pages.

Graph's own next link counts (`$skip`): a message deleted meanwhile would move another one past us. A page of ours
begins at the time where the last one ended. Times are whole seconds there, so what shares the last second is counted,
and only that. Sources: learn.microsoft.com/graph/api/user-list-messages (what is ordered by must be filtered by, first;
`$top` up to 1,000), /graph/paging."""

import re
from datetime import UTC, datetime, timedelta
from math import ceil, floor

from providers.errors import Rejected
from providers.mail import Listed
from providers.microsoft.mail_changes import instant
from providers.microsoft.mail_failures import PROVIDER
from providers.microsoft.mail_wire import ROOT, Wire, entries, text

_MOST = 1000
_PAGE = re.compile(r"(\d{1,11})\.(\d{1,9})", re.ASCII)


def listed(wire: Wire, since: datetime, until: datetime, page: str, most: int) -> Listed:
    begin = floor(since.timestamp())
    end, skip = _place(page) if page else (ceil(until.timestamp()), 0)
    top = min(most, _MOST)
    query = f"$filter=receivedDateTime ge {_said(begin)} and receivedDateTime lt {_said(end)}"
    query += f"&$orderby=receivedDateTime desc&$select=receivedDateTime&$top={top}&$skip={skip}"
    body = wire.read(f"{ROOT}/me/messages?{query}")
    found = entries(body)
    ids = tuple(text(each, "id") for each in found)
    if not ids or not text(body, "@odata.nextLink"):
        return Listed(ids, "")
    times = [int(instant(text(each, "receivedDateTime")).timestamp()) for each in found]
    return Listed(ids, _following(times, end, skip))


def _following(times: list[int], end: int, skip: int) -> str:
    """The next page begins with the second of this one's last message; what was told of that second is skipped."""
    same = times.count(times[-1])
    told = skip + same if times[-1] + 1 == end else same
    return f"{times[-1] + 1}.{told}"


def _place(page: str) -> tuple[int, int]:
    found = _PAGE.fullmatch(page)
    if found is None:
        raise Rejected("This is no page of a listing.", provider=PROVIDER)
    return int(found[1]), int(found[2])


def _said(seconds: int) -> str:
    return (datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
