"""What the suite for mailboxes stands on: what happens in a mailbox without us, and how it is read. Holds no test."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

import pytest

from providers import http, oauth
from providers.base import Access, Secret
from providers.mail import Change, Mailbox
from providers.registry import ADAPTERS
from tests.simulators.mail_providers import MailProvider

CANARY = "canary-9f2c41"
LARGEST = 40 * 1024 * 1024
_RAW = (
    "From: Jane Doe <jane.doe@northwind.example>\r\n"
    "To: Alice Anderson <alice@acme.example>\r\n"
    "Cc: Liam <liam@northwind.example>,\r\n bob@acme.example\r\n"
    "Subject: {subject}\r\n"
    "Date: Thu, 19 Nov 2026 08:12:41 +0000\r\n"
    "Message-ID: <{id}@northwind.example>\r\n"
    "References: <first@northwind.example>\r\n"
    "In-Reply-To: <first@northwind.example>\r\n"
    "X-Private: {canary}\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "\r\n"
    "{body}\r\n"
)


def letter(number: int | str = 1, body: str = "Hello", subject: str = "") -> bytes:
    return _RAW.format(id=number, subject=subject or f"Mail {number}", body=body, canary=CANARY).encode()


@dataclass
class Post:
    """What happens in somebody's mailbox without us, by `POST /_sim/mail/<user>/<word>`. A folder is named by its kind
    (`FolderKind`) or its id; Gmail's "archive" is no label at all."""

    simulated: MailProvider
    user: str = "alice"

    def say(self, word: str, **body: Any) -> dict[str, Any]:
        return dict(self.simulated.sim(f"mail/{self.user}/{word}", body))

    def deliver(self, *raw: bytes, folder: str = "inbox", at: datetime | None = None) -> list[str]:
        """Their ids, in this order. `at`: when it arrived, else now."""
        when = {"received_at": at.timestamp()} if at else {}
        sent = [{"raw": base64.b64encode(each).decode(), "folder": folder, **when} for each in raw]
        return list(self.say("deliver", messages=sent)["ids"])

    def deliver_large(self, size: int, seed: int = 1) -> str:
        """With an attachment of so many bytes (`simulators.mail.messages`), made anew each time it is read."""
        return str(self.say("deliver", messages=[{"attachment": {"size": size, "seed": seed}}])["ids"][0])

    def move(self, message_id: str, folder: str) -> None:
        self.say("move", id=message_id, folder=folder)

    def delete(self, message_id: str) -> None:
        """For good, not into the trash."""
        self.say("delete", id=message_id)

    def make_folder(self, name: str, parent: str = "") -> str:
        return str(self.say("folders", name=name, parent=parent)["id"])

    def rename_folder(self, folder_id: str, name: str) -> None:
        self.say("folders", id=folder_id, name=name)

    def expire(self) -> None:
        """Every cursor given out so far is too old from now on."""
        self.say("expire")

    def repeat(self, times: int = 1) -> None:
        """The next pages of changes tell everything twice, and again what was told before."""
        self.say("repeat", times=times)

    def throttle(self, seconds: int, times: int = 1) -> None:
        """The next calls of this person are refused as the provider refuses them."""
        self.say("throttle", seconds=seconds, times=times)

    def fault(self, **fault: Any) -> None:
        self.simulated.sim("faults", {"user": self.user, **fault})

    def calls(self) -> list[dict[str, Any]]:
        """Those that reached the mailbox, not the token endpoint."""
        seen = self.simulated.sim("calls")["calls"]
        return [call for call in seen if call["user"] == self.user and call["counted"]]

    def forget_calls(self) -> None:
        self.simulated.sim("reset", {"only": ["calls"]})

    def held(self) -> dict[str, dict[str, Any]]:
        """By id, what the simulator holds of each message: `folders`, `received_at`, `size`, `sha256` of the MIME."""
        return {each["id"]: each for each in self.simulated.sim(f"mail/{self.user}")["messages"]}


class Tokens:
    """A TokenSource over one grant; renews as the vault would, without its store."""

    def __init__(self, simulated: MailProvider, user: str, scope: str) -> None:
        self.simulated = simulated
        self.held = simulated.tokens(user, scope=scope)
        self.renewals = 0

    def access(self, *, rejected: Secret | None = None) -> Access:
        if rejected is not None and rejected.reveal() == self.held["access_token"]:
            answer = self.simulated.refresh(self.held)
            if answer.ok:
                self.held |= answer.json()
            self.renewals += 1
        return Access(Secret(self.held["access_token"]), "")


@dataclass
class Reader:
    """Follows the changes of a mailbox, as the engine does: one cursor for each stream."""

    mailbox: Mailbox
    cursors: dict[str, str]
    most: int = 100
    pages: int = 0

    @classmethod
    def of(cls, mailbox: Mailbox, most: int = 100) -> "Reader":
        streams = mailbox.streams([folder.id for folder in mailbox.folders()])
        return cls(mailbox, {stream: mailbox.cursor_now(stream) for stream in streams}, most)

    def new(self) -> list[Change]:
        return [change for stream in self.cursors for change in self.of_stream(stream)]

    def of_stream(self, stream: str) -> Iterator[Change]:
        for _ in range(200):
            page = self.mailbox.changes(stream, self.cursors[stream], most=self.most)
            self.cursors[stream] = page.cursor
            self.pages += 1
            yield from page.changes
            if not page.has_more:
                return
        raise AssertionError("the changes do not come to an end")


def there(changes: Sequence[Change]) -> set[str]:
    return {change.message_id for change in changes if not change.is_gone}


def gone(changes: Sequence[Change]) -> set[str]:
    return {change.message_id for change in changes if change.is_gone}


def everything(mailbox: Mailbox, since: datetime, until: datetime, most: int = 100) -> list[str]:
    found: list[str] = []
    page = ""
    for _ in range(200):
        listed = mailbox.listed(since, until, page=page, most=most)
        assert len(listed.message_ids) <= most
        found += listed.message_ids
        page = listed.next_page
        if not page:
            return found
    raise AssertionError("the listing does not come to an end")


def whole(mailbox: Mailbox, message_id: str, most: int = LARGEST) -> bytes:
    with mailbox.mime(message_id, most=most) as stream:
        return b"".join(stream)


class Standing:
    """`provider`: as the registry calls it. `scope`: what a grant that reads mail holds; `too_little`: one that does
    not. `api`: which of the simulator's facts is the API's origin. `address`: where notices go."""

    provider: ClassVar[str]
    scope: ClassVar[str]
    too_little: ClassVar[str]
    api: ClassVar[str]
    address: ClassVar[str]

    # -- what a test stands on --------------------------------------------------------------------------------------

    def mailbox_of(self, running: MailProvider, tokens: Tokens) -> Mailbox:
        oauth._metadata.clear()
        adapter, info = ADAPTERS[self.provider], running.info
        assert adapter.mailbox is not None
        origins = frozenset(adapter.operators((info["api_url"], info[self.api])))
        settings = http.Settings(origins, adapter.host_suffixes, info["ca"], read_seconds=5.0, total_seconds=8.0)
        return adapter.mailbox(tokens, http.Session(settings), info[self.api])

    @pytest.fixture
    def running(self, request: pytest.FixtureRequest) -> MailProvider:
        found: MailProvider = request.getfixturevalue(self.provider)
        return found

    @pytest.fixture
    def post(self, running: MailProvider) -> Post:
        return Post(running)

    @pytest.fixture
    def tokens(self, running: MailProvider) -> Tokens:
        return Tokens(running, "alice", self.scope)

    @pytest.fixture
    def mailbox(self, running: MailProvider, tokens: Tokens) -> Mailbox:
        return self.mailbox_of(running, tokens)
