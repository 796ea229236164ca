"""Whether two values of a Salesforce field are the same, however a client and the API spell them. Pure."""

from datetime import datetime
from typing import Any


def is_same(one: Any, other: Any) -> bool:
    """An empty text is none; numbers, and moments with their zones, count and not their spelling."""
    if _is_empty(one) or _is_empty(other):
        return _is_empty(one) and _is_empty(other)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(_plain(one) == _plain(other))


def _is_empty(value: Any) -> bool:
    return value is None or value == ""


def _plain(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = value.strip().replace("\r\n", "\n")
    if len(text) < len("2026-11-22T09:12") or text[10:11] != "T":
        return text
    try:
        moment = datetime.fromisoformat(text)
        return moment.timestamp() if moment.tzinfo else text
    except (ValueError, OverflowError):
        return text
