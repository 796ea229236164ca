"""Reads the lists of words.txt, once, and says what a word is. What the lists are for stands there."""

import re
import unicodedata
from pathlib import Path

_BETWEEN = re.compile(r"[^\w&]+|_+")
_SECTION = re.compile(r"^\[([\w: ]+)\]", re.MULTILINE)
#: How a name begins; in scripts without capitals every word does.
UPPER = re.compile(r"^[\"'(\u201c]?[^\W\d_a-z\u00df-\u00f6\u00f8-\u00ff\u0430-\u044f\u03b1-\u03c9]")
WORD = re.compile(r"[^\s,;|/()<>\"\u2022\u00b7]+")
_NOTE = re.compile(r"#.*")


def folded(text: str) -> str:
    """Lower case without accents or punctuation: "Mit freundlichen Grüßen," -> "mit freundlichen grussen"."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return _BETWEEN.sub(" ", "".join(letter for letter in plain if not unicodedata.combining(letter))).strip()


def _sections() -> dict[str, str]:
    text = _NOTE.sub("", Path(__file__).with_name("words.txt").read_text(encoding="utf-8"))
    _, *parts = _SECTION.split(text)
    return dict(zip(parts[::2], parts[1::2], strict=True))


_sections_by_name = _sections()


def _phrases(name: str) -> frozenset[str]:
    return frozenset(folded(phrase) for phrase in re.split(r"[;\n]", _sections_by_name[name]) if phrase.strip())


def _words(name: str) -> frozenset[str]:
    return frozenset(folded(word) for word in _sections_by_name[name].split())


CLOSINGS = _phrases("closings")
THANKS = _phrases("thanks")
SENT_FROM = tuple(sorted(_phrases("sent from")))
AND = _words("and")
GREETINGS = _words("greetings")
PROSE = _words("prose")
PARTICLES = _words("particles")
TITLE_WORDS = _words("titles")
COMPANY_FORMS = _words("company forms")
COMPANY_WORDS = _words("companies") | COMPANY_FORMS
STREETS = _words("streets")
STREET_ENDS = tuple(sorted(_words("street ends")))
LEGAL = _words("legal")
NOT_PEOPLE = _words("not people")
NOT_NAMES = _words("not names")
SUFFIXES = _words("suffixes")
TEAM = _words("team")
REGISTERS = _words("registers")
SLOGANS = _words("slogans")
WROTE = _words("wrote")
FROM = _words("from")
HEADERS = _words("headers")
PUBLIC_MAIL = _words("public mail")
#: Label -> the kind of number that it announces, "other" for none.
LABELS = {label: kind for kind in ("other", "phone", "mobile", "fax") for label in _words(f"labels: {kind}")}
