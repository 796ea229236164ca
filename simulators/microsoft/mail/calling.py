"""POSTs to an address of somebody else's, without redirects and with a time limit. Keeps nothing."""

import asyncio
import json
import ssl
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from email.message import Message
from typing import Any

_MOST = 4096
#: A few that are slow keep no other waiting.
_AT_ONCE = 64


@dataclass(frozen=True)
class Answer:
    """`status`: 0 where nobody answered in time. `kind`: the media type alone. `seconds`: since it was really asked."""

    status: int
    kind: str = ""
    body: bytes = b""
    seconds: float = 0.0


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """The redirect itself is the answer."""


class Caller:
    """`ca`: a file of certificates to trust beside the usual ones."""

    def __init__(self, ca: str = "") -> None:
        self.ca = ca
        self._threads = ThreadPoolExecutor(_AT_ONCE)

    async def post(self, url: str, body: Any, kind: str, seconds: float) -> Answer:
        """`body`: bytes, or what becomes JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        asked: list[float] = []

        def ask() -> Answer:
            asked.append(time.monotonic())
            return self._post(url, data, kind, seconds)

        try:
            async with asyncio.timeout(seconds):
                found = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        except TimeoutError:
            found = Answer(0)
        return replace(found, seconds=time.monotonic() - asked[0] if asked else 0.0)

    def _post(self, url: str, data: bytes, kind: str, seconds: float) -> Answer:
        request = urllib.request.Request(url, data, {"Content-Type": kind}, method="POST")  # noqa: S310
        try:
            with self._opener().open(request, timeout=seconds) as answer:
                return Answer(answer.status, _kind(answer.headers), answer.read(_MOST))
        except urllib.error.HTTPError as error:
            return Answer(error.code)
        except (OSError, ValueError):
            return Answer(0)

    def _opener(self) -> urllib.request.OpenerDirector:
        context = ssl.create_default_context()
        if self.ca:
            context.load_verify_locations(self.ca)
        secure, direct = urllib.request.HTTPSHandler(context=context), urllib.request.ProxyHandler({})
        return urllib.request.build_opener(secure, direct, _NoRedirects)


def _kind(headers: Message) -> str:
    return headers.get_content_type()
