"""The RSGI application: GET /t/o/<token>.gif and /t/c/<token>. Decides from the token alone; no look-up, no cookie."""

import time
from typing import Any

from tracking.hot.commits import Commits
from tracking.hot.hits import Flag, Hit
from tracking.hot.pages import GIF, NOT_FOUND, WITHDRAWN
from tracking.hot.standing import Standings
from tracking.hot.tokens import Keyring, Kind, Opened

OPEN, GIF_SUFFIX, CLICK = "/t/o/", ".gif", "/t/c/"
_QUIET = [
    ("cache-control", "no-store, private, max-age=0"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-robots-tag", "noindex, nofollow"),
]
_GIF_HEADERS = [("content-type", "image/gif"), *_QUIET]
_PAGE_HEADERS = [
    ("content-type", "text/html; charset=utf-8"),
    ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    *_QUIET,
]
#: What may say whether a person asked, and how much of each is looked at (BI-D8).
_TELLING = (
    ("user-agent", 512),
    ("sec-purpose", 40),
    ("purpose", 40),
    ("x-purpose", 40),
    ("x-moz", 40),
)
#: The way it came: its end, where a proxy of ours writes; what stands before that the client may have made up.
_WAY, _WAY_END = "x-forwarded-for", 512
#: What nobody asks who looks at a mail for the first time; nothing that we answer can be asked for so again.
_PARTLY = ("range", "if-none-match", "if-modified-since")
#: What those of the last four say that load a page before anybody wants it.
_AHEAD = ("prefetch", "preview")
_METHODS = {"GET": 0, "HEAD": Flag.HEAD}


class App:
    def __init__(self, keyring: Keyring, commits: Commits, standings: Standings) -> None:
        self._keyring, self._commits, self._standings = keyring, commits, standings

    async def __call__(self, scope: Any, protocol: Any) -> None:
        path = scope.path
        if scope.method not in _METHODS:
            protocol.response_bytes(405, [("allow", "GET, HEAD"), *_QUIET], b"")
        elif path.startswith(OPEN):
            await self._pixel(scope, protocol, path[len(OPEN) :])
        elif path.startswith(CLICK):
            await self._click(scope, protocol, path[len(CLICK) :])
        elif path == "/healthz":
            protocol.response_str(200, [("content-type", "text/plain")], "ok")
        else:
            protocol.response_bytes(404, _PAGE_HEADERS, NOT_FOUND)

    async def _pixel(self, scope: Any, protocol: Any, name: str) -> None:
        opened = self._keyring.open(Kind.OPEN, name.removesuffix(GIF_SUFFIX)) if name.endswith(GIF_SUFFIX) else None
        await self._note(scope, Kind.OPEN, opened)
        protocol.response_bytes(200, _GIF_HEADERS, GIF)

    async def _click(self, scope: Any, protocol: Any, name: str) -> None:
        opened = self._keyring.open(Kind.CLICK, name)
        await self._note(scope, Kind.CLICK, opened)
        if opened is None:
            protocol.response_bytes(404, _PAGE_HEADERS, NOT_FOUND)
        elif self._standings.is_withdrawn(opened):
            protocol.response_bytes(410, _PAGE_HEADERS, WITHDRAWN)
        else:
            protocol.response_bytes(302, [("location", opened.target), *_QUIET], b"")

    async def _note(self, scope: Any, kind: Kind, opened: Opened | None) -> None:
        counts = opened is not None and not self._standings.is_off(opened.organization, kind)
        await self._commits.add(_hit(scope, kind, opened) if counts and opened is not None else None)


def _hit(scope: Any, kind: Kind, opened: Opened) -> Hit:
    headers = scope.headers
    told = [(headers.get(name) or "")[:most] for name, most in _TELLING]
    flags = _METHODS[scope.method] | (Flag.PARTIAL if any(name in headers for name in _PARTLY) else 0)
    flags |= Flag.PREFETCH if any(word in value.lower() for value in told[1:] for word in _AHEAD) else 0
    peer = scope.client.rpartition(":")[0].strip("[]")
    who = [peer, told[0], ",".join(headers.get_all(_WAY))[-_WAY_END:]]
    return Hit(time.time_ns() // 1_000_000, kind, opened.organization, opened.copy_id, opened.link, flags, who)
