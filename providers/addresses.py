"""Email addresses as mail clients hand them over (RFC 5322, IDN). Pure: no I/O, linear time, never raises on a str."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header, make_header

import idna

LONGEST_INPUT = 100_000  # characters; a To header with a thousand people stays below
LONGEST_ADDRESS = 254  # RFC 5321 4.5.3.1.3, less the angle brackets
LONGEST_LOCAL_PART = 64
LONGEST_DOMAIN = 253
LONGEST_NAME = 200

_SPACE = " \t\r\n"
_TO_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
#: The three characters that NFC makes ASCII: Greek question mark, Greek varia, Kelvin sign.
_DISGUISES = re.compile("([\u037e\u1fef\u212a])")
_SPECIALS = frozenset('()<>[]:;@\\,."')
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_ATOM = re.compile(r"[^\s()<>\[\]:;@\\,.\"]+")
_PLAIN_LOCAL_PART = re.compile(r"[^\s()<>\[\]:;@\\,\".]+(?:\.[^\s()<>\[\]:;@\\,\".]+)*")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One correspondent. `address` keeps the local part as written; the domain is lower-case A-labels.

    `input_index` says which of the given strings it came from."""

    address: str
    display_name: str = ""
    input_index: int = 0

    @property
    def key(self) -> str:
        """The address folded: two mailboxes with one key are one correspondent."""
        return fold(self.address)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # "atom", "quoted", "special"
    text: str
    spaced: bool  # white space or a comment stood before it


class _MalformedError(ValueError):
    """Not RFC 5322; never leaves this module."""


def parse_addresses(strings: Sequence[str]) -> tuple[list[Mailbox], list[int]]:
    """All mailboxes in `strings` (each an address, `"Doe, Jane" <j@x>`, a list or a group), in order, each once.

    The second list holds the indices of those strings that are, in whole or in part, no addresses."""
    seen: dict[str, Mailbox] = {}
    invalid: list[int] = []
    for index, text in enumerate(strings):
        found, is_clean = _parse_one(text, index)
        for mailbox in found:
            seen.setdefault(mailbox.key, mailbox)
        if not is_clean:
            invalid.append(index)
    return list(seen.values()), invalid


def fold(text: str) -> str:
    """What is compared of an address, ours or the CRM's: NFC, with ASCII letters in lower case and no other letter
    changed. Unicode's case folding makes `finance` of a ligature and `k` of a Kelvin sign: another person."""
    if text.isascii():
        return text.lower()
    return "".join(_folded(part) for part in _DISGUISES.split(text))


def _folded(text: str) -> str:
    if _DISGUISES.fullmatch(text):
        return text
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).translate(_TO_LOWER))


def base_address(address: str) -> str:
    """`jane+news@x` -> `jane@x`. A quoted local part has no tag."""
    local, _, domain = address.rpartition("@")
    stem = local.partition("+")[0]
    return address if local.startswith('"') or not stem else f"{stem}@{domain}"


def _parse_one(text: str, index: int) -> tuple[list[Mailbox], bool]:
    if len(text) > LONGEST_INPUT:
        return [], False
    try:
        tokens = list(_tokens(text))
    except _MalformedError:
        return [], False
    found: list[Mailbox] = []
    is_clean = bool(tokens)
    for entry in _entries(tokens):
        try:
            found.append(_mailbox(entry, index))
        except _MalformedError:
            is_clean = False
    return found, is_clean


def _tokens(text: str) -> Iterator[_Token]:
    at, spaced = 0, False
    while at < len(text):
        char = text[at]
        if char in _SPACE:
            at, spaced = at + 1, True
        elif char == "(":
            at, spaced = _end_of_comment(text, at), True
        elif char == '"':
            end, content = _quoted(text, at)
            yield _Token("quoted", content, spaced)
            at, spaced = end, False
        elif char in _SPECIALS:
            yield _Token("special", char, spaced)
            at, spaced = at + 1, False
        else:
            match = _ATOM.match(text, at)
            if match is None:  # a Unicode space
                at, spaced = at + 1, True
                continue
            yield _Token("atom", match.group(), spaced)
            at, spaced = match.end(), False


def _end_of_comment(text: str, at: int) -> int:
    """Comments nest; counted, not recursed, so that 3,000 parentheses cost nothing."""
    depth = 0
    while at < len(text):
        char = text[at]
        at += 2 if char == "\\" else 1
        depth += (char == "(") - (char == ")")
        if depth == 0:
            return at
    raise _MalformedError


def _quoted(text: str, at: int) -> tuple[int, str]:
    out: list[str] = []
    at += 1
    while at < len(text):
        char = text[at]
        if char == '"':
            return at + 1, "".join(out)
        if char == "\\":
            at += 1
        out.append(text[at : at + 1])
        at += 1
    raise _MalformedError


def _entries(tokens: list[_Token]) -> Iterator[list[_Token]]:
    """Split at commas; the members of a group (`Team: a@x, b@y;`) are entries, its name is not."""
    entry: list[_Token] = []
    in_group = in_angle = False
    for token in tokens:
        text = token.text if token.kind == "special" else ""
        in_angle = text == "<" or (in_angle and text != ">")
        if text == "," and not in_angle:
            yield from _nonempty(entry)
            entry = []
        elif text == ":" and not in_angle and not in_group and _is_phrase(entry):
            entry, in_group = [], True
        elif text == ";" and in_group and not in_angle:
            yield from _nonempty(entry)
            entry, in_group = [], False
        else:
            entry.append(token)
    yield from _nonempty(entry)


def _nonempty(entry: list[_Token]) -> Iterator[list[_Token]]:
    if entry:
        yield entry


def _is_phrase(tokens: list[_Token]) -> bool:
    return bool(tokens) and all(token.kind != "special" or token.text == "." for token in tokens)


def _mailbox(tokens: list[_Token], index: int) -> Mailbox:
    opening = next((n for n, token in enumerate(tokens) if token.kind == "special" and token.text == "<"), None)
    if opening is None:
        return Mailbox(_address(tokens), "", index)
    last = tokens[-1]
    if last.kind != "special" or last.text != ">":
        raise _MalformedError
    address = _address(tokens[opening + 1 : -1])
    return Mailbox(address, _display_name(tokens[:opening], address), index)


def _display_name(tokens: list[_Token], address: str) -> str:
    if tokens and not _is_phrase(tokens):
        # Mail programs write `jane@x.com <jane@x.com>`. Any other bare "@" before the angle is the disguise of
        # CVE-2023-27043: two addresses, and every parser picks another.
        if fold(_address(tokens)) != fold(address):
            raise _MalformedError
        return ""
    name = "".join((" " if token.spaced else "") + token.text for token in tokens)
    return _clean_name(_decoded(name.strip()))


def _decoded(name: str) -> str:
    if "=?" not in name or len(name) > 2_000:
        return name
    try:
        return str(make_header(decode_header(name)))
    except (MessageError, LookupError, ValueError):  # CharsetError is neither of the last two
        return name


def _clean_name(name: str) -> str:
    """Without control, formatting (bidi overrides) and surrogate characters: a name is shown, and must not lie."""
    kept = "".join(" " if char in _SPACE else char for char in name if not _is_unprintable(char) or char in _SPACE)
    return " ".join(kept.split())[:LONGEST_NAME]


def _is_unprintable(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def _address(tokens: list[_Token]) -> str:
    ats = [n for n, token in enumerate(tokens) if token.kind == "special" and token.text == "@"]
    if len(ats) != 1:
        raise _MalformedError
    local = _local_part(tokens[: ats[0]])
    address = f"{local}@{_domain(tokens[ats[0] + 1 :])}"
    if len(address.encode("utf-8", "surrogatepass")) > LONGEST_ADDRESS:
        raise _MalformedError
    return address


def _local_part(tokens: list[_Token]) -> str:
    if any(token.spaced for token in tokens[1:]) or not tokens:
        raise _MalformedError
    if any(_DISGUISES.search(token.text) for token in tokens):  # the part would no longer be what was written
        raise _MalformedError
    if len(tokens) == 1 and tokens[0].kind == "quoted":
        local = _quote_if_needed(unicodedata.normalize("NFC", tokens[0].text))
    elif any(token.kind == "quoted" for token in tokens):
        raise _MalformedError
    else:
        local = unicodedata.normalize("NFC", "".join(token.text for token in tokens))
        if not _PLAIN_LOCAL_PART.fullmatch(local):
            raise _MalformedError
    if any(_is_unprintable(char) for char in local) or len(local.encode()) > LONGEST_LOCAL_PART:
        raise _MalformedError
    return local


def _quote_if_needed(content: str) -> str:
    if _PLAIN_LOCAL_PART.fullmatch(content):
        return content
    if not content.strip():
        raise _MalformedError
    return '"' + content.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _domain(tokens: list[_Token]) -> str:
    if not tokens or any(token.spaced for token in tokens[1:]) or any(token.kind == "quoted" for token in tokens):
        raise _MalformedError
    domain = "".join(token.text for token in tokens)
    if not domain or len(domain) > LONGEST_DOMAIN:
        raise _MalformedError
    domain = domain.lower() if domain.isascii() else _a_labels(domain)
    if len(domain) > LONGEST_DOMAIN or not _are_labels(domain.split(".")):
        raise _MalformedError
    return domain


def _a_labels(domain: str) -> str:
    try:
        return idna.encode(domain, uts46=True, transitional=False).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        raise _MalformedError from None


def _are_labels(labels: Iterable[str]) -> bool:
    labels = list(labels)
    # An all-numeric last label would be an IP address, not a domain.
    return all(_LABEL.fullmatch(label) for label in labels) and not labels[-1].isdigit()
