"""A file that comes as multipart/form-data: read as it arrives, digested, never held.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_sobject_insert_update_blob.htm"""

import hashlib
import re
from collections.abc import AsyncIterator
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from simulators.salesforce import files
from simulators.salesforce.errors import ApiError

_BOUNDARY = re.compile(r'boundary="?([^";,]+)"?')
_DISPOSITION = re.compile(
    rb'content-disposition:[^\r\n]*?name="([^"]*)"(?:[^\r\n]*?filename="([^"]*)")?', re.IGNORECASE
)
_MOST_FIELDS = 1_000_000
MOST_BYTES = 2_147_483_648


class Receiver:
    """Two parts: `entity_...`, JSON with the record's fields, and the file, under the name of its field."""

    def __init__(self, content_type: str) -> None:
        found = _BOUNDARY.search(content_type)
        self._mark = b"\r\n--" + (found[1].encode() if found else b"\0")
        self._buffer = b"\r\n"
        self._state = "before"
        self._fields, self._file = b"", ""
        self._md5, self._sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
        self._size = 0

    def feed(self, piece: bytes) -> None:
        self._buffer += piece
        while self._step():
            pass

    def _step(self) -> bool:
        """Whether something was done."""
        if self._state == "headers":
            return self._headers()
        if self._state == "after":
            return self._after()
        if self._state == "end":
            return False
        head, mark, rest = self._buffer.partition(self._mark)
        if mark:
            self._take(head)
            self._buffer, self._state = rest, "after"
            return True
        keep = len(self._mark) - 1
        self._take(self._buffer[:-keep])
        self._buffer = self._buffer[-keep:]
        return False

    def _after(self) -> bool:
        if len(self._buffer) < 2:
            return False
        self._state = "end" if self._buffer.startswith(b"--") else "headers"
        self._buffer = self._buffer[2:]
        return True

    def _headers(self) -> bool:
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return False
        named = _DISPOSITION.search(head)
        name, is_file = (named[1].decode(), named[2] is not None) if named else ("", False)
        self._state = "file" if is_file else "fields"
        self._file = name if is_file else self._file
        self._buffer = rest
        return True

    def _take(self, data: bytes) -> None:
        if self._state == "fields" and len(self._fields) < _MOST_FIELDS:
            self._fields += data
        elif self._state == "file":
            self._md5.update(data)
            self._sha256.update(data)
            self._size += len(data)

    def values(self) -> dict[str, Any]:
        """The record's values with what is known of the file. Raises ApiError."""
        if self._state != "end":
            raise _invalid("Multipart message is not complete")
        try:
            fields = orjson.loads(self._fields)
        except orjson.JSONDecodeError:
            raise _invalid("Multipart message must include a non-binary part") from None
        if not isinstance(fields, dict) or self._file != files.BLOB:
            raise _invalid("Multipart message must include one binary part, named for its field")
        if self._size > MOST_BYTES:
            raise ApiError(413, "REQUEST_ENTITY_TOO_LARGE", "the file is too large")
        return {**fields, "_uploaded": files.digests(self._md5, self._sha256, self._size)}


async def cut(request: Request, pieces: AsyncIterator[bytes], after: int) -> AsyncIterator[bytes]:
    """The same until so many bytes have come; then the connection is torn down, with no answer."""
    taken = 0
    async for piece in pieces:
        taken += len(piece)
        if taken > after:
            request.receive.__self__.transport.abort()  # type: ignore[attr-defined]  # uvicorn offers no other way
            raise ClientDisconnect
        yield piece


async def received(content_type: str, pieces: AsyncIterator[bytes]) -> Receiver:
    receiver = Receiver(content_type)
    async for piece in pieces:
        receiver.feed(piece)
    return receiver


def _invalid(message: str) -> ApiError:
    return ApiError(400, "INVALID_MULTIPART_REQUEST", message)
