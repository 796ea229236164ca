"""JSON as Google's servers spell it: indented, and with what matters to HTML escaped ("\\u003c", "\\u003d").

Seen in recorded answers of the Gmail API: sigparser.com/developers/email-parsing/gmail-api."""

from collections.abc import Iterator
from typing import Any

import orjson
from starlette.responses import Response, StreamingResponse

from simulators.front import JSON
from simulators.google.mail.forms import LargeRaw, encoded

_ESCAPED = {sign: b"\\u%04x" % ord(sign) for sign in (b"<", b">", b"&", b"=", b"'")}
_HEADERS = {"Vary": "Origin, X-Origin, Referer"}
_PLACE = "the-message-goes-here"


def response(status: int, body: Any) -> Response:
    """A message that is made as it is read comes in pieces and without a length, as Google's answers do."""
    if isinstance(body, dict) and isinstance(body.get("raw"), LargeRaw):
        return StreamingResponse(_pieces(body, body["raw"]), status, _HEADERS, JSON)
    return Response(spelled(body), status, _HEADERS, JSON if body else None)


def spelled(body: Any) -> bytes:
    """None is an empty body."""
    if body is None:
        return b""
    return _escaped(orjson.dumps(body, option=orjson.OPT_INDENT_2, default=_whole) + b"\n")


def _pieces(body: dict[str, Any], raw: LargeRaw) -> Iterator[bytes]:
    head, tail = spelled({**body, "raw": _PLACE}).split(_PLACE.encode())
    yield head
    for piece in raw.pieces():
        yield _escaped(piece)
    yield tail


def _escaped(text: bytes) -> bytes:
    """These signs occur in strings only, so the whole text may be searched for them."""
    for sign, escape in _ESCAPED.items():
        text = text.replace(sign, escape)
    return text


def _whole(raw: LargeRaw) -> str:
    return encoded(raw.content.raw())
