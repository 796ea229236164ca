"""A header's text: encoded words (RFC 2047), raw 8-bit, unfolded. Linear; always one line."""

import binascii
import re
import unicodedata

from sync.mime.charsets import decoded, printable

#: Encoded words looked at in one header; the rest stays as written. A subject has a handful.
_MOST_WORDS = 200
_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?\r\n]{0,2000})\?=")
_SPACE = re.compile(r"\s+")
#: Characters that reorder what is shown. Marks (LRM, RLM) and joiners stay: names and subjects need them.
_OVERRIDES = re.compile("[\u202a-\u202e\u2066-\u2069]")


def unfolded(value: bytes) -> str:
    """One line of text as it stands: UTF-8 (RFC 6532), else Windows-1252."""
    return one_line(decoded(value))


def one_line(text: str) -> str:
    return _SPACE.sub(" ", _OVERRIDES.sub("", printable(text))).strip()


def with_words(text: str) -> str:
    """Encoded words decoded, in one line. What cannot be decoded stays as it is.

    Words in one charset are decoded together, since programs cut characters in two; space between words is none."""
    if "=?" not in text:
        return text
    out: list[str] = []
    run, charset, at = b"", "", 0
    for number, match in enumerate(_WORD.finditer(text)):
        if number == _MOST_WORDS:
            break
        between = text[at : match.start()]
        name = match.group(1).partition("*")[0].lower()  # RFC 2231 5: a language may follow
        if run and (between.strip() or name != charset):
            out.append(decoded(run, charset))
            run = b""
        if between.strip() or at == 0:
            out.append(between)
        run, charset, at = run + _bytes_of(match.group(2), match.group(3)), name, match.end()
    return one_line("".join((*out, decoded(run, charset), text[at:])))


def _bytes_of(encoding: str, content: str) -> bytes:
    raw = content.encode("utf-8", "replace")
    if encoding in "qQ":
        return binascii.a2b_qp(raw, header=True)
    try:
        return binascii.a2b_base64(raw + b"==="[: -len(raw) % 4])
    except binascii.Error:
        return raw


def normal(text: str) -> str:
    return unicodedata.normalize("NFC", text)
