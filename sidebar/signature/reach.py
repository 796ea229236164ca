"""Ways to reach somebody in a line: numbers, addresses, pages, accounts. Tells where they stand, and weighs nothing."""

import re

from sidebar.signature.words import LABELS, REGISTERS, STREET_ENDS, STREETS, UPPER, WORD, folded

MOST_DIGITS = 15  # of a number, E.164
EMAIL = re.compile(r"[\w.+%'-]{1,64}(?:@|\s?[(\[]at[)\]]\s?)[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}")
URL = re.compile(
    r"(?:https?://|www\.)[^\s<>\"|]{3,300}"
    r"|(?<![\w@.-])[\w-]{2,63}\.(?:com|org|net|io|co|de|fr|it|es|eu|nl|uk|edu|gov)\b(?:/[^\s<>|]{0,200})?",
    re.IGNORECASE,
)
_PHONE = re.compile(r"(?<![\w.,$€£#\u3012-])(?:\+|00)?\(?\d[\d\s().\-\u2010-\u2013/\u00a0]{5,44}\d(?![\w%€]|,\d)")
HANDLE = re.compile(r"(?<![\w.])@\w{2,40}\b(?!\.)")
_DATE = re.compile(r"(?:\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}[./-]\d{1,2}[./-]\d{1,2})\b")
_NUMBER_OF_A_YEAR = re.compile(r"(?:19|20)\d{2}[-/]\d{1,5}")
_POST_CODE = re.compile(
    r"\b(?:\d{5}(?:-\d{4})?|[A-Z]{1,2}-?\d{4,5}|\d{4}\s?[A-Z]{2}|[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}"
    r"|[A-Z]\d[A-Z]\s?\d[A-Z]\d|\d{3}[\s-]\d{2}|\d{2}-\d{3}|\d{4}(?=\s[^\W\d_a-z])|\d{6})\b"
)
_LABEL = re.compile(
    r"^\W{0,4}(?:([^\W\d_]{2,16})\s?(?:[#:.)|]|\s(?=[+(\d]))|([^\W\d_])[:.)|]?\s{0,3}(?=[+(\d@]|www|\w{1,20}@))"
)


def phone_places(text: str) -> list[tuple[int, int]]:
    """(start, stop) of numbers that could reach somebody: 7 to 15 digits, and not a date, a time or a sum."""
    found = [span for match in _PHONE.finditer(text) for span in _parted(match)]
    return [(start, stop) for start, stop in found if _is_number(text[start:stop], text)]


def _without_phones(text: str) -> str:
    for start, stop in phone_places(text):
        text = f"{text[:start]}{' ' * (stop - start)}{text[stop:]}"
    return text


def _parted(match: re.Match[str]) -> list[tuple[int, int]]:
    """ "(11) 5555-0123 / (11) 95555-0188" are two; "0821 / 55512-30" is one."""
    start, stop = match.span()
    if sum(map(str.isdigit, match[0])) <= MOST_DIGITS or not (slash := re.search(r"\s[/-]\s", match[0])):
        return [(start, stop)]
    return [(start, start + slash.start()), (start + slash.end(), stop)]


def _is_number(number: str, text: str) -> bool:
    if (
        not 7 <= sum(map(str.isdigit, number)) <= MOST_DIGITS
        or _DATE.match(number)
        or _NUMBER_OF_A_YEAR.fullmatch(number)
    ):
        return False
    if number.startswith(("+", "00")) or label_kind(text) in ("phone", "mobile", "fax"):
        return True
    return len(re.findall(r"\d+", number)) > 1 and not REGISTERS.intersection(folded(text).split())


def label_kind(text: str) -> str | None:
    match = _LABEL.match(text)
    return LABELS.get(folded(match[1] or match[2])) if match else None


def is_address(text: str, words: tuple[str, ...]) -> bool:
    """A street with its number, or a post code with its town."""
    if len(words) > 16 or not any(sign.isdigit() for sign in text):
        return False
    street = any(word in STREETS or (len(word) > 6 and word.endswith(STREET_ENDS)) for word in words)
    capitals = sum(bool(UPPER.match(word)) for word in WORD.findall(text))
    town = len(words) > 1 and capitals * 2 >= len(words) - 1 and bool(_POST_CODE.search(_without_phones(text)))
    return capitals >= 1 and (street or town)
