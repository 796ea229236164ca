"""A message as the Gmail API shows it: minimal, metadata, full, raw. Pure.

Source: the reference of users.messages (Format, MessagePart). Whether headers come decoded is not written there; here
they do, since a reader must be able to bear that as well as encoded words."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message as Part
from email.parser import BytesParser
from email.policy import compat32
from typing import Any

from simulators.google.mail.box import Message, Record
from simulators.mail.messages import Content, decoded

_ATTACHED_FROM = 8 * 1024  # a larger body is fetched by its id


@dataclass(frozen=True)
class LargeRaw:
    """Stands in a body where base64url is to be written a piece at a time."""

    content: Content

    def pieces(self) -> Iterator[bytes]:
        left = b""
        for piece in self.content.pieces():
            whole = left + piece
            full = len(whole) // 3 * 3
            left = whole[full:]
            yield base64.urlsafe_b64encode(whole[:full])
        yield base64.urlsafe_b64encode(left)


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


def message_of(message: Message, form: str, wanted: list[str]) -> dict[str, Any]:
    """`wanted`: metadataHeaders, all of them where it is empty."""
    body = {
        "id": message.id,
        "threadId": message.thread,
        "labelIds": list(message.labels),
        "snippet": message.content.beginning,
        "historyId": str(message.history),
        "internalDate": str(message.at),
        "sizeEstimate": message.content.size,
    }
    if form == "raw":
        large = message.content.attachment
        body["raw"] = LargeRaw(message.content) if large else encoded(message.content.raw())
    elif form == "metadata":
        body["payload"] = {"mimeType": _kind(message.content), "headers": headers_of(message.content, wanted)}
    elif form == "full":
        body["payload"] = payload(message.content)
    if not body["labelIds"]:
        del body["labelIds"]
    return body


def headers_of(content: Content, wanted: list[str]) -> list[dict[str, str]]:
    names = {name.lower() for name in wanted}
    found = [(name, value) for name, value in content.headers if not names or name.lower() in names]
    return [{"name": name, "value": decoded(value)} for name, value in found]


def _kind(content: Content) -> str:
    return content.header("content-type").partition(";")[0].strip().lower() or "text/plain"


def payload(content: Content) -> dict[str, Any]:
    root = BytesParser(policy=compat32).parsebytes(content.raw())
    body = _part(root, "")
    body["headers"] = headers_of(content, [])
    return body


def parts_of(content: Content) -> dict[str, bytes]:
    """Attachment id -> its bytes."""
    found: dict[str, bytes] = {}

    def visit(part: Part, path: str) -> None:
        if part.is_multipart():
            for number, inner in enumerate(_inner(part)):
                visit(inner, f"{path}.{number}" if path else str(number))
        else:
            found[_attachment_id(path)] = _octets(part)

    visit(BytesParser(policy=compat32).parsebytes(content.raw()), "")
    return found


def _part(part: Part, path: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "partId": path,
        "mimeType": part.get_content_type(),
        "filename": decoded(part.get_filename() or ""),
        "headers": [{"name": name, "value": decoded(str(value))} for name, value in part.items()],
    }
    if part.is_multipart():
        body["body"] = {"size": 0}
        inner = enumerate(_inner(part))
        body["parts"] = [_part(each, f"{path}.{number}" if path else str(number)) for number, each in inner]
        return body
    octets = _octets(part)
    outside = body["filename"] or len(octets) > _ATTACHED_FROM
    where = {"attachmentId": _attachment_id(path)} if outside else {"data": encoded(octets)}
    return body | {"body": {"size": len(octets), **where}}


def _inner(part: Part) -> list[Part]:
    found = part.get_payload()
    return [each for each in found if isinstance(each, Part)] if isinstance(found, list) else []


def _octets(part: Part) -> bytes:
    found = part.get_payload(decode=True)
    return found if isinstance(found, bytes) else b""


def _attachment_id(path: str) -> str:
    return "ANGjdJ" + encoded(path.encode()).rstrip("=")


def record_of(record: Record) -> dict[str, Any]:
    """One record of users.history.list."""
    brief = {"id": record.message, "threadId": record.thread}
    change: dict[str, Any] = {"message": brief | ({"labelIds": list(record.after)} if record.after else {})}
    if record.kind.startswith("labels"):
        change["labelIds"] = list(record.labels)
    return {"id": str(record.id), "messages": [brief], record.kind: [change]}
