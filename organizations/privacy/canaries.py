"""Texts that stand nowhere else, put into mails and records so that whatever keeps them can be found.

A finding names what a canary stood for, never the canary."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from organizations.privacy.needles import SHORTEST, Needles
from organizations.privacy.shapes import forms_of

_MARK, _BYTES = "canary", 24
#: Sixteen digits are eight random bytes: chance writes none.
_PIECE = 16


class TooShort(ValueError):
    """A text that chance could write; the message says how long it must be."""


@dataclass
class Canaries:
    """`given`: what each stood for -> the canary."""

    given: dict[str, str] = field(default_factory=dict, repr=False)

    def new(self, what: str) -> str:
        """A word that an address, a name of a host, a header and a search take: small letters and digits. Another one
        for the same `what` is numbered."""
        name = what if what not in self.given else f"{what} ({len(self.given)})"
        self.given[name] = f"{_MARK}{secrets.token_hex(_BYTES)}"
        return self.given[name]

    def needles(self) -> Needles:
        """Each in pieces: one is left whole where a text was cut, or a line broken in a way that we do not know."""
        named: dict[bytes, str] = {}
        for what, text in self.given.items():
            for start in range(len(_MARK), len(text), _PIECE):
                piece = text[start : start + _PIECE]
                named |= {shape: f"{what}, {form}" for shape, form in forms_of(piece).items()}
        return Needles(named)


def needles_for(texts: Iterable[str]) -> Needles:
    """Of texts that somebody else sent on their way: numbered, since they may be anything. Raises TooShort."""
    named: dict[bytes, str] = {}
    for number, text in enumerate(texts, 1):
        if len(text.encode()) < SHORTEST:
            raise TooShort(f"Text {number} is too short to look for: {SHORTEST} bytes at least.")
        for spelled in dict.fromkeys((text, text.lower())):
            named |= {shape: f"text {number}, {form}" for shape, form in forms_of(spelled).items()}
    return Needles(named)
