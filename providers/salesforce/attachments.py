"""One file into Salesforce as multipart/form-data, piece by piece: nothing of it is held, nothing touches a disk.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_sobject_insert_update_blob.htm"""

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from providers import http
from providers.activities import FileToAttach
from providers.errors import Rejected
from providers.salesforce import failures, ids
from providers.salesforce.transport import Wire

#: Of a ContentVersion sent as multipart.
MOST_BYTES = 2_147_483_648
#: For a whole upload, which runs as fast as the slower of two providers.
SECONDS = 600.0
#: For what Salesforce does with a file after its last byte.
_IDLE_SECONDS = 60.0
_TYPE_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$&-^_.+/")


def upload(wire: Wire, session: http.Session, values: Mapping[str, Any], file: FileToAttach) -> str:
    """The id of the new version. Raises from providers.errors; a file that breaks off before its end is not there."""
    patient = http.session(replace(session.settings, total_seconds=SECONDS, read_seconds=_IDLE_SECONDS))
    boundary = secrets.token_hex(24)
    headers = {"Content-Type": f'multipart/form-data; boundary="{boundary}"'}

    @contextmanager
    def body() -> Iterator["_Body"]:
        with file.open() as pieces:
            yield _Body(boundary, values, file, pieces)

    path = wire.path("sobjects/ContentVersion")
    answer = wire.session.upload(path, headers, body, patient)
    return wire.call(lambda _: ids.made(failures.parsed(answer.content)), is_write=True)


class _Body:
    """The request's body. `len`: bytes, where the file's length is known; 0 sends it in chunks (`super_len` of
    requests)."""

    def __init__(self, boundary: str, values: Mapping[str, Any], file: FileToAttach, pieces: Iterable[bytes]) -> None:
        self._pieces, self._length = pieces, file.length
        self._head = _head(boundary, values, file.media_type)
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self.len = len(self._head) + file.length + len(self._tail) if file.length is not None else 0

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        sent = 0
        for piece in self._pieces:
            sent += len(piece)
            self._check(sent, is_end=False)
            if piece:  # an empty chunk would end the body
                yield piece
        self._check(sent, is_end=True)
        yield self._tail

    def _check(self, sent: int, *, is_end: bool) -> None:
        if sent > MOST_BYTES:
            raise Rejected("This file is larger than Salesforce takes.", provider="salesforce", code="too_long")
        if self._length is not None and (sent > self._length or (is_end and sent < self._length)):
            raise Rejected("A file is not as long as it was said to be.", provider="salesforce", code="wrong_length")


def _head(boundary: str, values: Mapping[str, Any], media_type: str) -> bytes:
    """Names go into the JSON, where every character can stand; the part's own file name is of no use."""
    safe = media_type if media_type and set(media_type) <= _TYPE_CHARACTERS else "application/octet-stream"
    lines = [
        f"--{boundary}",
        'Content-Disposition: form-data; name="entity_content"',
        "Content-Type: application/json; charset=UTF-8",
        "",
        json.dumps(dict(values)),
        f"--{boundary}",
        'Content-Disposition: form-data; name="VersionData"; filename="file"',
        f"Content-Type: {safe}",
        "",
        "",
    ]
    return "\r\n".join(lines).encode()
