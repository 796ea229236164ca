"""Messages and folders as Graph shows them. Source: learn.microsoft.com/graph/api/resources/message, /mailfolder."""

import base64
import email
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default
from email.utils import getaddresses, parsedate_to_datetime
from typing import Any

from simulators.mail.messages import Content, decoded
from simulators.microsoft.mail.box import Box, Folder, Message

Json = dict[str, Any]
FOLDER = ("id", "displayName", "parentFolderId", "childFolderCount", "unreadItemCount", "totalItemCount", "isHidden")
#: `[MS-OXCMSG]` 2.2.1.12
_SENSITIVITIES = {"personal": "1", "private": "2", "company-confidential": "3"}
#: Only on `$select`.
_ON_REQUEST = ("internetMessageHeaders", "uniqueBody")


def stamp(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def message_json(message: Message, name: str, select: tuple[str, ...], properties: tuple[str, ...]) -> Json:
    """`name`: its id as the caller wants it. `id` is always there."""
    wanted = select or tuple(key for key in MESSAGE if key not in _ON_REQUEST)
    shown: Json = {"@odata.etag": f'W/"{_change_key(message)}"', "id": name}
    shown |= {key: MESSAGE[key](message) for key in wanted if key != "id"}
    if shown.get("internetMessageHeaders", ()) is None:
        del shown["internetMessageHeaders"]
    if properties:
        shown["singleValueExtendedProperties"] = list(filter(None, (_extended(message, each) for each in properties)))
    return shown


def folder_json(box: Box, folder: Folder, select: tuple[str, ...] = ()) -> Json:
    inside = box.contents[folder.id].values()
    whole: Json = {
        "id": folder.id,
        "displayName": folder.name,
        "parentFolderId": folder.parent or f"{folder.id[:-8]}AAAROOT=",
        "childFolderCount": len(box.children(folder.id)),
        "unreadItemCount": sum(not message.is_read for message in inside),
        "totalItemCount": len(inside),
        "isHidden": False,
    }
    kind = {"@odata.type": "#microsoft.graph.mailSearchFolder"} if folder.is_search else {}
    return kind | {key: value for key, value in whole.items() if key == "id" or not select or key in select}


def _recipients(name: str) -> Callable[[Message], list[Json]]:
    def read(message: Message) -> list[Json]:
        found = getaddresses([message.content.header(name)])
        return [{"emailAddress": {"name": decoded(n) or a, "address": a}} for n, a in found if a]

    return read


def _first(name: str) -> Callable[[Message], Json | None]:
    return lambda message: next(iter(_recipients(name)(message)), None)


def _headers(message: Message) -> list[Json] | None:
    """What was never on a transport has none."""
    if not message.has_arrived:
        return None
    return [{"name": name, "value": value} for name, value in message.content.headers]


def _sent(message: Message) -> str:
    try:
        return stamp(parsedate_to_datetime(message.content.header("date")).timestamp())
    except (ValueError, OverflowError):
        return stamp(message.received_at)


def _body(message: Message) -> Json:
    parsed = email.message_from_bytes(message.content.raw(), EmailMessage, policy=default)
    part = parsed.get_body(("html", "plain"))
    try:
        text = part.get_content() if part else ""
    except (LookupError, ValueError):
        text = ""
    is_html = part is not None and part.get_content_type() == "text/html"
    return {"contentType": "html" if is_html else "text", "content": text}


def _has_attachments(content: Content) -> bool:
    return content.header("content-type").lower().startswith("multipart/mixed")


def _change_key(message: Message) -> str:
    digest = hashlib.sha256(f"{message.id}:{message.version}:{message.is_read}".encode()).digest()
    return base64.b64encode(b"\x09\x00\x00\x00" + digest[:20]).decode()


def _extended(message: Message, asked: str) -> Json | None:
    """Its id comes back without leading zeros and in lower case (`Integer 0xe08`)."""
    kind, _, tag = asked.partition(" ")
    number, content = int(tag, 16), message.content
    value = {
        0x0E08: str(content.size),
        0x0036: _SENSITIVITIES.get(content.header("sensitivity").lower(), "0"),
        0x1039: content.header("references"),
        0x1042: content.header("in-reply-to"),
    }.get(number, "")
    return {"id": f"{kind.title()} {number:#x}", "value": value} if value else None


MESSAGE: dict[str, Callable[[Message], Any]] = {
    "id": lambda m: m.id,
    "createdDateTime": lambda m: stamp(m.received_at),
    "lastModifiedDateTime": lambda m: stamp(m.received_at),
    "changeKey": _change_key,
    "categories": lambda _: [],
    "receivedDateTime": lambda m: stamp(m.received_at),
    "sentDateTime": _sent,
    "hasAttachments": lambda m: _has_attachments(m.content),
    "internetMessageId": lambda m: m.content.header("message-id"),
    "internetMessageHeaders": _headers,
    "subject": lambda m: decoded(m.content.header("subject")),
    "bodyPreview": lambda m: _body(m)["content"][:255],
    "importance": lambda _: "normal",
    "parentFolderId": lambda m: m.folder,
    "conversationId": lambda m: m.conversation,
    "conversationIndex": lambda m: base64.b64encode(hashlib.sha256(m.conversation.encode()).digest()[:22]).decode(),
    "isDeliveryReceiptRequested": lambda _: False,
    "isReadReceiptRequested": lambda _: False,
    "isRead": lambda m: m.is_read,
    "isDraft": lambda m: m.is_draft,
    "webLink": lambda m: f"https://outlook.office365.com/owa/?ItemID={m.id}&exvsurl=1&viewmodel=ReadMessageItem",
    "inferenceClassification": lambda _: "focused",
    "body": _body,
    "uniqueBody": _body,
    "sender": _first("from"),
    "from": _first("from"),
    "toRecipients": _recipients("to"),
    "ccRecipients": _recipients("cc"),
    "bccRecipients": _recipients("bcc"),
    "replyTo": _recipients("reply-to"),
    "flag": lambda _: {"flagStatus": "notFlagged"},
}
