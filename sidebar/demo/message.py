"""Reads one .eml file into what the reading pane shows. Mail is hostile: this raises Unreadable only."""

import base64
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.errors import HeaderParseError, MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parsedate_to_datetime
from itertools import groupby
from pathlib import Path

from providers.addresses import Mailbox, parse_addresses
from sidebar.demo.markup import sanitised

LARGEST_FILE = 5_000_000  # bytes
MOST_PARTS = 200
LONGEST_TEXT = 200_000  # characters shown
LARGEST_INLINE_IMAGE = 500_000  # bytes
_INLINE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,990}>")
_ENCODED_WORDS = re.compile(r"=\?", re.ASCII)
_WORST = (MessageError, LookupError, ValueError, TypeError, AttributeError, RecursionError)


class Unreadable(Exception):
    """The file is no mail that can be shown."""


@dataclass(frozen=True, slots=True)
class Attachment:
    name: str
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class Mail:
    """One message. `people` are all correspondents as `"Name" <address>`, the sender first."""

    message_id: str
    references: tuple[str, ...]
    in_reply_to: str  # "" for a machine's own answer too (RFC 3834): it says nothing of its person
    subject: str
    sent_at: datetime
    sender: Mailbox
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...]
    text: str
    html: str  # sanitised; empty where the message has none
    attachments: tuple[Attachment, ...]
    path: Path | None = None  # the file it was read from

    @property
    def people(self) -> tuple[str, ...]:
        unique = {box.key: box for box in (self.sender, *self.to, *self.cc) if box.address}
        return tuple(written(box) for box in unique.values())

    @property
    def sender_header(self) -> str:
        """As the From header has it."""
        return written(self.sender)

    @property
    def preview(self) -> str:
        return " ".join(self.text.split())[:140]

    @property
    def blocks(self) -> list[tuple[bool, str]]:
        """The plain text in runs of (is it quoted, text)."""
        runs = groupby(self.text.splitlines(), key=lambda line: line.startswith(">"))
        return [(quoted, "\n".join(line.lstrip("> ") if quoted else line for line in lines)) for quoted, lines in runs]


def written(box: Mailbox) -> str:
    """The mailbox as RFC 5322 writes it, with any name quoted."""
    if not box.display_name:
        return box.address
    name = box.display_name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{name}" <{box.address}>'


def read_message(raw: bytes) -> Mail:
    """Raises Unreadable for what is too large, too nested, or no mail at all."""
    if len(raw) > LARGEST_FILE or raw.count(b"\n--") > 4 * MOST_PARTS:
        raise Unreadable
    try:
        return _read(message_from_bytes(raw, policy=policy.compat32))
    except _WORST as error:
        raise Unreadable from error


def _read(message: Message) -> Mail:
    parts = [part for _, part in zip(range(MOST_PARTS), message.walk(), strict=False) if not part.is_multipart()]
    html = next((_text_of(part) for part in parts if _is_body(part, "text/html")), "")
    text = next((_text_of(part) for part in parts if _is_body(part, "text/plain")), "")
    clean = sanitised(html, _inline_images(parts)) if html else None
    senders = _mailboxes(message, "From")
    return Mail(
        message_id=next(iter(_ids(message, "Message-ID")), ""),
        references=(*_ids(message, "References"), *_ids(message, "In-Reply-To")),
        in_reply_to="" if _is_automatic(message) else next(iter(_ids(message, "In-Reply-To")), ""),
        subject=_header(message, "Subject") or "(no subject)",
        sent_at=_date(message),
        sender=senders[0] if senders else Mailbox(address=""),
        to=_mailboxes(message, "To"),
        cc=_mailboxes(message, "Cc"),
        text=(text or (clean.text if clean else "")).strip()[:LONGEST_TEXT],
        html=clean.html if clean else "",
        attachments=tuple(_attachments(parts)),
    )


def _is_automatic(message: Message) -> bool:
    return _header(message, "Auto-Submitted").strip().lower() not in ("", "no")


def _is_body(part: Message, kind: str) -> bool:
    return part.get_content_type() == kind and part.get_content_disposition() != "attachment"


def _payload(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _text_of(part: Message) -> str:
    """The part's text; an unknown or lying charset gives replacement characters, not an error."""
    charset = str(part.get_content_charset() or "utf-8").replace("\0", "")
    try:
        return _payload(part).decode(charset, "replace")
    except (LookupError, ValueError):
        return _payload(part).decode("utf-8", "replace")


def _raw_header(message: Message, name: str) -> str:
    """All headers of that name in one. `get_all` would spoil raw UTF-8 (RFC 6532), kept as surrogates."""
    values = [str(value) for key, value in message.raw_items() if key.lower() == name.lower()]
    joined = ", ".join(values)[:100_000]
    return joined.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _header(message: Message, name: str) -> str:
    raw = _raw_header(message, name)
    if len(_ENCODED_WORDS.findall(raw)) > 100:  # Python decodes encoded words in quadratic time
        return raw[:998]
    try:
        decoded = str(make_header(decode_header(raw)))
    except (HeaderParseError, LookupError, ValueError):
        decoded = raw
    return " ".join(decoded.split())[:998]


def _mailboxes(message: Message, name: str) -> tuple[Mailbox, ...]:
    found, _ = parse_addresses([_raw_header(message, name)])
    return tuple(found)


def _ids(message: Message, name: str) -> list[str]:
    return _MESSAGE_ID.findall(_raw_header(message, name))[:40]


def _date(message: Message) -> datetime:
    try:
        sent = parsedate_to_datetime(_raw_header(message, "Date"))
        return sent.astimezone(UTC) if sent.tzinfo else sent.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return datetime(1970, 1, 1, tzinfo=UTC)


def _attachments(parts: list[Message]) -> Iterator[Attachment]:
    for part in parts:
        name = _filename(part)
        if name and not (part.get("Content-ID") and part.get_content_type() in _INLINE_TYPES):
            yield Attachment(name, len(_payload(part)))


def _filename(part: Message) -> str:
    """The last component only, without control or direction characters: a name is shown, never opened."""
    raw = str(part.get_filename() or "")
    with suppress(HeaderParseError, LookupError, ValueError):
        raw = str(make_header(decode_header(raw)))
    name = re.split(r"[\\/]", raw)[-1]
    return "".join(letter for letter in name if letter.isprintable() and letter not in "\u202a\u202b\u202d\u202e")[:120]


def _inline_images(parts: list[Message]) -> dict[str, str]:
    """Content-ID -> data: address. Nothing inside a message is fetched from anywhere."""
    images = {}
    for part in parts:
        content_id = str(part.get("Content-ID", "")).strip(" <>")
        if content_id and part.get_content_type() in _INLINE_TYPES:
            payload = _payload(part)[:LARGEST_INLINE_IMAGE]
            images[content_id] = f"data:{part.get_content_type()};base64,{base64.b64encode(payload).decode()}"
    return images
