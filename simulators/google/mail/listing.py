"""Pages of messages, of history, of threads. Tokens are opaque, and belong to the mailbox that gave them."""

import base64
import bisect
from itertools import islice
from typing import Any

from simulators.google.mail.box import Box, Message, Record
from simulators.google.mail.errors import invalid
from simulators.google.mail.forms import record_of
from simulators.google.mail.search import Query

_HIDDEN = {"SPAM", "TRASH"}


def most_of(value: str, limit: int) -> int:
    """maxResults: 100 unless told; more than allowed is cut down."""
    if not value:
        return 100
    if not value.isdecimal():
        raise invalid(f"Invalid value at 'max_results' (TYPE_UINT32), \"{value}\"")
    return max(1, min(int(value), limit))


def token_of(box: Box, *what: int) -> str:
    text = ":".join(map(str, (box.email, *what)))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def taken(box: Box, token: str) -> list[int]:
    """What `token_of` was given."""
    try:
        email, *numbers = base64.urlsafe_b64decode(token + "==").decode().split(":")
        found = [int(number, 10) for number in numbers]
    except ValueError:
        raise invalid("Invalid pageToken") from None
    if email != box.email or not found:
        raise invalid("Invalid pageToken")
    return found


def messages(box: Box, query: Query, labels: list[str], hidden: bool, token: str, most: int) -> dict[str, Any]:
    """Newest first. SPAM and TRASH only where asked for. `after:` counts its own second, `before:` does not."""
    end = len(box.order)
    if query.before is not None:
        end = bisect.bisect_left(box.order, (int(query.before * 1000), ""))
    if token:
        at, key = taken(box, token)[:2]
        end = min(end, bisect.bisect_left(box.order, (at, f"{key:016x}")))
    start = bisect.bisect_left(box.order, (int(query.after * 1000), "")) if query.after is not None else 0
    page: list[Message] = []
    for position in range(end - 1, start - 1, -1):
        message = box.messages[box.order[position][1]]
        if _shown(message, query, labels, hidden):
            if len(page) == most:
                return _page(page) | {"nextPageToken": token_of(box, page[-1].at, int(page[-1].id, 16))}
            page.append(message)
    return _page(page)


def _shown(message: Message, query: Query, labels: list[str], hidden: bool) -> bool:
    asked = hidden or query.names_spam_or_trash or bool(_HIDDEN & set(labels))
    visible = asked or not _HIDDEN & set(message.labels)
    return visible and set(labels) <= set(message.labels) and query.fits(message)


def _page(page: list[Message]) -> dict[str, Any]:
    found = {"messages": [{"id": each.id, "threadId": each.thread} for each in page]} if page else {}
    return {**found, "resultSizeEstimate": len(page)}


def history(
    box: Box, start: int, token: str, kinds: list[str], label: str, most: int, replayed: bool
) -> dict[str, Any]:
    """`replayed`: what was told before comes again, and everything twice."""
    reached = taken(box, token)[0] if token else start
    found = list(islice((each for each in box.since(reached) if _wanted(each, kinds, label)), most + 1))
    page = found[:most]
    told = [record for each in page for record in (each, each)] if replayed else page
    before = box.before(start, 5) if replayed and not token else []
    body: dict[str, Any] = {"historyId": str(box.history)}
    if told or before:
        body = {"history": [record_of(each) for each in (*before, *told)], **body}
    if len(found) > most:
        body["nextPageToken"] = token_of(box, page[-1].id)
    return body


def _wanted(record: Record, kinds: list[str], label: str) -> bool:
    singular = {"messagesAdded": "messageAdded", "messagesDeleted": "messageDeleted"}
    kind = singular.get(record.kind, record.kind.replace("labels", "label"))
    return (not kinds or kind in kinds) and (not label or label in {*record.after, *record.labels})
