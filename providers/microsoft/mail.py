"""A mailbox at Microsoft, over Graph v1.0, for one person who consented to `Mail.Read`. Reads only, keeps nothing.

See `providers.mail.Mailbox`. At most four requests at once are answered for one app and mailbox, and a batch is carried
out as four (learn.microsoft.com/graph/throttling-limits#outlook-service-limits): where stages of one mailbox meet, some
are refused (RateLimited) and come again."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from urllib.parse import quote

from providers.authorised import Authorised
from providers.base import TokenSource
from providers.errors import NotFound
from providers.http import Session
from providers.mail import Changes, Folder, Heading, Listed, MimeStream, Subscription
from providers.microsoft import mail_changes, mail_folders, mail_headings, mail_listing, mail_notices, mail_owner
from providers.microsoft.mail_failures import PROVIDER, nonsense
from providers.microsoft.mail_wire import MOST_IN_BATCH, ROOT, Part, Wire, text

#: Graph writes ids in the URL-safe alphabet of base64.
_ID = re.compile(r"[A-Za-z0-9_=-]{4,512}")
#: Never a message: a proxy's page, or an answer of another kind.
_NO_MESSAGE = ("text/html", "application/json")


class GraphMailbox:
    provider = PROVIDER

    def __init__(self, tokens: TokenSource, http: Session, api_url: str) -> None:
        self._wire = Wire(Authorised(tokens, http, api_url, PROVIDER, "Microsoft"))

    def addresses(self) -> Sequence[str]:
        return mail_owner.read(self._wire)

    def folders(self) -> Sequence[Folder]:
        return mail_folders.read(self._wire)

    def streams(self, folder_ids: Sequence[str]) -> Sequence[str]:
        """One for each folder: Graph tells changes by folder."""
        return tuple(folder_ids)

    def cursor_now(self, stream: str) -> str:
        return str(mail_changes.begin(self._wire, stream, datetime.now(UTC)))

    def changes(self, stream: str, cursor: str, *, most: int = 100) -> Changes:
        """NotFound: the folder is gone."""
        return mail_changes.page_after(self._wire, stream, mail_changes.Cursor.read(cursor), most)

    def listed(self, since: datetime, until: datetime, *, page: str = "", most: int = 100) -> Listed:
        return mail_listing.listed(self._wire, since, until, page, most)

    def headings(self, message_ids: Sequence[str]) -> Mapping[str, Heading | None]:
        if len(message_ids) > MOST_IN_BATCH:
            raise ValueError(f"at most {MOST_IN_BATCH} headings at once")
        asked = [id_ for id_ in message_ids if _ID.fullmatch(id_)]
        parts = self._wire.batch([f"/me/messages/{quote(id_, safe='')}?{mail_headings.QUERY}" for id_ in asked])
        found = {id_: _heading(id_, part) for id_, part in zip(asked, parts, strict=True)}
        return {id_: found.get(id_) for id_ in message_ids}

    @contextmanager
    def mime(self, message_id: str, *, most: int) -> Iterator[MimeStream]:
        """`/$value`: the message in MIME, as text (learn.microsoft.com/graph/outlook-get-mime-message)."""
        if not _ID.fullmatch(message_id):
            raise NotFound("Microsoft has no such message.", provider=PROVIDER)
        path = f"{ROOT}/me/messages/{quote(message_id, safe='')}/$value"
        with self._wire.reading(path, most=most) as answer:
            if answer.headers.get("Content-Type", "").lower().startswith(_NO_MESSAGE):
                raise nonsense()
            yield answer

    def web_address(self, message_id: str) -> str:
        """`webLink` (learn.microsoft.com/graph/api/resources/message): Outlook on the web."""
        if not _ID.fullmatch(message_id):
            raise NotFound("Microsoft has no such message.", provider=PROVIDER)
        found = text(self._wire.read(f"{ROOT}/me/messages/{quote(message_id, safe='')}?$select=webLink"), "webLink")
        if not found.startswith("https://"):
            raise nonsense()
        return found

    def subscribe(self, streams: Sequence[str], address: str, secret: str) -> Sequence[Subscription]:  # noqa: ARG002
        """One for the whole mailbox, whatever the streams. `address` hears of lifecycle events, too, and must answer
        Graph's question (`validationToken`) while this call lasts, else Rejected."""
        return (mail_notices.subscribe(self._wire, address, secret),)

    def renew(self, subscription_id: str) -> Subscription:
        return mail_notices.renew(self._wire, subscription_id)

    def unsubscribe(self, subscription_id: str) -> None:
        mail_notices.unsubscribe(self._wire, subscription_id)


def _heading(id_: str, part: Part) -> Heading | None:
    return None if part.is_gone else mail_headings.heading(id_, part.checked())
