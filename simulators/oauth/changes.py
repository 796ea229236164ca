"""Changing the fields of a simulator's own object as a test's JSON says. No I/O."""

from dataclasses import fields
from typing import Any


def change(thing: Any, body: dict[str, Any]) -> dict[str, Any]:
    """Sets the named fields, each of the kind it had; all of them afterwards. Raises ValueError for unknown ones."""
    known = {each.name for each in fields(thing)}
    if unknown := set(body) - known:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(sorted(known))}")
    for name, value in body.items():
        setattr(thing, name, type(getattr(thing, name))(value))
    return {name: getattr(thing, name) for name in sorted(known)}
