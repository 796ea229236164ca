"""Phone numbers of a signature: which kind, and in one spelling. The tables are Google's (phonenumbers)."""

import re
from collections.abc import Iterable, Iterator

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from sidebar.signature.cues import LONGEST_LINE
from sidebar.signature.reach import phone_places
from sidebar.signature.shapes import Kind, Phone
from sidebar.signature.words import LABELS, folded

MOST_PHONES = 6
_EXTENSION = re.compile(r"\s{0,3},?\s{0,3}(?:x|ext|extension|poste|dw)\.?:?\s{0,3}\d{1,6}\b", re.IGNORECASE)
_NORTH_AMERICAN = re.compile(r"(?:1[\s.-])?\(?[2-9]\d{2}\)?[\s./-]{1,2}\d{3}[\s.-]\d{4}")
_SAID_AFTER = re.compile(r"\s{0,3}\(\s?([^\W\d_]{1,16})\.?\s?\)")
_WORD = re.compile(r"[^\W\d_]+")
#: Country domains that are not the country's ISO code, or that anybody takes.
_REGIONS = {"uk": "GB", "eu": "", "co": "", "io": "", "me": "", "tv": "", "ai": "", "cc": ""}


def region_of(domains: Iterable[str]) -> str:
    """ISO code of the first country domain among them; "" for none."""
    for domain in domains:
        ending = domain.rstrip(".").rpartition(".")[2].lower()
        region = _REGIONS.get(ending, ending.upper())
        if region in phonenumbers.SUPPORTED_REGIONS:
            return region
    return ""


def phones_in(texts: Iterable[str], region: str) -> tuple[Phone, ...]:
    """Each number once, in order."""
    found: dict[str, Phone] = {}
    for text in texts:
        for phone in _of_line(text[:LONGEST_LINE], region):
            found.setdefault(phone.number, phone)
    return tuple(found.values())[:MOST_PHONES]


def _of_line(text: str, region: str) -> Iterator[Phone]:
    before = 0
    for start, stop in phone_places(text):
        extension = _EXTENSION.match(text, stop)
        end = extension.end() if extension else stop
        yield _phone(text[start:end], _labelled(text[before:start], _SAID_AFTER.match(text, end)), region)
        before = end


def _labelled(before: str, after: re.Match[str] | None) -> str:
    """The kind that the nearest label gives: "Fax: 555 0100", "555 0100 (fax)"."""
    said = [after[1]] if after else []
    kinds = [LABELS.get(folded(word), "other") for word in (*said, *reversed(_WORD.findall(before)))]
    return next((kind for kind in kinds if kind != "other"), "")


def _phone(raw: str, kind: str, region: str) -> Phone:
    raw = raw.strip(" \t-/.\u2013")
    number = _parsed(raw, region or ("US" if _NORTH_AMERICAN.match(raw) else ""))
    if number is None:
        return Phone(raw, Kind(kind or "phone"))
    is_mobile = phonenumbers.number_type(number) == PhoneNumberType.MOBILE
    spelling = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
    return Phone(spelling, Kind(kind or ("mobile" if is_mobile else "phone")))


def _parsed(raw: str, region: str) -> phonenumbers.PhoneNumber | None:
    """None for what no country has as a number."""
    try:
        number = phonenumbers.parse(raw, region or None)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None
