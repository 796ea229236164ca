"""Who sent the mail, as far as his signature may repeat it: words of his name, his address, his company's domain."""

import re
from dataclasses import dataclass

from providers.addresses import parse_addresses
from sidebar.signature.words import NOT_PEOPLE, PUBLIC_MAIL, TITLE_WORDS, folded

_NOT_LETTERS = re.compile(r"[\W\d_]+")
_ASIDE = re.compile(r"\([^()]{0,80}\)|\[[^\[\]]{0,80}\]")


@dataclass(frozen=True, slots=True, repr=False)
class Sender:
    """`words`: of his display name, folded; `local`: of his address's local part; `company`: of its domain."""

    name: str = ""
    address: str = ""
    words: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    company: str = ""

    @property
    def initials(self) -> str:
        return "".join(word[0] for word in self.words)


def read_sender(text: str) -> Sender:
    """Of a From header's value: `Jane Doe <jane@x.example>`, an address alone, or a name alone. Never raises."""
    found = parse_addresses([text[:1000]])[0] if "@" in text else []
    name, address = (found[0].display_name, found[0].address) if found else (text[:200], "")
    if not found and "@" in name:
        name = ""
    if not name and (aside := _ASIDE.search(text)):  # "jane@x.example (Jane Doe)", as news had it
        name = aside[0][1:-1]
    return Sender(name.strip(), address.lower(), _name_words(name), _local_words(address), _company(address))


def _name_words(name: str) -> tuple[str, ...]:
    plain = _ASIDE.sub(" ", name)
    family, comma, given = plain.partition(",")  # "Doe, Jane"
    return tuple(folded(f"{given} {family}" if comma else plain).split()[:8])


def _local_words(address: str) -> tuple[str, ...]:
    words = _NOT_LETTERS.sub(" ", folded(address.partition("@")[0].partition("+")[0])).split()
    return tuple(word for word in words if len(word) > 1 and word not in TITLE_WORDS | NOT_PEOPLE)


def _company(address: str) -> str:
    """ "jane@mail.acme-tools.co.uk" -> "acme tools"; "" for mail that anybody can have."""
    labels = address.rpartition("@")[2].lower().split(".")
    short = len(labels) > 2 and len(labels[-2]) <= 3
    label = labels[-3] if short else labels[-2] if len(labels) > 1 else ""
    return "" if folded(label) in PUBLIC_MAIL or label.startswith("xn--") else label.replace("-", " ")
