"""Salesforce record ids: 15 characters that heed case, 18 with the checksum. Knows no records."""

import re

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_FORM = re.compile(r"^[0-9A-Za-z]{15}(?:[A-Z0-5]{3})?$", re.ASCII)


def checksum(fifteen: str) -> str:
    """The three characters that tell which of the fifteen are capitals, five at a time."""
    out = ""
    for start in (0, 5, 10):
        bits = sum(1 << i for i, c in enumerate(fifteen[start : start + 5]) if "A" <= c <= "Z")
        out += _CHECK[bits]
    return out


def make_id(prefix: str, pod: str, number: int) -> str:
    """An 18-character id: three of key prefix, two of pod, four zeros and the number in base 62."""
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = _BASE62[rest] + digits
    fifteen = prefix + pod + "0" * (10 - len(digits)) + digits
    return fifteen + checksum(fifteen)


def full_id(text: str) -> str | None:
    """The 18-character form of an id of 15 or 18; None when it is not an id (18: checksum must fit)."""
    if not _FORM.match(text):
        return None
    whole = text[:15] + checksum(text[:15])
    return whole if len(text) == 15 or text == whole else None
