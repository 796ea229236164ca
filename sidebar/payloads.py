"""What the sidebar's calls may carry, checked before any rule sees it. Messages never repeat what was sent."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from rest_framework.exceptions import ParseError, ValidationError

MOST_STRINGS = 100
MOST_FIELDS = 200
#: Bytes of a body; the longest text field of Salesforce holds 131,072 characters.
LARGEST_BODY = 256 * 1024
#: Of a whole message, read as it comes. Gmail takes 50 MB, Exchange Online up to 150 MB.
LARGEST_MAIL = 150_000_000
MAIL = "message/rfc822"
LONGEST_SEARCH = 200
LONGEST_SENDER = 1000

OBJECT = r"[A-Za-z][A-Za-z0-9_]{0,79}"
RECORD_ID = r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?"
#: The first three characters of the ids of objects that are the same in every Salesforce org.
PREFIXES = {
    "Account": "001",
    "Contact": "003",
    "Opportunity": "006",
    "Lead": "00Q",
    "Task": "00T",
    "Event": "00U",
    "Case": "500",
}
_OBJECT = re.compile(OBJECT)
_RECORD_ID = re.compile(RECORD_ID)


def addresses(body: Any, *others: str) -> list[str]:
    """`addresses`: 1 to 100 strings. `others`: what else the body may hold."""
    given = _member(body, "addresses", *others)
    if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
        raise _invalid("addresses", "Give a list of strings.")
    if not 1 <= len(given) <= MOST_STRINGS:
        raise _invalid("addresses", f"Give 1 to {MOST_STRINGS} addresses.")
    return given


def refresh(body: Mapping[str, Any]) -> bool:
    """`refresh`: optional, false when left out."""
    given = body.get("refresh", False)
    if not isinstance(given, bool):
        raise _invalid("refresh", "Give true or false.")
    return given


class Mail(NamedTuple):
    """As much of a mail as its signature is read from."""

    text: str
    html: str
    sender: str


def mail(body: Any) -> Mail:
    """`text`, `html` and `sender` (the From header's value), each of which may be left out."""
    if not isinstance(body, dict):
        raise ParseError("Send a JSON object.")
    if not body.keys() <= set(Mail._fields):
        raise _invalid("", "The body holds a member that does not exist.")
    for name in Mail._fields:
        if not isinstance(body.get(name, ""), str):
            raise _invalid(name, "Give a text.")
    if len(body.get("sender", "")) > LONGEST_SENDER:
        raise _invalid("sender", f"Give at most {LONGEST_SENDER} characters.")
    return Mail(*(body.get(name, "") for name in Mail._fields))


def values(body: Any) -> dict[str, Any]:
    """`values`: 1 to 200 fields with a text, number, true, false or null each."""
    given = _member(body, "values")
    if not isinstance(given, dict) or not 1 <= len(given) <= MOST_FIELDS:
        raise _invalid("values", f"Give an object with 1 to {MOST_FIELDS} fields.")
    for name, value in given.items():
        if not _OBJECT.fullmatch(name):
            raise _invalid("values", "A name is not the API name of a field.")
        if value is not None and not isinstance(value, str | int | float | bool):
            raise _invalid(f"values.{name}", "Give a text, a number, true, false or null.")
    return given


def object_name(text: str) -> str:
    """The API name of an object, such as Contact."""
    if not _OBJECT.fullmatch(text):
        raise _invalid("object", "This is not the API name of an object.")
    return text


def record_id(object_: str, text: str) -> str:
    """A Salesforce id of 15 or 18 characters that can belong to such an object."""
    if not _RECORD_ID.fullmatch(text):
        raise _invalid("id", "A Salesforce id has 15 or 18 letters and digits.")
    if not text.startswith(PREFIXES.get(object_, "")):
        raise _invalid("id", f"This is not the id of such an object: {PREFIXES[object_]} comes first.")
    return text


def search_text(query: Mapping[str, str]) -> str:
    """`q`: 2 to 200 characters."""
    text = query.get("q")
    if text is None or not 2 <= len(text) <= LONGEST_SEARCH or "\x00" in text:
        raise _invalid("q", f"Give 2 to {LONGEST_SEARCH} characters to search for.")
    return text


def _member(body: Any, name: str, *others: str) -> Any:
    """`body[name]`. A member that is neither this nor one of `others` is an error, not ignored (BI-G5)."""
    if not isinstance(body, dict):
        raise ParseError("Send a JSON object.")
    if name not in body:
        raise _invalid(name, "This is required.")
    if not body.keys() <= {name, *others}:
        raise _invalid("", "The body holds a member that does not exist.")
    return body[name]


def _invalid(field: str, message: str) -> ValidationError:
    return ValidationError({field: [message]})
