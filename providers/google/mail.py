"""A person's Gmail over its REST API v1, to read. Holds no token, keeps nothing.

Sources: the discovery document of gmail v1; developers.google.com/workspace/gmail/api/guides/{sync,push,batch}."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import requests

from providers.authorised import Authorised
from providers.base import TokenSource
from providers.errors import CursorExpired, FreshTokenRefused, NotFound, ProviderError, RateLimited, Rejected
from providers.google import mail_batch, mail_shapes
from providers.google.failures import LABEL, PROVIDER, WATCHED_ELSEWHERE, failure_of, nonsense, parsed
from providers.google.mail_raw import RawMessage, longest
from providers.http import Session
from providers.mail import Changes, Folder, Heading, Listed, MimeStream, Subscription

_ME = "/gmail/v1/users/me"
_MOST = 500  # of a page: the reference of users.history.list and users.messages.list
#: They come: gauteh/lieer#24. So many in a row do not.
_EMPTY_PAGES = 100
_MOVED = "(labelIds,message(id,labelIds))"
_HISTORY = (
    "historyId,nextPageToken,history(id,messagesAdded/message(id,labelIds),messagesDeleted/message/id,"
    f"labelsAdded{_MOVED},labelsRemoved{_MOVED})"
)
#: Without `snippet`, which is content.
_HEADING = "id,threadId,labelIds,internalDate,sizeEstimate,payload/headers"
_METADATA = urlencode(
    [("format", "metadata"), ("fields", _HEADING), *(("metadataHeaders", each) for each in mail_shapes.HEADERS)]
)
_ONE_STREAM = ("",)


class GmailMailbox:
    """See `providers.mail.Mailbox`. One stream, whose cursor is a history id; a subscription is named by its topic,
    and Gmail offers no secret of ours: a notice is proved by Pub/Sub's signed token."""

    provider = PROVIDER

    def __init__(self, tokens: TokenSource, http: Session, api_origin: str) -> None:
        self._calls = Authorised(tokens, http, api_origin, PROVIDER, LABEL)

    # -- what there is ----------------------------------------------------------------------------------------------

    def addresses(self) -> Sequence[str]:
        """The account's own and its verified aliases (the reference of users.settings.sendAs)."""
        return mail_shapes.addresses(self._get("/settings/sendAs", fields=mail_shapes.SEND_AS))

    def folders(self) -> Sequence[Folder]:
        return mail_shapes.folders(self._get("/labels", fields="labels(id,name,type)"))

    def streams(self, folder_ids: Sequence[str]) -> Sequence[str]:  # noqa: ARG002  one for all of them
        return _ONE_STREAM

    def cursor_now(self, stream: str) -> str:  # noqa: ARG002
        return mail_shapes.current(self._get("/profile", fields="historyId"))

    def changes(self, stream: str, cursor: str, *, most: int = 100) -> Changes:  # noqa: ARG002
        """The cursor is the last record that was told, never a page token: records come in the order of their ids
        (guides/sync), so each page is the first one after its cursor, whatever happens in between."""
        try:
            start = mail_shapes.history_id(cursor)
        except ValueError:
            raise _expired() from None
        page = self._history(start, most)
        for _ in range(_EMPTY_PAGES):
            if not page.token or page.last > start:
                break
            page = self._history(start, most, page.token)
        if page.token and page.last <= start:
            raise nonsense()  # what follows them must not be passed over
        after = page.last if page.last > start else max(start, page.now)
        return Changes(page.changes, str(after), bool(page.token))

    def _history(self, start: int, most: int, token: str = "") -> mail_shapes.History:
        """Raises CursorExpired: "typically an HTTP 404 error code" (the reference of users.history.list)."""
        asked = {"startHistoryId": str(start), "maxResults": str(_bounded(most)), "fields": _HISTORY}
        try:
            return mail_shapes.history(self._get("/history", **asked, **({"pageToken": token} if token else {})))
        except NotFound:
            raise _expired() from None

    def listed(self, since: datetime, until: datetime, *, page: str = "", most: int = 100) -> Listed:
        """Whole seconds, and one more at each end: whether `after:` counts its own second is written nowhere."""
        span = f"after:{math.floor(since.timestamp()) - 1} before:{math.ceil(until.timestamp()) + 1} -in:chats"
        asked = {"q": span, "maxResults": str(_bounded(most)), "includeSpamTrash": "false"}
        fields = "messages/id,nextPageToken,resultSizeEstimate"
        return mail_shapes.listed(
            self._get("/messages", **asked, fields=fields, **({"pageToken": page} if page else {}))
        )

    # -- messages ---------------------------------------------------------------------------------------------------

    def headings(self, message_ids: Sequence[str]) -> Mapping[str, Heading | None]:
        if len(message_ids) > mail_batch.MOST:
            raise ValueError(f"at most {mail_batch.MOST} headings at once")
        found: dict[str, Heading | None] = dict.fromkeys(message_ids)
        wanted = [key for key in found if mail_shapes.is_id(key)]
        left, refused = self._told(wanted, found)
        if 0 < len(left) < len(wanted):  # Gmail found some of them too many at once (amd/gaia#2716)
            left, refused = self._told(left, found)
        if refused is not None:
            raise refused
        return found

    def _told(self, wanted: list[str], found: dict[str, Heading | None]) -> tuple[list[str], ProviderError | None]:
        """Fills `found`; which of them were refused for their rate. Raises any other refusal."""
        if not wanted:
            return [], None
        parts, headers = self._batch([f"{_path_of(key)}?{_METADATA}" for key in wanted])
        left: list[str] = []
        refused: ProviderError | None = None
        for key, part in zip(wanted, parts, strict=True):
            if part.status == requests.codes.ok:
                found[key] = mail_shapes.heading(part.body)
                continue
            failure = failure_of(part.status, part.body, headers)
            if isinstance(failure, RateLimited):
                left.append(key)
                refused = failure
            elif not isinstance(failure, NotFound):
                raise failure
        return left, refused

    def _batch(self, paths: list[str]) -> tuple[list[mail_batch.Part], Mapping[str, str]]:
        """A token that ran out is refused part by part: one call of its own then gets another."""
        for attempt in range(2):
            content = mail_batch.request_of(paths)
            kind = {"Content-Type": mail_batch.CONTENT_TYPE}
            response = self._checked(self._calls.call("POST", mail_batch.PATH, data=content, headers=kind))
            parts = mail_batch.parts_of(response.content, response.headers, len(paths))
            if all(part.status != requests.codes.unauthorized for part in parts):
                return parts, response.headers
            if attempt == 0:
                self.cursor_now("")
        raise FreshTokenRefused(PROVIDER, LABEL)

    @contextmanager
    def mime(self, message_id: str, *, most: int) -> Iterator[MimeStream]:
        if not mail_shapes.is_id(message_id):
            raise NotFound("Google has no such message.", provider=PROVIDER)
        asked = {"format": "raw", "fields": "raw"}
        with self._calls.reading(_path_of(message_id), most=longest(most), params=asked) as answer:
            if answer.status != requests.codes.ok:
                raise failure_of(answer.status, parsed(answer.said()), answer.headers)
            yield RawMessage(answer, most)

    def web_address(self, message_id: str) -> str:
        """Of the account that the browser has signed in first: another is named by its address alone, which has no
        place in a URL. The API tells none itself."""
        if not mail_shapes.is_id(message_id):
            raise NotFound("Google has no such message.", provider=PROVIDER)
        asked = {"format": "minimal", "fields": "id"}
        _body(self._checked(self._calls.call("GET", _path_of(message_id), params=asked)))  # it may be gone
        return f"https://mail.google.com/mail/#all/{message_id}"

    # -- notices ----------------------------------------------------------------------------------------------------

    def subscribe(self, streams: Sequence[str], address: str, secret: str) -> Sequence[Subscription]:  # noqa: ARG002
        """Lasts seven days; each call replaces the one before (guides/push)."""
        try:
            return (self.renew(address),)
        except Rejected as error:
            if error.code != WATCHED_ELSEWHERE:
                raise
        self.unsubscribe(address)
        return (self.renew(address),)

    def renew(self, subscription_id: str) -> Subscription:
        """There is nothing to renew at Gmail: watching is begun again, which is the same."""
        response = self._calls.call("POST", f"{_ME}/watch", json={"topicName": subscription_id}, is_write=True)
        return mail_shapes.subscription(subscription_id, _body(self._checked(response, is_write=True)))

    def unsubscribe(self, subscription_id: str) -> None:  # noqa: ARG002  there is one for each person and client
        self._checked(self._calls.call("POST", f"{_ME}/stop", is_write=True), is_write=True)

    # -- the wire ---------------------------------------------------------------------------------------------------

    def _get(self, path: str, **asked: str) -> Any:
        return _body(self._checked(self._calls.call("GET", _ME + path, params=asked)))

    def _checked(self, response: requests.Response, *, is_write: bool = False) -> requests.Response:
        if response.ok and response.status_code < requests.codes.multiple_choices:
            return response
        raise failure_of(response.status_code, parsed(response.content), response.headers, is_write=is_write)


def _body(response: requests.Response) -> Any:
    found = parsed(response.content)
    if not isinstance(found, dict):
        raise nonsense()
    return found


def _path_of(message_id: str) -> str:
    """Of what `mail_shapes.is_id` has let pass."""
    return f"{_ME}/messages/{message_id}"


def _bounded(most: int) -> int:
    return max(1, min(most, _MOST))


def _expired() -> CursorExpired:
    return CursorExpired("Gmail no longer knows what has changed since then.", provider=PROVIDER)
