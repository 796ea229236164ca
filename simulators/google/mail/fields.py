"""Partial answers: `fields=id,payload/headers,history(id,messagesAdded/message(id,labelIds))`.

Source: developers.google.com/workspace/gmail/api/guides/performance#partial-response."""

import re
from typing import Any

from simulators.google.mail.errors import invalid

Mask = dict[str, "Mask"]
_TOKENS = re.compile(r"[A-Za-z0-9_*@.]+|[,/()]")


def masked(body: Any, fields: str) -> Any:
    """`body` with the named fields only; a name that does not exist is refused."""
    return _kept(body, parsed(fields)) if fields else body


def parsed(text: str) -> Mask:
    tokens = _TOKENS.findall(text)
    if "".join(tokens) != text:
        raise invalid(f"Invalid field selection {text}")
    mask = _list(tokens)
    if tokens:
        raise invalid(f"Invalid field selection {text}")
    return mask


def _list(tokens: list[str]) -> Mask:
    mask: Mask = {}
    while tokens:
        name = tokens.pop(0)
        if not name[0].isalnum() and name != "*":
            raise invalid(f"Invalid field selection {name}")
        mask.setdefault(name, {}).update(_below(tokens))
        if not tokens or tokens[0] != ",":
            break
        tokens.pop(0)
    return mask


def _below(tokens: list[str]) -> Mask:
    if tokens and tokens[0] == "/":
        tokens.pop(0)
        name = tokens.pop(0) if tokens else ""
        return {name: _below(tokens)}
    if tokens and tokens[0] == "(":
        tokens.pop(0)
        inner = _list(tokens)
        if not tokens or tokens.pop(0) != ")":
            raise invalid("Invalid field selection")
        return inner
    return {}


def _kept(body: Any, mask: Mask) -> Any:
    if not mask or "*" in mask:
        return body
    if isinstance(body, list):
        return [_kept(each, mask) for each in body]
    if isinstance(body, dict):
        return {name: _kept(body[name], below) for name, below in mask.items() if name in body}
    return body
