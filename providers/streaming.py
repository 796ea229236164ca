"""Answers that are too large to hold: read piece by piece, with a bound on their length and on their time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from providers import pinning
from providers.errors import Rejected, Transient
from providers.http import Session, ask

PIECE = 64 * 1024
#: Longest time for a whole body. A hundred megabytes take 80 s at 10 Mbit/s.
SECONDS = 300.0
#: Of an answer that says what went wrong.
_MOST_SAID = 64 * 1024


class Streamed:
    """An answer whose body is still on the wire. Iterate once; `length`: bytes that the provider announces, or None."""

    def __init__(self, response: requests.Response, most: int, until: float) -> None:
        self.status = response.status_code
        self.headers = response.headers
        announced = response.headers.get("Content-Length", "")
        is_plain = response.headers.get("Content-Encoding", "identity") == "identity"
        self.length = int(announced) if announced.isdecimal() and is_plain else None
        self._response, self._most, self._until = response, most, until

    def __iter__(self) -> Iterator[bytes]:
        """Raises Rejected where it is longer than allowed, Transient where it breaks off or takes too long."""
        if self.length is not None and self.length > self._most:
            raise _too_long()
        taken = 0
        for piece in self._pieces():
            taken += len(piece)
            if taken > self._most:
                raise _too_long()
            yield piece

    def said(self) -> bytes:
        """The beginning of the body, where it is an error's."""
        found = b""
        for piece in self._pieces():
            found += piece
            if len(found) >= _MOST_SAID:
                break
        return found[:_MOST_SAID]

    def _pieces(self) -> Iterator[bytes]:
        content = self._response.iter_content(PIECE)
        while piece := self._next(content):
            yield piece

    def _next(self, content: Iterator[bytes]) -> bytes:
        try:
            with pinning.deadline(self._until - time.monotonic(), pinning.IDLE_SECONDS):
                return next(content, b"")
        except (requests.RequestException, HTTPError, OSError):  # TimeoutError is an OSError
            pass
        raise Transient("The provider broke off, or took too long.", retry_after=30.0)


@contextmanager
def streamed(
    http: Session, method: str, url: str, *, most: int, seconds: float = SECONDS, **kwargs: Any
) -> Iterator[Streamed]:
    """One request that reads. Yields Streamed; leaving gives the connection back, or closes it where there is more.

    Raises Transient where no answer comes."""
    until = time.monotonic() + seconds
    response = ask(http, method, url, is_write=False, stream=True, **kwargs)
    try:
        yield Streamed(response, most, until)
    finally:
        response.close()


def _too_long() -> Rejected:
    return Rejected("This is longer than what may be transferred.", code="too_long")
