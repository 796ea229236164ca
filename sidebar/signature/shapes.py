"""What is read out of a signature. It lives as long as one request, and never shows in a log."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a number reaches."""

    PHONE = "phone"
    MOBILE = "mobile"
    FAX = "fax"


@dataclass(frozen=True, slots=True, repr=False)
class Phone:
    """`number`: international (+49 89 1234) where the country is known, else as written."""

    number: str
    kind: Kind


@dataclass(frozen=True, slots=True, repr=False)
class Name:
    """As a contact has it; `full` is how the signature (or else the sender's header) spells it."""

    full: str = ""
    first: str = ""
    last: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Signature:
    """Empty texts and tuples for what is not there. `lines` are the signature's own, as sent; `confidence` 0 to 1."""

    name: Name = Name()
    title: str = ""
    company: str = ""
    phones: tuple[Phone, ...] = ()
    emails: tuple[str, ...] = ()
    address: str = ""
    links: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    line_numbers: tuple[int, ...] = ()  # from 0, in the text that was read
    confidence: float = 0.0
