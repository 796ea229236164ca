"""Clients whose calls reach the connection's state: what was answered proves it, a fresh token refused puts it in
doubt. Never ends a grant: only the token endpoint's verdict does (I6)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from providers.activities import (
    Activities,
    Attached,
    Capabilities,
    Correspondent,
    EmailRecord,
    FileToAttach,
    FoundPeople,
    Keyed,
    Link,
    Logged,
    Newcomers,
    Note,
    Removed,
)
from providers.base import Crm, Form, PersonMatch, Priority, Record, Secret, Snapshot
from providers.errors import FreshTokenRefused, ProviderError
from providers.mail import Changes, Folder, Heading, Listed, Mailbox, MimeStream, Subscription
from vault import states
from vault.tokens import ConnectionTokens

T = TypeVar("T")
C = TypeVar("C")


def note_refusal(connection_id: UUID, tokens: ConnectionTokens, error: FreshTokenRefused) -> None:
    """Even a token that was renewed a moment ago is refused: say so, and renew no more for a while.

    Says so of the generation that these calls were made with, and asks for no other: the person may have connected
    again meanwhile (V8)."""
    if tokens.generation is not None:
        states.doubt(connection_id, tokens.generation, error)


class _Watched(Generic[C]):
    """Passes everything on and looks at how each call ends."""

    def __init__(
        self, client: C, on_success: Callable[[], None], on_refusal: Callable[[FreshTokenRefused], None]
    ) -> None:
        self._client = client
        self._on_success = on_success
        self._on_refusal = on_refusal

    def _watch(self, call: Callable[[], T]) -> T:
        try:
            answer = call()
        except FreshTokenRefused as error:
            self._on_refusal(error)
            raise
        self._on_success()
        return answer


class Watched(_Watched[Crm]):
    """See providers.base.Crm."""

    def find_people(
        self, addresses: Sequence[str], *, priority: Priority = Priority.INTERACTIVE
    ) -> Mapping[str, PersonMatch]:
        return self._watch(lambda: self._client.find_people(addresses, priority=priority))

    def search(self, text: str, *, limit: int = 20) -> Sequence[Record]:
        return self._watch(lambda: self._client.search(text, limit=limit))

    def form_for(self, object_name: str, record_id: str | None = None) -> Form:
        return self._watch(lambda: self._client.form_for(object_name, record_id))

    def create(self, object_name: str, values: Mapping[str, Any]) -> Record:
        return self._watch(lambda: self._client.create(object_name, values))

    def update(self, object_name: str, record_id: str, values: Mapping[str, Any]) -> None:
        self._watch(lambda: self._client.update(object_name, record_id, values))

    def snapshot(self, object_name: str, record_id: str, fields: Sequence[str]) -> Snapshot:
        return self._watch(lambda: self._client.snapshot(object_name, record_id, fields))

    def record_url(self, record_id: str) -> str:
        return self._client.record_url(record_id)  # no call, so it proves nothing

    def open_url(self, record_id: str) -> Secret:
        return self._watch(lambda: self._client.open_url(record_id))


class WatchedMailbox(_Watched[Mailbox]):
    """See providers.mail.Mailbox."""

    @property
    def provider(self) -> str:
        return self._client.provider

    def addresses(self) -> Sequence[str]:
        return self._watch(self._client.addresses)

    def folders(self) -> Sequence[Folder]:
        return self._watch(self._client.folders)

    def streams(self, folder_ids: Sequence[str]) -> Sequence[str]:
        return self._client.streams(folder_ids)  # no call, so it proves nothing

    def cursor_now(self, stream: str) -> str:
        return self._watch(lambda: self._client.cursor_now(stream))

    def changes(self, stream: str, cursor: str, *, most: int = 100) -> Changes:
        return self._watch(lambda: self._client.changes(stream, cursor, most=most))

    def listed(self, since: datetime, until: datetime, *, page: str = "", most: int = 100) -> Listed:
        return self._watch(lambda: self._client.listed(since, until, page=page, most=most))

    def headings(self, message_ids: Sequence[str]) -> Mapping[str, Heading | None]:
        return self._watch(lambda: self._client.headings(message_ids))

    @contextmanager
    def mime(self, message_id: str, *, most: int) -> Iterator[MimeStream]:
        with ExitStack() as stack:
            yield self._watch(lambda: stack.enter_context(self._client.mime(message_id, most=most)))

    def web_address(self, message_id: str) -> str:
        return self._watch(lambda: self._client.web_address(message_id))

    def subscribe(self, streams: Sequence[str], address: str, secret: str) -> Sequence[Subscription]:
        return self._watch(lambda: self._client.subscribe(streams, address, secret))

    def renew(self, subscription_id: str) -> Subscription:
        return self._watch(lambda: self._client.renew(subscription_id))

    def unsubscribe(self, subscription_id: str) -> None:
        self._watch(lambda: self._client.unsubscribe(subscription_id))


class WatchedActivities(_Watched[Activities]):
    """See providers.activities.Activities."""

    def capabilities(self) -> Capabilities:
        return self._client.capabilities()  # mostly no call, so it proves nothing

    def people(self, addresses: Sequence[str], message_ids: Sequence[str] = ()) -> FoundPeople:
        return self._watch(lambda: self._client.people(addresses, message_ids))

    def newcomers(self, since: datetime) -> Newcomers:
        return self._watch(lambda: self._client.newcomers(since))

    def log_email(self, record: EmailRecord, key: str, *, is_repeat: bool = False) -> Logged:
        return self._watch(lambda: self._client.log_email(record, key, is_repeat=is_repeat))

    def log_emails(self, mails: Sequence[Keyed]) -> Sequence[Logged | ProviderError]:
        return self._watch(lambda: self._client.log_emails(mails))

    def add_relations(self, logged: Logged, people: Sequence[Correspondent]) -> tuple[str, ...]:
        return self._watch(lambda: self._client.add_relations(logged, people))

    def make_own_tasks(self, logged: Logged, mail: Keyed, people: Sequence[str]) -> tuple[str, ...]:
        return self._watch(lambda: self._client.make_own_tasks(logged, mail, people))

    def note_seen(self, notes: Sequence[Note]) -> Sequence[str | ProviderError]:
        return self._watch(lambda: self._client.note_seen(notes))

    def unlink(self, logged: Logged, person_id: str) -> None:
        self._watch(lambda: self._client.unlink(logged, person_id))

    def delete(self, logged: Logged, key: str) -> None:
        self._watch(lambda: self._client.delete(logged, key))

    def take_back(self, logged: Logged, key: str, known: Sequence[datetime] = ()) -> Removed:
        return self._watch(lambda: self._client.take_back(logged, key, known))

    def move(self, logged: Logged, key: str, off: Sequence[str], onto: Sequence[str]) -> tuple[str, ...]:
        return self._watch(lambda: self._client.move(logged, key, off, onto))

    def attach(self, parents: Sequence[str], file: FileToAttach, key: str, *, is_repeat: bool = False) -> Attached:
        return self._watch(lambda: self._client.attach(parents, file, key, is_repeat=is_repeat))

    def post_link(self, parent_id: str, link: Link, key: str) -> str:
        return self._watch(lambda: self._client.post_link(parent_id, link, key))
