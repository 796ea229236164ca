"""JSON from strangers: small, shallow, finite, and storable by PostgreSQL. One rule for every door of the API."""

from typing import Any

import orjson

MAX_DEPTH = 32


class BadJson(ValueError):
    """The body is refused; the message is a sentence for its sender."""


def load(body: bytes) -> Any:
    """Parse `body` (orjson refuses NaN, infinities, lone surrogates and a byte order mark). Raises BadJson for anything but finite, NUL-free UTF-8 JSON at most MAX_DEPTH deep."""
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
    depth, quoted, escaped = 0, False, False
    for byte in body:
        if quoted:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                quoted = False
        elif byte == 0x22:
            quoted = True
        elif byte in (0x5B, 0x7B):
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif byte in (0x5D, 0x7D):
            depth -= 1
    return False


def has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any("\x00" in key or has_nul(inner) for key, inner in value.items())
    return isinstance(value, list) and any(has_nul(inner) for inner in value)
