"""Cuts a SOQL text into tokens. A string token keeps its raw text: escapes mean other things in LIKE."""

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<string>'(?:[^'\\]|\\.)*')
    |(?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
    |(?P<date>\d{4}-\d\d-\d\d(?![\dT]))
    |(?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\s*\.\s*[A-Za-z_][A-Za-z0-9_]*)*)
    |(?P<op><=|>=|!=|<>|=|<|>)
    |(?P<punct>[(),:])""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}


@dataclass(frozen=True, slots=True)
class Token:
    kind: str  # string, datetime, date, number, name, op, punct, end
    text: str
    at: int

    @property
    def word(self) -> str:
        """Upper-case text of a name, for comparing with keywords."""
        return self.text.upper() if self.kind == "name" else ""


class SoqlError(Exception):
    """`at` is the offset in the query that Salesforce would point to; None where it points nowhere."""

    def __init__(self, message: str, at: int | None = None, code: str = "MALFORMED_QUERY") -> None:
        super().__init__(message)
        self.message, self.at, self.code = message, at, code

    def located(self, text: str) -> str:
        """The message as Salesforce words it: an excerpt, a caret, row and column."""
        if self.at is None:
            return self.message
        before = text[: self.at]
        row, column = before.count("\n") + 1, self.at - (before.rfind("\n") + 1) + 1
        start = max(0, self.at - 30)
        excerpt = text[start : self.at + 40].replace("\n", " ")
        return f"\n{excerpt}\n{' ' * (self.at - start)}^\nERROR at Row:{row}:Column:{column}\n{self.message}"


def tokens_of(text: str) -> list[Token]:
    out, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _stray(text, at)
        kind = match.lastgroup or ""
        if kind != "space":
            value = re.sub(r"\s", "", match.group()) if kind == "name" else match.group()
            out.append(Token(kind, value, at))
        at = match.end()
    out.append(Token("end", "", len(text)))
    return out


def _stray(text: str, at: int) -> SoqlError:
    if text[at] == "'":
        return SoqlError(f"line 1:{len(text)} mismatched character '<EOF>' expecting '''")
    return SoqlError(f"line 1:{at} no viable alternative at character '{text[at]}'")


def unescape(raw: str, at: int, like: bool = False) -> str:
    """The value of a string token. For LIKE, an escaped % or _ comes out as backslash and character."""
    out, inner, i = [], raw[1:-1], 0
    if "\\" not in inner:
        return inner
    while i < len(inner):
        c = inner[i]
        if c != "\\":
            out.append(c)
            i += 1
            continue
        follow = inner[i + 1]
        if follow in "%_":
            out.append("\\" + follow if like else follow)
        elif follow == "u" and re.fullmatch(r"[0-9a-fA-F]{4}", inner[i + 2 : i + 6]):
            out.append(chr(int(inner[i + 2 : i + 6], 16)))
            i += 4
        elif follow in _ESCAPES:
            out.append("\\\\" if like and follow == "\\" else _ESCAPES[follow])
        else:
            raise SoqlError(
                f"Invalid string literal '{inner}'. Illegal character sequence '\\{follow}' in string literal.", at
            )
        i += 2
    return "".join(out)
