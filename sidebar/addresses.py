"""From the strings a mail client hands over to the correspondents to look up: each once, colleagues left out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from providers.addresses import Mailbox, fold, parse_addresses

#: An address that is its own normal form, as nearly all are; the full parser takes 30 times longer.
_PLAIN = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,32}(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,31})?"
    r"@((?:[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?\.){1,4}[a-z]{2,24})"
)


@dataclass(frozen=True, slots=True)
class Correspondents:
    """`wanted`: folded addresses to look up, in order. `skipped`: colleagues. `invalid`: indices of the input."""

    wanted: list[str]
    skipped: list[str]
    invalid: list[int]


def correspondents(strings: Sequence[str], own_domains: frozenset[str]) -> Correspondents:
    """Sort the strings into who is looked up, who is a colleague and what is no address. Never raises on a str."""
    wanted: dict[str, None] = {}
    skipped: dict[str, None] = {}
    plain = [_PLAIN.fullmatch(text) for text in strings]
    others, invalid = _parse_others(strings, plain)
    for index, match in enumerate(plain):
        pairs = [(match[0], match[1])] if match else others.get(index, [])
        for address, domain in pairs:
            (skipped if domain in own_domains else wanted)[address] = None
    return Correspondents(list(wanted), list(skipped), invalid)


def _parse_others(
    strings: Sequence[str], plain: Sequence[re.Match[str] | None]
) -> tuple[dict[int, list[tuple[str, str]]], list[int]]:
    """(address, domain) pairs by input index, of the strings that are not plain; and the invalid indices."""
    indices = [index for index, match in enumerate(plain) if match is None]
    if not indices:
        return {}, []
    mailboxes, invalid = parse_addresses([strings[index] for index in indices])
    found: dict[int, list[tuple[str, str]]] = {}
    for mailbox in mailboxes:
        found.setdefault(indices[mailbox.input_index], []).append(_pair(mailbox))
    return found, [indices[index] for index in invalid]


def _pair(mailbox: Mailbox) -> tuple[str, str]:
    # Salesforce compares addresses without regard to case, so one correspondent is one card.
    address = fold(mailbox.address)
    return address, address.rpartition("@")[2]
