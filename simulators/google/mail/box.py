"""One Gmail mailbox: messages, labels, threads, and the history of what happened to them. Knows no HTTP.

Source: developers.google.com/workspace/gmail/api/guides/sync and the reference of users.history.list: ids grow and have
gaps; one that is invalid or too old answers 404; records live about a week."""

import bisect
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from simulators.google.mail.errors import invalid, not_found
from simulators.google.mail.labels import Labels
from simulators.mail.messages import Content, decoded

KEPT_SECONDS = 7 * 86_400.0
_PREFIX = re.compile(r"^\s*((re|fwd?|aw|wg|sv|tr)\s*:\s*)+", re.IGNORECASE)


@dataclass
class Message:
    """`at`: internalDate in milliseconds. `history`: the last record that changed it."""

    id: str
    thread: str
    content: Content
    at: int
    labels: list[str] = field(default_factory=list)
    history: int = 0


@dataclass(frozen=True)
class Record:
    """One line of history; `kind` is the field that it stands in (messagesAdded ...), `labels` what was changed, and
    `after` the labels that the message has since."""

    id: int
    at: float
    kind: str
    message: str
    thread: str
    labels: tuple[str, ...]
    after: tuple[str, ...]


class Box:
    """`now`: the provider's clock. `changed` hears of every change with the labels of the message."""

    def __init__(self, email: str, now: Callable[[], float]) -> None:
        self.email, self.now = email, now
        self.labels = Labels()
        self.messages: dict[str, Message] = {}
        self.order: list[tuple[int, str]] = []  # (internalDate, id), oldest first
        self.records: list[Record] = []
        self.history = 1_000_000 + secrets.randbelow(1_000_000)
        self.oldest = self.history
        self.changed: Callable[[Iterable[str]], None] = lambda _: None
        self._threads: dict[str, tuple[str, str]] = {}
        self._next = int(now() * 1000) << 20

    # -- what happens -----------------------------------------------------------------------------------------------

    def add(self, content: Content, labels: Iterable[str], at: float, thread: str = "") -> Message:
        self._next += 1 + secrets.randbelow(1 << 12)
        key = f"{self._next:016x}"[-16:]
        message = Message(key, thread or self._thread_of(content, key), content, int(at * 1000), list(labels))
        if message_id := content.header("message-id"):
            self._threads.setdefault(message_id, (message.thread, _subject(content)))
        self.messages[key] = message
        bisect.insort(self.order, (message.at, key))
        self._record(message, "messagesAdded")
        return message

    def relabel(self, key: str, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Message:
        message = self.found(key)
        added = [label for label in add if label not in message.labels]
        removed = [label for label in remove if label in message.labels]
        message.labels = [label for label in message.labels if label not in removed] + added
        if removed:
            self._record(message, "labelsRemoved", removed)
        if added:
            self._record(message, "labelsAdded", added)
        return message

    def file(self, key: str, place: str) -> Message:
        """Into this place and out of all others; "" is the archive. What was sent stays sent."""
        message = self.found(key)
        others = [label for label in message.labels if self.labels.is_place(label) and label != place]
        return self.relabel(key, [place] if place else [], others)

    def delete(self, key: str) -> None:
        message = self.found(key)
        del self.messages[key]
        self.order.remove((message.at, key))
        self._record(message, "messagesDeleted")

    def expire(self) -> None:
        """What was told up to now is no longer held."""
        self.history += 1000
        self.oldest = self.history
        self.records.clear()

    def _record(self, message: Message, kind: str, labels: Iterable[str] = ()) -> None:
        self.history += 1 + secrets.randbelow(40)
        message.history = self.history
        after = tuple(message.labels)
        told = Record(self.history, self.now(), kind, message.id, message.thread, tuple(labels), after)
        self.records.append(told)
        self.changed({*after, *labels})

    def _thread_of(self, content: Content, key: str) -> str:
        """Same thread: it refers to one of its messages and has the subject (the reference of users.messages)."""
        known = f"{content.header('in-reply-to')} {content.header('references')}".split()
        for message_id in reversed(known):
            thread, subject = self._threads.get(message_id, ("", ""))
            if thread and subject == _subject(content):
                return thread
        return key

    # -- what is asked ----------------------------------------------------------------------------------------------

    def found(self, key: str) -> Message:
        if not re.fullmatch("[0-9a-f]{1,16}", key):
            raise invalid("Invalid id value")
        if key not in self.messages:
            raise not_found()
        return self.messages[key]

    def since(self, start: int) -> list[Record]:
        """Records after `start`. Raises GmailError 404."""
        self._forget()
        if not self.oldest <= start <= self.history:
            raise not_found()
        return self.records[bisect.bisect_right(self.records, start, key=lambda record: record.id) :]

    def before(self, start: int, most: int) -> list[Record]:
        """The last few up to `start`, for a replay."""
        end = bisect.bisect_right(self.records, start, key=lambda record: record.id)
        return self.records[max(0, end - most) : end]

    def _forget(self) -> None:
        limit = self.now() - KEPT_SECONDS
        kept = bisect.bisect_left(self.records, limit, key=lambda record: record.at)
        if kept:
            self.oldest = self.records[kept - 1].id
            del self.records[:kept]

    def thread(self, key: str) -> list[Message]:
        """Oldest first. Raises GmailError 404."""
        found = [self.messages[each] for _, each in self.order if self.messages[each].thread == key]
        if not found:
            raise not_found()
        return found

    def told(self) -> dict[str, Any]:
        """For GET /_sim/mail/<user>."""
        return {
            "folders": self.labels.told(),
            "history_id": self.history,
            "messages": [
                {
                    "id": each.id,
                    "thread_id": each.thread,
                    "folders": each.labels,
                    "received_at": each.at / 1000,
                    "message_id": each.content.header("message-id"),
                    "size": each.content.size,
                    "sha256": each.content.sha256,
                }
                for each in self.messages.values()
            ],
        }


def _subject(content: Content) -> str:
    return _PREFIX.sub("", decoded(content.header("subject"))).strip().lower()
