"""POST /batch: several calls as parts of one request, each carried out and counted for itself.

Sources: developers.google.com/workspace/gmail/api/guides/batch; the limit's words: mhasbini/gmail_analyzer#12; how many
are carried out at once is written nowhere, and 25 were (amd/gaia#2720)."""

import re
import secrets
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from typing import Any

from starlette.responses import Response

from simulators.front import json_response
from simulators.google.mail import api
from simulators.google.mail.errors import GmailError, too_many_at_once
from simulators.google.mail.spelling import spelled
from simulators.google.provider import Google

MOST = 100
#: Of one batch; those beyond are refused, one by one.
AT_ONCE = 25
_REASONS = {200: "OK", 204: "No Content", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden"}
_REASONS |= {404: "Not Found", 409: "Conflict", 429: "Too Many Requests"}
_HEAD = re.compile(rb"\r?\n\r?\n")


def answer(google: Google, bearer: str, kind: str, body: bytes) -> Response:
    try:
        inner = _parts(kind, body)
    except GmailError as error:
        return json_response(error.body, error.code, pretty=True)
    boundary = f"batch_{secrets.token_urlsafe(24)}"
    told = [_carried_out(google, bearer, *each) for each in inner[:AT_ONCE]]
    told += [_told(content_id, *too_many_at_once().result) for content_id, _ in inner[AT_ONCE:]]
    body = b"".join(f"--{boundary}\r\n".encode() + each for each in told)
    return Response(body + f"--{boundary}--\r\n".encode(), 200, media_type=f"multipart/mixed; boundary={boundary}")


def _parts(kind: str, body: bytes) -> list[tuple[str, bytes]]:
    """(Content-ID, the inner request) of each."""
    found = BytesParser(policy=compat32).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    parts = found.get_payload()
    if not kind.startswith("multipart/mixed") or not isinstance(parts, list):
        raise GmailError(400, "badRequest", "Failed to parse batch request, error: 0 items could be parsed.")
    if len(parts) > MOST:
        raise GmailError(
            400, "badRequest", f"Inner request count exceeds the limit. Received: {len(parts)}, Limit: {MOST}"
        )
    inner = [part for part in parts if isinstance(part, Message)]
    return [(str(part.get("Content-ID", "")), str(part.get_payload()).encode()) for part in inner]


def _carried_out(google: Google, bearer: str, content_id: str, request: bytes) -> bytes:
    head, content = (*_HEAD.split(request.lstrip(), maxsplit=1), b"")[:2]
    lines = head.decode("latin-1").splitlines()
    method, target = [*lines[0].split(" "), "", ""][:2]
    own = next((line.partition(":")[2].strip() for line in lines if line.lower().startswith("authorization:")), "")
    status, body = api.answer(google, own.partition(" ")[2] or bearer, method, target, content)
    return _told(content_id, status, body)


def _told(content_id: str, status: int, body: Any) -> bytes:
    content = spelled(body)
    # "<" and the "response-" come before the caller's own name of the part
    named = f"Content-ID: <response-{content_id.strip('<>')}>\r\n" if content_id else ""
    head = f"Content-Type: application/http\r\n{named}\r\nHTTP/1.1 {status} {_REASONS.get(status, '')}\r\n"
    kind = f"Content-Type: application/json; charset=UTF-8\r\nContent-Length: {len(content)}\r\n\r\n"
    return (head + kind).encode() + content + b"\r\n"
