"""A mailbox that lives in this process, with the bad manners of real ones: pages, replays, duplicates, cursors that
expire, throttling. And a desk where mails end, keyed as Salesforce is."""

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from providers.errors import CursorExpired, NotFound
from providers.mail import Change, Changes, Folder, FolderKind, Heading, Listed, MimeStream, Subscription
from sync import ledger
from sync.conclusions import NOTHING_KNOWN, About, Conclusion, Task
from sync.ledger import Entry, Identity, Written
from sync.models import SyncedMailbox
from sync.reasons import Rule, verdict

INBOX = "INBOX"


@dataclass
class Mail:
    id: str
    arrived_at: datetime
    folders: tuple[str, ...] = (INBOX,)
    matches: bool = True


@dataclass
class Box:
    """Implements providers.mail.Mailbox. A cursor is a number of changes and the page's replay."""

    provider: str = "google"
    names: tuple[str, ...] = ("",)
    mails: dict[str, Mail] = field(default_factory=dict)
    log: list[tuple[str, Change]] = field(default_factory=list)  # (stream, change)
    page_size: int = 3
    oldest: int = 0  # cursors before this have expired
    replays: int = 0  # changes told again with each page
    errors: deque[Exception] = field(default_factory=deque)  # the next calls' answers
    calls: Counter[str] = field(default_factory=Counter)

    def arrive(self, count: int = 1, *, at: datetime | None = None, **about: bool) -> list[str]:
        ids = self.keep(count, at=at or datetime.now(UTC), **about)
        for each in ids:
            self.tell(each)
        return ids

    def keep(self, count: int = 1, *, at: datetime, **about: bool) -> list[str]:
        """They are there, and no change tells of them."""
        ids = [uuid4().hex[:16] for _ in range(count)]
        self.mails |= {each: Mail(each, at, **about) for each in ids}  # type: ignore[arg-type]
        return ids

    def tell(self, message_id: str, *, is_gone: bool = False) -> None:
        folders = () if is_gone else self.mails[message_id].folders
        self.log.append((self.names[0], Change(message_id, is_gone, folders)))

    def expire(self) -> None:
        self.oldest = len(self.log) + 1
        self.log.append((self.names[0], Change("nobody", is_gone=True)))

    def _called(self, name: str) -> None:
        self.calls[name] += 1
        if self.errors:
            raise self.errors.popleft()

    def addresses(self) -> Sequence[str]:
        return ("alice@acme.example",)

    def folders(self) -> Sequence[Folder]:
        self._called("folders")
        inbox = Folder(INBOX, "Inbox", FolderKind.INBOX)
        return [inbox, *(Folder(name, name, FolderKind.SENT) for name in self.names if name)]

    def streams(self, folder_ids: Sequence[str]) -> Sequence[str]:
        return self.names

    def cursor_now(self, stream: str) -> str:
        self._called("cursor_now")
        return str(len(self.log))

    def changes(self, stream: str, cursor: str, *, most: int = 100) -> Changes:
        self._called("changes")
        start = int(cursor)
        if start < self.oldest:
            raise CursorExpired("too old", provider=self.provider)
        until = min(start + self.page_size, len(self.log))
        replayed = self.log[max(0, start - self.replays) : start]
        told = [change for name, change in [*replayed, *self.log[start:until]] if name == stream]
        return Changes(tuple(told), str(until), until < len(self.log))

    def listed(self, since: datetime, until: datetime, *, page: str = "", most: int = 100) -> Listed:
        self._called("listed")
        found = sorted(each.id for each in self.mails.values() if since <= each.arrived_at < until)
        start = int(page or 0)
        end = start + self.page_size
        return Listed(tuple(found[start:end]), str(end) if end < len(found) else "")

    def headings(self, message_ids: Sequence[str]) -> Mapping[str, Heading | None]:
        self._called("headings")
        return {each: self._heading(each) for each in message_ids}

    def _heading(self, message_id: str) -> Heading | None:
        mail = self.mails.get(message_id)
        if mail is None:
            return None
        headers = (("message-id", f"<{mail.id}@x.example>"), ("subject", "Canary of a subject"))
        return Heading(mail.id, f"t-{mail.id}", mail.folders, mail.arrived_at, 1_000, False, headers)

    @contextmanager
    def mime(self, message_id: str, *, most: int) -> Iterator[MimeStream]:
        self._called("mime")
        yield [b"Subject: Canary of a subject\r\n\r\nbody\r\n"]

    def subscribe(self, streams: Sequence[str], address: str, secret: str) -> Sequence[Subscription]:
        self._called("subscribe")
        return [Subscription("s1", datetime.now(UTC) + timedelta(days=3))]

    def renew(self, subscription_id: str) -> Subscription:
        self._called("renew")
        return Subscription(subscription_id, datetime.now(UTC) + timedelta(days=3))

    def web_address(self, message_id: str) -> str:
        if message_id not in self.mails:
            raise NotFound("gone", provider=self.provider)
        return f"https://mail.example/{message_id}"

    def unsubscribe(self, subscription_id: str) -> None:
        self._called("unsubscribe")


@dataclass
class Desk:
    """Where mails end. A key that is there already gives the record that it has made, as Salesforce does."""

    box: Box
    records: dict[str, str] = field(default_factory=dict)  # key -> record
    writes: Counter[str] = field(default_factory=Counter)  # calls, by message
    errors: dict[str, deque[Exception]] = field(default_factory=dict)  # of one message's next tries
    deadly: set[str] = field(default_factory=set)  # messages that kill whoever carries them out
    deadly_after: set[str] = field(default_factory=set)  # once, after their record is there

    def __call__(self, row: SyncedMailbox, client: object) -> "Clerk":
        return Clerk(self, row)

    def write(self, message_id: str, key: str) -> str:
        self.writes[message_id] += 1
        record = self.records.setdefault(key, f"02s{len(self.records):012d}AAA")
        if message_id in self.deadly_after:
            self.deadly_after.discard(message_id)
            raise Killed
        return record


class Killed(BaseException):
    """As by kill -9: nothing after it runs (see dying.py)."""


@dataclass
class Clerk:
    """sync.carriers.Carrier."""

    desk: Desk
    row: SyncedMailbox
    found: Mapping[str, Heading | None] = field(default_factory=dict)
    entries: dict[UUID, Entry] = field(default_factory=dict)

    def look(self, tasks: Sequence[Task]) -> Mapping[UUID, Conclusion]:
        self.found = self.desk.box.headings([task.message_id for task in tasks])
        decided = ((task.id, self._by_heading(self.found[task.message_id])) for task in tasks)
        return {task_id: conclusion for task_id, conclusion in decided if conclusion is not None}

    def about(self, task: Task) -> About:
        found = self.found.get(task.message_id)
        return About(found.thread_id, found.received_at) if found else NOTHING_KNOWN

    def _by_heading(self, heading: Heading | None) -> Conclusion | None:
        if heading is None:
            return Conclusion(verdict(Rule.GONE))
        if INBOX not in heading.folders:
            return Conclusion(verdict(Rule.OTHER_FOLDER))
        if not self.desk.box.mails[heading.id].matches:
            mark = ledger.marks_of(self.row.organization_id).of_address("jane@customer.example")
            return Conclusion(verdict(Rule.NOBODY_FOUND), waiting=[mark])
        return None

    def read(self, task: Task) -> Conclusion | None:
        if task.message_id in self.desk.deadly:
            raise Killed
        if errors := self.desk.errors.get(task.message_id):
            raise errors.popleft()
        marks = ledger.marks_of(task.organization_id)
        mail = Identity(f"<{task.message_id}@x.example>", "a@x.example", "", "Canary of a subject", task.message_id)
        key = marks.key(mail, "EmailMessage")
        whose = (task.organization_id, task.mailbox_id, key, "EmailMessage", task.lease)
        entry = ledger.claim(*whose, message_mark=marks.of_message(mail))
        self.entries[task.id] = entry
        return None if entry.is_mine else self._concluded(entry.salesforce_id)

    def write(self, tasks: Sequence[Task]) -> Mapping[UUID, Conclusion | Exception]:
        return {task.id: self._written(task, self.entries[task.id]) for task in tasks}

    def _written(self, task: Task, entry: Entry) -> Conclusion:
        record = self.desk.write(task.message_id, entry.key)
        return self._concluded(record, Written(entry.id, record, Rule.MATCHED))

    @staticmethod
    def _concluded(record: str, *written: Written) -> Conclusion:
        return Conclusion(verdict(Rule.MATCHED), activity_id=record, written=written, arrived_at=datetime.now(UTC))

    def attach(self, task: Task) -> Conclusion:
        raise AssertionError("no files here")

    def without_files(self, task: Task) -> Conclusion:
        raise AssertionError("no files here")
