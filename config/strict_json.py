"""JSON from strangers: small, shallow, finite, and storable by PostgreSQL. One rule for every door of the API."""

import re
from typing import Any

import orjson

MAX_DEPTH = 32
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


class BadJson(ValueError):
    """The body is refused; the message is a sentence for its sender."""


def load(body: bytes) -> Any:
    """Parse `body`. Raises BadJson for anything but NUL-free UTF-8 JSON at most MAX_DEPTH deep.

    orjson itself refuses NaN, infinities, lone surrogates and a byte order mark."""
    if too_deep(body):
        raise BadJson(f"The body is nested deeper than {MAX_DEPTH} levels.")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadJson("The body is not JSON.") from None
    if b"\\u0000" in body and has_nul(value):
        raise BadJson("A text holds a NUL character.")
    return value


def too_deep(body: bytes) -> bool:
    """Whether brackets outside strings nest deeper than MAX_DEPTH. Linear; cheap for ordinary bodies."""
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return False
    depth = 0
    for byte in _STRINGS.sub(b"", body):
        if byte in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif byte in b"]}":
            depth -= 1
    return False


def has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any("\x00" in key or has_nul(inner) for key, inner in value.items())
    return isinstance(value, list) and any(has_nul(inner) for inner in value)
