"""The RSGI application: GET /t/o/<token>.gif and /t/c/<token>. Decides from the token alone; no look-up, no cookie."""

from asyncio import Future
from time import time_ns
from typing import Any

from tracking.hot.commits import Commits
from tracking.hot.hits import Flag, Noted, noted
from tracking.hot.pages import GIF, NOT_FOUND, WITHDRAWN
from tracking.hot.standing import Standings
from tracking.hot.tokens import Keyring, Kind, Opened

OPEN, GIF_SUFFIX, CLICK = "/t/o/", ".gif", "/t/c/"
_QUIET = [
    ("cache-control", "no-store, private, max-age=0"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
]
_UNLISTED = [*_QUIET, ("x-robots-tag", "noindex, nofollow")]
_GIF_HEADERS = [("content-type", "image/gif"), *_QUIET]
_PAGE_HEADERS = [
    ("content-type", "text/html; charset=utf-8"),
    ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    *_UNLISTED,
]
_TEXT_HEADERS = [("content-type", "text/plain"), ("cache-control", "no-store")]
#: Characters looked at of what says who asked (BI-D8). Of the way it came the end, where a proxy of ours writes: what
#: stands before that the client may have made up.
_MOST = 512
_METHODS = {"GET": 0, "HEAD": Flag.HEAD}


class App:
    def __init__(self, keyring: Keyring, commits: Commits, standings: Standings) -> None:
        self._keyring, self._commits, self._standings = keyring, commits, standings

    async def __call__(self, scope: Any, protocol: Any) -> None:
        path = scope.path
        if scope.method not in _METHODS:
            protocol.response_bytes(405, [("allow", "GET, HEAD"), *_QUIET], b"")
        elif path.startswith(OPEN):
            token = path[len(OPEN) : -len(GIF_SUFFIX)] if path.endswith(GIF_SUFFIX) else ""
            await self._noted(scope, Kind.OPEN, self._keyring.open(Kind.OPEN, token))
            protocol.response_bytes(200, _GIF_HEADERS, GIF)
        elif path.startswith(CLICK):
            opened = self._keyring.open(Kind.CLICK, path[len(CLICK) :])
            await self._noted(scope, Kind.CLICK, opened)
            self._lead(protocol, opened)
        elif path == "/healthz":
            is_alive = self._commits.is_alive
            protocol.response_str(200 if is_alive else 503, _TEXT_HEADERS, "ok" if is_alive else "stuck")
        else:
            protocol.response_bytes(404, _PAGE_HEADERS, NOT_FOUND)

    def _noted(self, scope: Any, kind: Kind, opened: Opened | None) -> Future[None]:
        if opened is None or self._standings.is_off(opened.organization, kind):
            return self._commits.add(None)
        return self._commits.add(_hit(scope, kind, opened))

    def _lead(self, protocol: Any, opened: Opened | None) -> None:
        if opened is None:
            protocol.response_bytes(404, _PAGE_HEADERS, NOT_FOUND)
        elif self._standings.is_withdrawn(opened):
            protocol.response_bytes(410, _PAGE_HEADERS, WITHDRAWN)
        else:
            protocol.response_bytes(302, [("location", opened.target), *_UNLISTED], b"")


def _hit(scope: Any, kind: Kind, opened: Opened) -> Noted:
    headers = scope.headers
    peer, agent = scope.client.rpartition(":")[0].strip("[]"), headers.get("user-agent", "")[:_MOST]
    way = ",".join(headers.get_all("x-forwarded-for"))[-_MOST:]
    flags = _METHODS[scope.method] | _flags(headers)
    now = time_ns() // 1_000_000
    return noted(now, kind, flags, opened.link, opened.organization, opened.copy_id, [peer, agent, way])


def _flags(headers: Any) -> int:
    """What nobody says who looks at a mail for the first time; nothing that we answer can be asked for in parts, or
    again if it has changed. Called for each hit: written out, since a loop costs three times as much."""
    told = headers.get
    partly = "range" in headers or "if-none-match" in headers or "if-modified-since" in headers
    ahead = (told("sec-purpose") or told("purpose") or told("x-purpose") or told("x-moz") or "").lower()
    is_ahead = "prefetch" in ahead or "preview" in ahead
    return (Flag.PARTIAL if partly else 0) | (Flag.PREFETCH if is_ahead else 0)
