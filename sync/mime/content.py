"""Content-Type and Content-Disposition with their parameters (RFC 2045, 2183, 2231). Linear in the header's length."""

import re
from dataclasses import dataclass
from itertools import islice
from urllib.parse import unquote_to_bytes

from sync.mime.bounds import LONGEST_BOUNDARY
from sync.mime.charsets import decoded
from sync.mime.words import unfolded, with_words

_LONGEST = 8 * 1024
_MOST_PARAMETERS = 64
_TYPE = re.compile(rb"([a-z0-9!#$&^_.+-]{1,100})/([a-z0-9!#$&^_.+-]{1,100})", re.IGNORECASE)
_PARAMETER = re.compile(
    rb';[ \t]*+([^ \t=;"]{1,100})[ \t]*+=[ \t]*+(?:"((?:[^"\\]|\\.)*)(?:"|\\?$)|([^;]*+))', re.DOTALL
)
_SECTION = re.compile(r"(.+?)(?:\*(\d{1,3}))?(\*)?", re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True, repr=False)
class MediaType:
    """`main` and `subtype` in lower case. `parameters`: names in lower case, RFC 2231 undone, values text."""

    main: str
    subtype: str
    parameters: dict[str, str]
    boundary: bytes = b""  # of a multipart alone

    @property
    def name(self) -> str:
        return f"{self.main}/{self.subtype}"


def content_type(value: bytes, default: str = "text/plain") -> MediaType:
    """What is malformed counts as absent (RFC 2045 5.2)."""
    match = _TYPE.match(value.strip())
    main, subtype = match.group().lower().decode().split("/") if match else default.split("/")
    raw = _raw_parameters(value)
    parameters = _parameters(raw)
    return MediaType(main, subtype, parameters, _boundary(raw, parameters) if main == "multipart" else b"")


def _boundary(raw: dict[str, bytes], parameters: dict[str, str]) -> bytes:
    """As the delimiters have it, byte for byte. b"" where there is none, or one too long."""
    given = raw.get("boundary") or parameters.get("boundary", "").encode("ascii", "ignore")
    boundary = given.rstrip(b" \t")
    return boundary if len(boundary) <= LONGEST_BOUNDARY else b""


def disposition(value: bytes) -> tuple[str, dict[str, str]]:
    """("attachment", {"filename": ...}); ("", {}) where there is none."""
    kind = value.partition(b";")[0].strip().lower()[:20].decode("ascii", "replace")
    return kind, _parameters(_raw_parameters(value))


def _raw_parameters(value: bytes) -> dict[str, bytes]:
    """As they stand; the first of a name counts."""
    found: dict[str, bytes] = {}
    for match in islice(_PARAMETER.finditer(value[:_LONGEST]), _MOST_PARAMETERS):
        name, quoted, plain = match.groups()
        content = _ESCAPED.sub(rb"\1", quoted) if quoted is not None else plain.strip(b" \t")
        found.setdefault(name.lower().decode("latin-1"), content)
    return found


def _parameters(raw: dict[str, bytes]) -> dict[str, str]:
    """With the sections of RFC 2231 put together, which go before a plain value of the same name."""
    plain = {name: with_words(unfolded(value)) for name, value in raw.items() if "*" not in name}
    return plain | {name: _joined(sections) for name, sections in _sections(raw).items()}


def _sections(raw: dict[str, bytes]) -> dict[str, dict[int, tuple[bytes, bool]]]:
    found: dict[str, dict[int, tuple[bytes, bool]]] = {}
    for given, value in raw.items():
        match = _SECTION.fullmatch(given)
        if match is None or "*" not in given:
            continue
        name, number, star = match.groups()
        found.setdefault(name, {}).setdefault(int(number or 0), (value, bool(star)))
    return found


def _joined(sections: dict[int, tuple[bytes, bool]]) -> str:
    """`utf-8'en'a%20b`: charset and language stand before the first section alone; numbers count from 0."""
    charset = ""
    whole = b""
    for number in range(len(sections)):
        if number not in sections:
            break
        value, is_encoded = sections[number]
        if is_encoded and number == 0 and value.count(b"'") >= 2:
            name, _, value = value.split(b"'", 2)
            charset = name.decode("ascii", "replace")
        whole += unquote_to_bytes(value) if is_encoded else value
    return decoded(whole, charset)
