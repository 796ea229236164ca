"""Calls to the mail part of Microsoft Graph: JSON, batches, one message's bytes. Knows no folder or cursor.

Every request asks for immutable ids, which stay while a message moves within its mailbox
(learn.microsoft.com/graph/outlook-immutable-id: the header counts for its own request only, also within a batch)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import requests

from providers.authorised import Authorised
from providers.errors import NotFound
from providers.microsoft.mail_failures import failure, nonsense
from providers.streaming import Streamed

ROOT = "/v1.0"
#: learn.microsoft.com/graph/json-batching#batch-size-limitations
MOST_IN_BATCH = 20
_IMMUTABLE = 'IdType="ImmutableId"'


@dataclass(frozen=True, slots=True)
class Part:
    """The answer to one request of a batch."""

    status: int
    body: Any = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    @property
    def is_gone(self) -> bool:
        """There is no such thing (any more): an answer of its own, since so much of a mailbox goes while it is read."""
        return self.status != requests.codes.ok and isinstance(failure(self.status, self.body, self.headers), NotFound)

    def checked(self) -> dict[str, Any]:
        """The body of a success. Raises what `mail_failures.failure` makes of the rest."""
        if self.status != requests.codes.ok:
            raise failure(self.status, self.body, self.headers)
        if not isinstance(self.body, dict):
            raise nonsense()
        return self.body


class Wire:
    """Every method raises from `providers.errors`."""

    def __init__(self, authorised: Authorised) -> None:
        self._authorised = authorised

    def read(self, path: str, *, page: int = 0) -> dict[str, Any]:
        """GET. `path`: below the origin, or a whole link that Graph gave; `page`: entries per page of a delta."""
        response = self._call("GET", path, headers={"Prefer": _preferences(page)})
        if response.status_code != requests.codes.ok:
            raise failure(response.status_code, _json(response.content), response.headers)
        return _object(response.content)

    def write(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Whatever changes something; {} where the answer has no body."""
        response = self._call(method, path, is_write=True, headers={"Prefer": _preferences()}, json=body)
        if not response.ok:
            raise failure(response.status_code, _json(response.content), response.headers)
        return _object(response.content) if response.content else {}

    def batch(self, paths: Sequence[str]) -> list[Part]:
        """GETs below `ROOT`, any number, in as many batches as they need; answers in the order of `paths`."""
        found: list[Part] = []
        for start in range(0, len(paths), MOST_IN_BATCH):
            found += self._one_batch(paths[start : start + MOST_IN_BATCH])
        return found

    @contextmanager
    def reading(self, path: str, *, most: int) -> Iterator[Streamed]:
        with self._authorised.reading(path, most=most, headers={"Prefer": _preferences()}) as answer:
            if answer.status != requests.codes.ok:
                raise failure(answer.status, _json(answer.said()), answer.headers)
            yield answer

    def _one_batch(self, paths: Sequence[str]) -> list[Part]:
        asked = [
            {"id": str(number), "method": "GET", "url": path, "headers": {"Prefer": _preferences()}}
            for number, path in enumerate(paths)
        ]
        response = self._call("POST", f"{ROOT}/$batch", json={"requests": asked})
        if response.status_code != requests.codes.ok:
            raise failure(response.status_code, _json(response.content), response.headers)
        return _parts(_object(response.content), len(paths))

    def _call(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        try:
            return self._authorised.call(method, path, **kwargs)
        except ValueError:  # a link of Graph's leads to another host
            pass
        raise nonsense()


def entries(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`value` of a collection. Raises Transient where it is none."""
    found = body.get("value")
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise nonsense()
    return found


def text(entry: Mapping[str, Any], name: str) -> str:
    """Empty where it is missing, null or no text."""
    found = entry.get(name)
    return found if isinstance(found, str) else ""


def _parts(body: Mapping[str, Any], number: int) -> list[Part]:
    """In the order asked: answers come in any, with the id of their request."""
    said = body.get("responses")
    by_id = {str(each.get("id")): each for each in said if isinstance(each, dict)} if isinstance(said, list) else {}
    if any(str(each) not in by_id for each in range(number)):
        raise nonsense()
    return [_part(by_id[str(each)]) for each in range(number)]


def _part(said: Mapping[str, Any]) -> Part:
    status, headers = said.get("status"), said.get("headers")
    if not isinstance(status, int):
        raise nonsense()
    named = {str(name): str(value) for name, value in headers.items()} if isinstance(headers, dict) else {}
    return Part(status, said.get("body"), named)


def _preferences(page: int = 0) -> str:
    return f"{_IMMUTABLE}, odata.maxpagesize={page}" if page else _IMMUTABLE


def _json(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def _object(content: bytes) -> dict[str, Any]:
    found = _json(content)
    if not isinstance(found, dict):
        raise nonsense()
    return found
