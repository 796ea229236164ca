"""Shapes and protocol of a mailbox, whichever provider keeps it. No behaviour, no I/O.

A mailbox tells what has changed since a cursor, and hands out a message as the MIME that it arrived as. Nothing here is
ever stored but ids, cursors and times."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class FolderKind(StrEnum):
    """What a folder is for, as far as the provider says so. Folders that people make are OTHER."""

    INBOX = "inbox"
    SENT = "sent"
    DRAFTS = "drafts"
    TRASH = "trash"
    JUNK = "junk"
    ARCHIVE = "archive"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Folder:
    """`id` is the provider's own and stays when the folder is renamed or moved. `name`: whole path, "/" between."""

    id: str
    name: str = field(repr=False)
    kind: FolderKind = FolderKind.OTHER


@dataclass(frozen=True, slots=True)
class Change:
    """A message is there that was not (or was elsewhere), or is gone. The same one may come twice; order says nothing.

    `folders`: ids of all folders it is in now; () where it is gone or the provider did not say."""

    message_id: str
    is_gone: bool = False
    folders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Changes:
    """One page. `cursor` goes with it: stored in the same transaction as the work that the page makes. `has_more`:
    the next page is there already."""

    changes: tuple[Change, ...]
    cursor: str
    has_more: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of messages that arrived in a span of time, newest first. `next_page`: "" after the last one; a page
    token is no cursor and lives for one listing only."""

    message_ids: tuple[str, ...]
    next_page: str


@dataclass(frozen=True, slots=True, repr=False)
class Heading:
    """A message without its content. Addresses and texts as the headers have them: undecoded, unchecked, and for RAM
    only. `id`: the provider's, stable while the message moves between folders."""

    id: str
    thread_id: str
    folders: tuple[str, ...]
    received_at: datetime
    size: int  # bytes, as the provider counts them; 0 where it does not say
    is_draft: bool
    #: (name in lower case, value) in their order; From, To, Cc, Bcc, Reply-To, Subject, Date, Message-ID, References,
    #: In-Reply-To, Auto-Submitted, List-Id, Sensitivity, X-Auto-Response-Suppress.
    headers: tuple[tuple[str, str], ...]


class MimeStream(Protocol):
    """A message's bytes as they come. Iterating raises Transient where the provider breaks off."""

    def __iter__(self) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class Subscription:
    """A promise to be told of changes. `expires_at` is the provider's own word (UTC); renew at half of the time."""

    id: str
    expires_at: datetime


class Mailbox(Protocol):
    """One person's mailbox, already authorised. Reads only.

    Raises from `providers.errors`; nothing else escapes. CursorExpired: list again from a bounded point, wipe nothing.
    RateLimited carries the provider's own Retry-After."""

    @property
    def provider(self) -> str: ...

    def addresses(self) -> Sequence[str]:
        """Whose mailbox it is: every address that mail may be sent from here, as the provider has them."""
        ...

    def folders(self) -> Sequence[Folder]:
        """Every folder (Gmail: label that people file under)."""
        ...

    def streams(self, folder_ids: Sequence[str]) -> Sequence[str]:
        """The names under which changes are told: one for the whole mailbox (Gmail: ("",)) or one for each folder."""
        ...

    def cursor_now(self, stream: str) -> str:
        """Where changes begin from now on. To be taken *before* a listing, so that nothing falls between the two."""
        ...

    def changes(self, stream: str, cursor: str, *, most: int = 100) -> Changes:
        """The page after `cursor`. Raises CursorExpired."""
        ...

    def listed(self, since: datetime, until: datetime, *, page: str = "", most: int = 100) -> Listed:
        """Messages that arrived from `since` on and before `until`, in any folder; both aware."""
        ...

    def headings(self, message_ids: Sequence[str]) -> Mapping[str, Heading | None]:
        """Without content; None for what is gone. At most 20 at once."""
        ...

    def mime(self, message_id: str, *, most: int) -> AbstractContextManager[MimeStream]:
        """The whole message as it arrived. Rejected where it is longer than `most` bytes. Raises NotFound."""
        ...

    def web_address(self, message_id: str) -> str:
        """Where its person reads it in a browser, https. Raises NotFound."""
        ...

    def subscribe(self, streams: Sequence[str], address: str, secret: str) -> Sequence[Subscription]:
        """Ask to be told of changes. `address`: an https URL of ours (Graph), or the name of a Pub/Sub topic (Gmail).
        `secret`: comes back with each notice, where the provider offers that."""
        ...

    def renew(self, subscription_id: str) -> Subscription:
        """Raises NotFound where it is gone: subscribe again, and look for what was missed."""
        ...

    def unsubscribe(self, subscription_id: str) -> None:
        """Gone afterwards, whether it was there or not."""
        ...
