"""What Gmail's JSON says, in the shapes of `providers.mail`. No I/O; whatever is not as documented raises Transient.

Source: the discovery document of gmail v1 (Label, Message, ListHistoryResponse)."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from providers.google.failures import nonsense
from providers.mail import Change, Folder, FolderKind, Heading, Listed, Subscription

_KINDS = {
    "INBOX": FolderKind.INBOX,
    "SENT": FolderKind.SENT,
    "DRAFT": FolderKind.DRAFTS,
    "TRASH": FolderKind.TRASH,
    "SPAM": FolderKind.JUNK,
}
#: Labels that say something of a message and not where it is.
_MARKS = frozenset({"UNREAD", "STARRED", "IMPORTANT", "CHAT"})
_ID = re.compile(r"[0-9a-f]{1,16}")
_HISTORY_ID = re.compile(r"[1-9][0-9]{0,19}")
HEADERS = (
    "From",
    "To",
    "Cc",
    "Bcc",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "References",
    "In-Reply-To",
    "Auto-Submitted",
    "List-Id",
    "Sensitivity",
    "X-Auto-Response-Suppress",
)
SEND_AS = "sendAs(sendAsEmail,verificationStatus)"
_WANTED = frozenset(name.lower() for name in HEADERS)


@dataclass(frozen=True, slots=True)
class History:
    """One page. `last`: the id of its last record, 0 without any."""

    changes: tuple[Change, ...]
    last: int
    now: int
    token: str


def is_id(text: str) -> bool:
    """Of a message: sixteen hexadecimal digits. Never sent otherwise, since it becomes part of a path."""
    return bool(_ID.fullmatch(text))


def history_id(text: object) -> int:
    """Raises ValueError where it is none."""
    if not isinstance(text, str) or not _HISTORY_ID.fullmatch(text) or int(text) >= 2**64:
        raise ValueError("no history id")
    return int(text)


def current(body: object) -> str:
    """Where history stands, in a profile."""
    try:
        return str(history_id(_dict(body).get("historyId")))
    except ValueError:
        raise nonsense() from None


def addresses(body: object) -> tuple[str, ...]:
    """Of a list of sendAs aliases. The account's own address carries no verification status."""
    found = _dict(body).get("sendAs")
    if not isinstance(found, list) or not found:
        raise nonsense()
    kept = [each for each in map(_dict, found) if each.get("verificationStatus", "accepted") == "accepted"]
    return tuple(address for each in kept if (address := _text(each, "sendAsEmail")))


def folders(body: object) -> tuple[Folder, ...]:
    labels = _dict(body).get("labels")
    if not isinstance(labels, list) or not labels:
        raise nonsense()
    found = (_folder(_dict(each)) for each in labels)
    return tuple(folder for folder in found if folder)


def _folder(label: Mapping[str, Any]) -> Folder | None:
    key, name = _text(label, "id"), _text(label, "name")
    if kind := _KINDS.get(key):
        return Folder(key, name.capitalize(), kind)
    return Folder(key, name) if label.get("type") == "user" else None


def places(labels: object) -> tuple[str, ...]:
    """The labels that are folders."""
    found = labels if isinstance(labels, list) else []
    return tuple(str(each) for each in found if each not in _MARKS and not str(each).startswith("CATEGORY_"))


def history(body: object) -> History:
    page = _dict(body)
    records = page.get("history", [])
    if not isinstance(records, list):
        raise nonsense()
    try:
        last = max((history_id(_dict(each).get("id")) for each in records), default=0)
        now = history_id(page.get("historyId"))
    except ValueError:
        raise nonsense() from None
    return History(_merged(each for record in records for each in _of_record(record)), last, now, _token(page))


def _of_record(record: Mapping[str, Any]) -> Iterator[Change]:
    """Reading and starring change labels, too; nobody needs to hear of that."""
    for kind in ("messagesAdded", "labelsAdded", "labelsRemoved", "messagesDeleted"):
        for change in record.get(kind) or ():
            message = _dict(_dict(change).get("message"))
            if kind.startswith("labels") and not places(change.get("labelIds")):
                continue
            if "CHAT" in (message.get("labelIds") or ()):
                continue
            is_gone = kind == "messagesDeleted"
            yield Change(_text(message, "id"), is_gone, () if is_gone else places(message.get("labelIds")))


def _merged(changes: Iterable[Change]) -> tuple[Change, ...]:
    """The last word on each message; one that was deleted does not come back."""
    found: dict[str, Change] = {}
    for change in changes:
        if not (change.message_id in found and found[change.message_id].is_gone):
            found[change.message_id] = change
    return tuple(found.values())


def listed(body: object) -> Listed:
    page = _dict(body)
    messages = page.get("messages", [])
    if not isinstance(messages, list) or not page.keys() & {"messages", "resultSizeEstimate"}:
        raise nonsense()
    return Listed(tuple(_text(_dict(each), "id") for each in messages), _token(page))


def heading(body: object) -> Heading:
    message = _dict(body)
    labels = message.get("labelIds") or []
    size = message.get("sizeEstimate")
    return Heading(
        id=_text(message, "id"),
        thread_id=_text(message, "threadId"),
        folders=places(labels),
        received_at=_moment(message, "internalDate"),
        size=size if isinstance(size, int) and size > 0 else 0,
        is_draft="DRAFT" in labels,
        headers=tuple(_headers(message.get("payload"))),
    )


def _headers(payload: object) -> Iterator[tuple[str, str]]:
    """A message may have none of them; one without a payload has not been told."""
    for each in _dict(payload).get("headers") or ():
        name, value = str(_dict(each).get("name", "")).lower(), _dict(each).get("value")
        if name in _WANTED and isinstance(value, str):
            yield name, value


def subscription(topic: str, body: object) -> Subscription:
    return Subscription(topic, _moment(_dict(body), "expiration"))


def _moment(body: Mapping[str, Any], name: str) -> datetime:
    """Milliseconds since 1970, in a string."""
    try:
        return datetime.fromtimestamp(int(_text(body, name)) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise nonsense() from None


def _token(page: Mapping[str, Any]) -> str:
    found = page.get("nextPageToken") or ""
    return found if isinstance(found, str) else ""


def _text(body: Mapping[str, Any], name: str) -> str:
    found = body.get(name)
    if not isinstance(found, str) or not found:
        raise nonsense()
    return found


def _dict(body: object) -> Mapping[str, Any]:
    if not isinstance(body, Mapping):
        raise nonsense()
    return body
