"""JSON as Google's servers spell it: indented, and with what matters to HTML escaped ("\\u003c", "\\u003d").

Seen in recorded answers of the Gmail API: sigparser.com/developers/email-parsing/gmail-api."""

from typing import Any

import orjson

_ESCAPED = {sign: b"\\u%04x" % ord(sign) for sign in (b"<", b">", b"&", b"=", b"'")}


def spelled(body: Any) -> bytes:
    """None is an empty body. These signs occur in strings only, so the whole text may be searched for them."""
    if body is None:
        return b""
    text = orjson.dumps(body, option=orjson.OPT_INDENT_2) + b"\n"
    for sign, escape in _ESCAPED.items():
        text = text.replace(sign, escape)
    return text
