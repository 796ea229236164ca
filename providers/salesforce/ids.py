"""Salesforce record ids, object and field names: checked before they go into a path or query (hardening.md BI-A7)."""

import re
from typing import Any

from providers.errors import NotFound

_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
_CHECK_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def checksum(first_fifteen: str) -> str:
    """The three letters that make a case-sensitive 15-character id safe where case is lost."""
    chunks = (first_fifteen[n : n + 5] for n in (0, 5, 10))
    return "".join(_CHECK_LETTERS[sum(char.isupper() << n for n, char in enumerate(chunk))] for chunk in chunks)


def record_id(text: str, key_prefix: str = "") -> str:
    """The 18-character id, or NotFound: wrong length, checksum or (where known) the object's prefix."""
    if not isinstance(text, str) or not _ID.fullmatch(text) or not text.startswith(key_prefix):
        raise NotFound("No such Salesforce record.", provider="salesforce")
    whole = text[:15] + checksum(text[:15])
    if len(text) == 18 and text[15:].upper() != whole[15:]:
        raise NotFound("No such Salesforce record.", provider="salesforce")
    return whole


def made(answer: Any) -> str:
    """The id in the answer to a create. ValueError where there is none: no NotFound, since the record may be there."""
    try:
        return record_id(answer["id"])
    except (NotFound, KeyError, TypeError):
        raise ValueError("no id in the answer to a create") from None


def object_name(text: str) -> str:
    """An API name of an object, or NotFound."""
    if not isinstance(text, str) or not _NAME.fullmatch(text):
        raise NotFound("No such Salesforce object.", provider="salesforce")
    return text


def is_field_name(text: object) -> bool:
    return isinstance(text, str) and _NAME.fullmatch(text) is not None
