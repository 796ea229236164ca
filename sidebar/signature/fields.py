"""From a signature's lines to a contact's fields. What cannot be told stays empty: a person fills it in."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from nameparser import HumanName

from sidebar.signature.cues import Cue, Mark, is_name
from sidebar.signature.phones import phones_in, region_of
from sidebar.signature.reach import EMAIL, URL, phone_places
from sidebar.signature.sender import Sender
from sidebar.signature.shapes import Kind, Name, Signature
from sidebar.signature.words import COMPANY_FORMS, COMPANY_WORDS, LABELS, NOT_PEOPLE, TITLE_WORDS, folded

MOST_LINKS = 10
LONGEST_FIELD = 120  # characters of a title or a company
_PARTED = re.compile(r"\s{1,4}[|•·\u2022\u2013\u2014/*-]{1,2}\s{1,4}|\s{3,}|\t|\s?\|\s?")
_AT = re.compile(r"\s(?:at|@|bei|chez|bij|presso)\s")
_ORNAMENT = re.compile(r"^[\W_]+|[^\w.)\"”»]+$")
_CONTACT = (Mark.PHONE, Mark.EMAIL, Mark.LINK, Mark.ADDRESS)
_NOT_A_FIELD = (
    Mark.CLOSING,
    Mark.THANKS,
    Mark.SENT_FROM,
    Mark.DELIMITER,
    Mark.RULE,
    Mark.LEGAL,
    Mark.SLOGAN,
    Mark.PROSE,
)
_WITHOUT_OFFICE = re.compile(r"^\s*(?:i\.\s?[AV]\.|ppa\.?)\s", re.IGNORECASE)
_SOCIAL = ("linkedin.", "twitter.", "facebook.", "instagram.", "youtube.", "xing.", "x.com", "t.me", "github.")


@dataclass(frozen=True, slots=True, repr=False)
class _Part:
    """A line, or what stands between two separators in it. `words`: folded."""

    text: str
    words: tuple[str, ...]
    line: int

    @property
    def is_title(self) -> bool:
        if self.words[-1:] and self.words[-1].endswith("team"):
            return False
        return any(word in TITLE_WORDS or word.endswith(_TITLE_ENDS) for word in self.words)

    @property
    def has_form(self) -> bool:
        """Whether it ends as only companies do: Ltd, GmbH, S.L."""
        dotted = "".join(takewhile(lambda word: len(word) == 1, reversed(self.words)))[::-1]
        return dotted in COMPANY_FORMS or any(word in COMPANY_FORMS for word in self.words[1:])

    @property
    def is_a_saying(self) -> bool:
        return len(self.words) > 4 and (":" in self.text or self.text.endswith((".", "!", "?")))

    @property
    def is_a_person(self) -> bool:
        return not (self.is_title or self.has_form or COMPANY_WORDS.intersection(self.words))

    def names(self, sender: Sender) -> int:
        return sum(word in sender.words or word in sender.local for word in dict.fromkeys(self.words))


_TITLE_ENDS = tuple(word for word in TITLE_WORDS if len(word) >= 6)


def read_fields(cues: Sequence[Cue], sender: Sender) -> Signature:
    """`cues`: the signature's lines, the surest block first."""
    parts = list(_parts(cues))
    named = _name_part(parts, sender)
    title, company = _job(parts, named, sender)
    emails = tuple(dict.fromkeys(match[0].lower() for cue in cues for match in EMAIL.finditer(cue.text)))
    links = _links(cues)
    region = region_of(
        [sender.address, *emails, *(link.partition("//")[2].partition("/")[0] or link for link in links)]
    )
    return Signature(
        name=_name(named.text if named else "", sender),
        title=title,
        company=company,
        phones=phones_in([cue.text for cue in cues if cue.has(Mark.PHONE)], region),
        emails=emails[:MOST_LINKS],
        address=_address(cues),
        links=links,
    )


def field_values(signature: Signature) -> dict[str, str]:
    """API names of a Lead's and a Contact's standard fields -> values; "" for what the signature does not say.

    Source: Object Reference for the Salesforce Platform, Lead and Contact."""
    numbers = {kind: next((each.number for each in signature.phones if each.kind is kind), "") for kind in Kind}
    return {
        "FirstName": signature.name.first,
        "LastName": signature.name.last,
        "Title": signature.title,
        "Company": signature.company,
        "Phone": numbers[Kind.PHONE],
        "MobilePhone": numbers[Kind.MOBILE],
        "Fax": numbers[Kind.FAX],
        "Street": signature.address,
        "MailingStreet": signature.address,
        "Website": next((link for link in signature.links if not any(each in link.lower() for each in _SOCIAL)), ""),
    }


def _parts(cues: Sequence[Cue]) -> Iterator[_Part]:
    for cue in cues:
        if cue.has(*_NOT_A_FIELD) and not cue.has(Mark.SENDER):
            continue
        for piece in _PARTED.split(cue.text):
            text = _ORNAMENT.sub("", piece)
            if text and len(text) <= LONGEST_FIELD:
                yield _Part(text, tuple(folded(text).split()), cue.number)


def _name_part(parts: Sequence[_Part], sender: Sender) -> _Part | None:
    """The part that holds most of the sender's name; where nothing is known of him, the first that looks like one."""
    plain = [part for part in parts if is_name(part.text) and (part.is_a_person or part.names(sender) >= 2)]
    best = max(plain, key=lambda part: (part.names(sender), len(part.words) > 1, -part.line), default=None)
    if best and best.names(sender):
        return best
    if sender.words:
        return None
    return next((part for part in plain if len(part.words) <= 4), None)


def _name(text: str, sender: Sender) -> Name:
    """One word in the signature and more in the header: the header's, which also wins in scripts without capitals."""
    header = "" if "@" in sender.name else sender.name
    is_more = len(folded(text).split()) < 2 <= len(sender.words)
    full = (header if is_more or header.lower() == header.upper() else text) or text or header
    full = _WITHOUT_OFFICE.sub("", full)
    parsed = HumanName(full)
    if NOT_PEOPLE.intersection(folded(full).split()):
        return Name()
    first, middle, last = (_cased(str(part), full) for part in (parsed.first, parsed.middle, parsed.last))
    if middle and sender.words and folded(middle) == sender.words[-1]:  # two family names, the header has the first
        last = f"{middle} {last}"
    spelled = " ".join(filter(None, (first, last))) if "," in full else full
    return Name(spelled, first, last) if last else Name(spelled, "", first)


def _cased(word: str, full: str) -> str:
    """ "Amélie LAURENT" -> "Laurent"; what is all in capitals or small letters likewise."""
    if (word.isupper() and len(word) > 2) or (word.islower() and full.islower()):
        return word.title()
    return word


def _job(parts: Sequence[_Part], named: _Part | None, sender: Sender) -> tuple[str, str]:
    """(title, company)."""
    others = [part for part in parts if part is not named and not _reaches(part) and not _only_name(part, sender)]
    for part in others:
        title, at, employer = _at(part.text)
        if at and ("@" in part.text or any(word in TITLE_WORDS for word in folded(title).split())):
            return title, employer
    titled = next((part for part in others if part.is_title and not part.has_form), None)
    company = _company([part for part in others if part is not titled], sender)
    if titled and company is None and (split := _title_and_company(titled, sender)):
        return split
    return titled.text if titled else _below(others, named, company), company.text if company else ""


def _title_and_company(part: _Part, sender: Sender) -> tuple[str, str] | None:
    """ "Operations Director, Tidewater Instruments"; None where what follows the comma is more of the title."""
    title, comma, rest = part.text.rpartition(", ")
    employer = _Part(rest, tuple(folded(rest).split()), part.line)
    return (title, rest) if comma and not employer.is_title and _company([employer], sender) else None


def _only_name(part: _Part, sender: Sender) -> bool:
    return bool(part.words) and not part.has_form and part.names(sender) >= min(2, len(set(part.words)))


def _reaches(part: _Part) -> bool:
    if EMAIL.search(part.text) or URL.search(part.text) or phone_places(part.text):
        return True
    return len(part.words) == 1 and part.words[0] in LABELS


def _at(text: str) -> tuple[str, bool, str]:
    """ "CEO @ Acme !" -> ("CEO", True, "Acme")."""
    place = _AT.search(text)
    if not place:
        return text, False, ""
    return text[: place.start()].strip(" ,"), True, _ORNAMENT.sub("", text[place.end() :])


def _company(parts: Sequence[_Part], sender: Sender) -> _Part | None:
    """What ends as companies do, then what the address's domain names, then what sounds like one."""
    known = "".join(sender.company.split())
    for fits in (
        lambda part: part.has_form,
        lambda part: bool(known) and "".join(part.words).startswith(known),
        lambda part: bool(COMPANY_WORDS.intersection(part.words)) and not (part.is_title or part.is_a_saying),
    ):
        for part in parts:
            if len(part.words) <= 10 and fits(part):
                return part
    return None


def _below(parts: Sequence[_Part], named: _Part | None, company: _Part | None) -> str:
    """The line between name and company is the title, although no word of it is known."""
    if named is None or company is None:
        return ""
    between = [part for part in parts if named.line < part.line < company.line]
    return between[0].text if len(between) == 1 and not any(map(str.isdigit, between[0].text)) else ""


def _links(cues: Sequence[Cue]) -> tuple[str, ...]:
    found = (URL.finditer(EMAIL.sub(" ", cue.text)) for cue in cues)
    return tuple(dict.fromkeys(match[0].rstrip(".,;:)]>") for matches in found for match in matches))[:MOST_LINKS]


def _address(cues: Sequence[Cue]) -> str:
    """The lines of the first postal address; of a line that also holds a number or a page, the part before."""
    found: list[str] = []
    for cue in cues:
        if cue.has(Mark.ADDRESS) and not cue.has(Mark.LEGAL, Mark.PROSE):
            pieces = [piece for piece in _PARTED.split(cue.text) if not _is_reach(piece)]
            found.extend(_ORNAMENT.sub("", piece).strip() for piece in pieces)
        elif found:
            break
    return ", ".join(filter(None, found))


def _is_reach(text: str) -> bool:
    return bool(EMAIL.search(text) or URL.search(text) or phone_places(text))
