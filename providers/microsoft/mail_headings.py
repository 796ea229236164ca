"""A message of Graph without its content, as headers: the ones it arrived with, or what its properties say.

A message that was sent from here never passed a transport and has no `internetMessageHeaders`
(learn.microsoft.com/graph/api/resources/message), so its headers are made of properties; References, In-Reply-To,
sensitivity and size are to be had as extended properties only (MS-OXPROPS: 0x1039, 0x1042, 0x0036, 0x0E08). Graph gives
their ids back in another spelling than they were asked in (`Integer 0xe08`)."""

from collections.abc import Iterator, Mapping
from email.charset import Charset
from email.utils import format_datetime
from typing import Any

from providers.mail import Heading
from providers.microsoft.mail_changes import instant
from providers.microsoft.mail_failures import nonsense
from providers.microsoft.mail_wire import text

_PROPERTIES = (
    "id,conversationId,parentFolderId,receivedDateTime,sentDateTime,isDraft,internetMessageId,internetMessageHeaders,"
    "subject,from,replyTo,toRecipients,ccRecipients,bccRecipients"
)
_SIZE, _SENSITIVITY, _REFERENCES, _IN_REPLY_TO = (
    ("integer", 0x0E08),
    ("integer", 0x0036),
    ("string", 0x1039),
    ("string", 0x1042),
)
_EXTENDED = " or ".join(
    f"id eq '{kind.title()} 0x{tag:04X}'" for kind, tag in (_SIZE, _SENSITIVITY, _REFERENCES, _IN_REPLY_TO)
)
#: What a heading is read from.
QUERY = f"$select={_PROPERTIES}&$expand=singleValueExtendedProperties($filter={_EXTENDED})"
#: MS-OXCMSG 2.2.1.12 PidTagSensitivity; the words of RFC 4021.
_SENSITIVITIES = {"1": "Personal", "2": "Private", "3": "Company-Confidential"}
_WANTED = frozenset(
    {"from", "to", "cc", "bcc", "reply-to", "subject", "date", "message-id", "references", "in-reply-to"}
    | {"auto-submitted", "list-id", "sensitivity", "x-auto-response-suppress"}
)
_UTF8 = Charset("utf-8")
_MOST_HEADERS = 500
_MOST_DIGITS = 16
_Extended = Mapping[tuple[str, int], str]


def heading(id_: str, entry: Mapping[str, Any]) -> Heading:
    """`entry`: the answer to `QUERY`. `id_`: as it was asked for, perhaps by one that lasts no move; the answer has the
    immutable one. Raises Transient where it is none."""
    extended = _extended(entry)
    arrived = list(_arrived(entry))
    names = {name for name, _ in arrived}
    made = [(name, value) for name, value in _made(entry, extended) if value and name not in names]
    folder = text(entry, "parentFolderId")
    return Heading(
        id=text(entry, "id") or id_,
        thread_id=text(entry, "conversationId"),
        folders=(folder,) if folder else (),
        received_at=instant(text(entry, "receivedDateTime") or text(entry, "sentDateTime")),
        size=_number(extended.get(_SIZE, "")),
        is_draft=entry.get("isDraft") is True,
        headers=(*arrived, *made),
    )


def _arrived(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    found = entry.get("internetMessageHeaders")
    for each in (found if isinstance(found, list) else [])[:_MOST_HEADERS]:
        if not isinstance(each, dict):
            raise nonsense()
        if (name := text(each, "name").lower()) in _WANTED:
            yield name, text(each, "value")


def _made(entry: Mapping[str, Any], extended: _Extended) -> Iterator[tuple[str, str]]:
    """The same headers from properties; "" where there is nothing to say."""
    yield "from", _address(entry.get("from"))
    for name, key in (
        ("to", "toRecipients"),
        ("cc", "ccRecipients"),
        ("bcc", "bccRecipients"),
        ("reply-to", "replyTo"),
    ):
        found = entry.get(key)
        yield name, ", ".join(filter(None, map(_address, found if isinstance(found, list) else [])))
    yield "subject", _encoded(text(entry, "subject"))
    sent = text(entry, "sentDateTime")
    yield "date", format_datetime(instant(sent)) if sent else ""
    yield "message-id", text(entry, "internetMessageId")
    yield "references", extended.get(_REFERENCES, "")
    yield "in-reply-to", extended.get(_IN_REPLY_TO, "")
    yield "sensitivity", _SENSITIVITIES.get(extended.get(_SENSITIVITY, ""), "")


def _address(recipient: Any) -> str:
    """`"Jane Doe" <jane@x.example>`. What stands in angle brackets may be no address at all (an Exchange name)."""
    found = recipient.get("emailAddress") if isinstance(recipient, dict) else None
    if not isinstance(found, dict) or not text(found, "address"):
        return ""
    name, address = text(found, "name"), " ".join(text(found, "address").split())
    if not name or name == address:
        return address
    return f"{_phrase(name)} <{address}>"


def _phrase(name: str) -> str:
    if not name.isascii():
        return _encoded(name)
    escaped = _one_line(name).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _encoded(value: str) -> str:
    """RFC 2047 where it is not ASCII; never a line end."""
    line = _one_line(value)
    return line if line.isascii() else _UTF8.header_encode(line)


def _one_line(value: str) -> str:
    return " ".join(value.splitlines())


def _extended(entry: Mapping[str, Any]) -> _Extended:
    """By kind and tag, whatever their spelling."""
    found = entry.get("singleValueExtendedProperties")
    properties = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    return {key: text(each, "value") for each in properties if (key := _key(text(each, "id")))}


def _number(said: str) -> int:
    return int(said) if said.isascii() and said.isdecimal() and len(said) < _MOST_DIGITS else 0


def _key(said: str) -> tuple[str, int] | None:
    kind, _, tag = said.lower().partition(" ")
    try:
        return ("integer" if kind == "long" else kind), int(tag, 16)
    except ValueError:
        return None
