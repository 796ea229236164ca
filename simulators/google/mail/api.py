"""gmail.googleapis.com: paths to methods, with the rights and the quota units that each costs.

Units: developers.google.com/workspace/gmail/api/reference/quota."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from simulators.front import Result
from simulators.google.mail import fields, methods, writes
from simulators.google.mail.call import FULL, INSERT, LABELS, METADATA, MODIFY, READ, SEND, SETTINGS, Call, query_of
from simulators.google.mail.errors import GmailError, bad_credentials, delegation_denied, few_scopes
from simulators.google.provider import Google

_READERS = frozenset({FULL, MODIFY, READ, METADATA})
_CONTENT = frozenset({FULL, MODIFY, READ})
_WRITERS = frozenset({FULL, MODIFY})
_PAGED = frozenset({"maxResults", "pageToken"})
_LISTED = _PAGED | {"q", "labelIds", "includeSpamTrash"}
_FORMED = frozenset({"format", "metadataHeaders"})
_INSERTED = frozenset({"internalDateSource", "deleted", "neverMarkSpam", "processForCalendar"})
_PATH = re.compile(r"/gmail/v1/users/([^/]+)/(.+)")


@dataclass(frozen=True)
class Route:
    method: str
    path: str  # parts after users/<who>/; "*" takes any one
    run: Callable[[Call], Any]
    units: int
    scopes: frozenset[str] = _READERS
    parameters: frozenset[str] = frozenset()

    def fits(self, method: str, parts: list[str]) -> bool:
        known = self.path.split("/")
        return (
            method == self.method
            and len(known) == len(parts)
            and all(mine in ("*", other) for mine, other in zip(known, parts, strict=True))
        )


_ROUTES = (
    Route("GET", "profile", methods.profile, 1),
    Route("GET", "settings/sendAs", methods.send_as, 1, _CONTENT | {SETTINGS}),
    Route("GET", "labels", methods.labels, 1, _READERS | {LABELS}),
    Route("GET", "labels/*", methods.label, 1, _READERS | {LABELS}),
    Route("GET", "messages", methods.messages, 5, _READERS, _LISTED),
    Route("GET", "messages/*", methods.message, 5, _READERS, _FORMED),
    Route("GET", "messages/*/attachments/*", methods.attachment, 5, _CONTENT),
    Route("GET", "threads", methods.threads, 10, _READERS, _LISTED),
    Route("GET", "threads/*", methods.thread, 10, _READERS, _FORMED),
    Route("GET", "history", methods.history, 2, _READERS, _PAGED | {"startHistoryId", "labelId", "historyTypes"}),
    Route("POST", "watch", methods.watch, 100),
    Route("POST", "stop", methods.stop, 50),
    Route("POST", "messages", writes.insert, 25, _WRITERS | {INSERT}, _INSERTED),
    Route("POST", "messages/import", writes.insert, 25, _WRITERS | {INSERT}, _INSERTED),
    Route("POST", "messages/send", writes.send, 100, _WRITERS | {SEND}),
    Route("POST", "messages/*/modify", writes.modify, 5, _WRITERS),
    Route("POST", "messages/*/trash", writes.trash, 5, _WRITERS),
    Route("POST", "messages/*/untrash", writes.untrash, 5, _WRITERS),
    Route("DELETE", "messages/*", writes.delete, 10, frozenset({FULL})),
    Route("POST", "labels", writes.create_label, 5, _WRITERS | {LABELS}),
    Route("PUT", "labels/*", writes.rename_label, 5, _WRITERS | {LABELS}),
    Route("PATCH", "labels/*", writes.rename_label, 5, _WRITERS | {LABELS}),
    Route("DELETE", "labels/*", writes.delete_label, 5, _WRITERS | {LABELS}),
)


def answer(google: Google, bearer: str, method: str, target: str, content: bytes) -> Result:
    """`target`: path and query. Of 204 the body is None."""
    try:
        return _answer(google, bearer, method, target, content)
    except GmailError as error:
        return error.result


def _answer(google: Google, bearer: str, method: str, target: str, content: bytes) -> Result:
    path, _, query = target.partition("?")
    found = _PATH.fullmatch(path)
    parts = [unquote(part) for part in found[2].split("/")] if found else []
    route = next((each for each in _ROUTES if each.fits(method, parts)), None)
    if found is None or route is None:
        raise GmailError(404, "notFound", "Method not found.")
    grant = google.grant_of(bearer)
    if grant is None:
        raise bad_credentials()
    account, family = grant
    if not route.scopes & set(family.scopes):
        raise few_scopes()
    if unquote(found[1]) not in ("me", account.email):
        raise delegation_denied(unquote(found[1]))
    call = Call(google.gmail, account, family, method, parts, query_of(query), content)
    call.check_parameters(route.parameters)
    google.gmail.charge(account, route.units)
    body = route.run(call)
    return (204, None) if body is None else (200, fields.masked(body, call.text("fields")))
