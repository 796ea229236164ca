"""Who a message is between, and what else its headers say: the one reading of them that every rule uses. Pure.

For RAM only. An address line that can be understood in two ways is not understood at all."""

from collections.abc import Iterable
from dataclasses import dataclass

from providers.activities import Role
from providers.addresses import parse_addresses
from sync.mime.words import one_line, with_words

_ROLES = {"from": Role.FROM, "to": Role.TO, "cc": Role.CC, "bcc": Role.BCC}
#: Of a subject, in characters as they came (BI-E6).
_LONGEST_SUBJECT = 4_000
#: Salesforce is asked about each of them, and takes fewer on one email.
_MOST_ADDRESSES = 500

Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True, repr=False)
class Party:
    """One address with the strongest role it has: sender, To, Cc, Bcc. `address` is folded."""

    address: str
    role: Role

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


@dataclass(frozen=True, slots=True, repr=False)
class Envelope:
    """`parties` in the order of their roles, each address once; `beyond`: domains of those behind the last that counts.
    `unreadable`: address lines that are, in whole or in part, not one clear list of addresses; what is clear in them is
    among the parties."""

    parties: tuple[Party, ...]
    beyond: frozenset[str]
    unreadable: int
    subject: str  # decoded, one line
    sensitivity: str  # lower case, "" where nothing is said (RFC 2156, 5.3.4)

    @property
    def senders(self) -> frozenset[str]:
        return frozenset(party.address for party in self.parties if party.role is Role.FROM)


def envelope_of(headers: Headers) -> Envelope:
    """From headers as `providers.mail.Heading` and `sync.letters.Letter` have them alike. Never raises."""
    lines: dict[str, list[str]] = {}
    for name, value in headers:
        lines.setdefault(name, []).append(value)
    everybody, unreadable = _parties(lines)
    parties, beyond = everybody[:_MOST_ADDRESSES], frozenset(each.domain for each in everybody[_MOST_ADDRESSES:])
    unreadable += bool(beyond)
    sensitivity = " ".join(lines.get("sensitivity", [])).strip().lower()
    return Envelope(parties, beyond, unreadable, _subject(lines.get("subject", [])), sensitivity[:50])


def _parties(lines: dict[str, list[str]]) -> tuple[tuple[Party, ...], int]:
    found: dict[str, Party] = {}
    unreadable = 0
    for name, role in _ROLES.items():
        values = lines.get(name, [])
        if role is Role.FROM and len(values) > 1:  # RFC 5322, 3.6 has one; of two, every program believes another
            values, unreadable = [], unreadable + 1
        mailboxes, invalid = parse_addresses(values)
        unreadable += len(invalid)
        for mailbox in mailboxes:
            found.setdefault(mailbox.key, Party(mailbox.key, role))
    return tuple(found.values()), unreadable


def _subject(values: list[str]) -> str:
    return with_words(one_line(values[0][:_LONGEST_SUBJECT])) if values else ""
