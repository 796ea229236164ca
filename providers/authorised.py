"""Calls to one provider's API with one connection's token: renewed once where it is refused. Holds no token."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from providers.base import Access, TokenSource
from providers.errors import FreshTokenRefused
from providers.http import Bearer, Session, ask
from providers.streaming import Streamed, streamed


class Authorised:
    """`base_url`: the API's origin, checked by whoever makes this. A 401 is answered with another token: first one
    that somebody else may have got meanwhile, then a renewed one.

    Raises NeedsReconnect, Transient; FreshTokenRefused where a fresh token is refused, too. Other statuses are the
    caller's to read."""

    def __init__(self, tokens: TokenSource, http: Session, base_url: str, provider: str, label: str) -> None:
        self._tokens, self._http, self._base_url = tokens, http, base_url.rstrip("/")
        self._provider, self._label = provider, label

    def call(self, method: str, path: str, *, is_write: bool = False, **kwargs: Any) -> requests.Response:
        """`path` begins with "/"; a whole URL below `base_url` (a next link) is taken as well."""
        url = self._url(path)
        for access in self._accesses():
            response = ask(self._http, method, url, is_write=is_write, auth=Bearer(access.token), **kwargs)
            if response.status_code != requests.codes.unauthorized:
                return response
        raise FreshTokenRefused(self._provider, self._label)

    @contextmanager
    def reading(self, path: str, *, most: int, **kwargs: Any) -> Iterator[Streamed]:
        """GET; Rejected where the body is longer than `most` bytes."""
        url = self._url(path)
        for access in self._accesses():
            with streamed(self._http, "GET", url, most=most, auth=Bearer(access.token), **kwargs) as answer:
                if answer.status != requests.codes.unauthorized:
                    yield answer
                    return
        raise FreshTokenRefused(self._provider, self._label)

    def _accesses(self) -> Iterator[Access]:
        """Asked for the next one only after the last was refused."""
        access = self._tokens.access()
        for _ in range(2):
            yield access
            access = self._tokens.access(rejected=access.token)
        yield access

    def _url(self, path: str) -> str:
        """Raises ValueError where a link leads elsewhere: our token would go with it."""
        if path.startswith("/") and not path.startswith("//"):
            return self._base_url + path
        if path.startswith(f"{self._base_url}/"):
            return path
        raise ValueError("a link leads to another host")
