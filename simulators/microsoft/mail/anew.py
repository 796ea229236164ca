"""The Date of a message's MIME as Exchange writes it when asked: it keeps the instant, not the text.

Source: learn.microsoft.com, "EWS, MIME, and the missing Internet message headers"."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from simulators.mail.messages import Content

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_DATE = re.compile(rb"^(date:)[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*", re.IGNORECASE | re.MULTILINE)


def pieces(content: Content) -> Iterator[bytes]:
    """The message; everything but the first Date of its head byte for byte, and that where it names no instant."""
    given = content.pieces()
    first = next(given, b"")  # has the whole head
    end = _HEAD_END.search(first)
    cut = end.start() if end else len(first)
    moment = _moment(content.header("date"))
    head = first[:cut] if moment is None else _DATE.sub(rb"\1 " + _written(moment), first[:cut], count=1)
    yield head
    yield first[cut:]
    yield from given


def _moment(text: str) -> datetime | None:
    """In a zone that is unknown or missing it is UTC (RFC 5322 3.3, 4.3)."""
    try:
        found = parsedate_to_datetime(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _written(moment: datetime) -> bytes:
    return format_datetime(moment).encode()
