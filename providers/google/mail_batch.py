"""Several calls of the Gmail API in one request, and their answers. No I/O.

Source: developers.google.com/workspace/gmail/api/guides/batch: multipart/mixed of application/http parts, named by
Content-ID ("response-" before ours in the answer), in any order; each is carried out, refused and counted for itself.
Twenty at once are safe; a hundred are refused for their concurrency (amd/gaia#2720)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from typing import Any

from providers.google.failures import nonsense, parsed

PATH = "/batch"
MOST = 20
_BOUNDARY = "part-of-a-batch"
CONTENT_TYPE = f'multipart/mixed; boundary="{_BOUNDARY}"'
_ID = re.compile(r"<response-(\d{1,3})>")
_STATUS = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})")
_BLANK = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True, repr=False)
class Part:
    """`body`: what its JSON holds, None where there is none."""

    status: int
    body: Any


def request_of(paths: Sequence[str]) -> bytes:
    """The body of one request that gets all `paths` (with their queries)."""
    parts = (
        f"--{_BOUNDARY}\r\nContent-Type: application/http\r\nContent-ID: <{number}>\r\n\r\nGET {path} HTTP/1.1\r\n\r\n"
        for number, path in enumerate(paths)
    )
    return ("".join(parts) + f"--{_BOUNDARY}--\r\n").encode("ascii")


def parts_of(content: bytes, headers: Mapping[str, str], count: int) -> list[Part]:
    """One for each call, in the order of the request. Raises Transient where one is missing."""
    kind = headers.get("Content-Type", "")
    if not kind.startswith("multipart/mixed"):
        raise nonsense()
    whole = BytesParser(policy=compat32).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode("latin-1") + content)
    inner = whole.get_payload()
    found = dict(_part(each) for each in inner if isinstance(each, Message)) if isinstance(inner, list) else {}
    if set(found) != set(range(count)):
        raise nonsense()
    return [found[number] for number in range(count)]


def _part(part: Message) -> tuple[int, Part]:
    named = _ID.fullmatch(str(part.get("Content-ID", "")).strip())
    content = part.get_payload(decode=True)
    said = _STATUS.match(content) if isinstance(content, bytes) else None
    if named is None or said is None or not isinstance(content, bytes):
        raise nonsense()
    pieces = _BLANK.split(content, maxsplit=1)
    return int(named[1]), Part(int(said[1]), parsed(pieces[1]) if len(pieces) == 2 else None)
