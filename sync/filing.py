"""A letter and the people it was matched with, as the record that Salesforce gets. Pure; for RAM only."""

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from providers.activities import Correspondent, EmailRecord, Link
from providers.addresses import fold
from sync.enclosures import Enclosed
from sync.ledger import Identity
from sync.letters import Letter
from sync.matching import Match
from sync.mime import heading
from sync.rules import Candidate


def identity_of(letter: Letter, provider_id: str) -> Identity:
    """What tells this mail from every other, in whoever's mailbox it lies: what its headers mean, not how they are put.
    Exchange keeps no MIME and writes it anew when asked, names, encoded words and time zone its own way.

    Source: learn.microsoft.com, "EWS, MIME, and the missing Internet message headers"."""
    said = dict(reversed(letter.headers))  # of several the first counts, as everywhere
    sender = fold(letter.sender.addr) if letter.sender else " ".join(said.get("from", "").split())
    return Identity(letter.message_id, sender, _date_of(said.get("date", "")), letter.subject, provider_id)


def _date_of(given: str) -> str:
    """Whether it can be believed is not asked: the time of receipt that stands for it then is each copy's own."""
    found = heading.instant(given)
    return found.isoformat(timespec="seconds") if found else given


def filed_as(
    letter: Letter, candidate: Candidate, matched: Match, enclosed: Enclosed, received_at: datetime, zone: ZoneInfo
) -> EmailRecord:
    """With every correspondent, whoever is known among them; without the text where only headers may go. `zone`: of
    whoever files it."""
    with_text = candidate.rules.with_text
    return EmailRecord(
        subject=letter.subject,
        text=letter.text if with_text else "",
        html=letter.html if with_text else "",
        sent_at=(letter.sent_at or received_at).astimezone(zone),
        is_incoming=not candidate.is_outgoing,
        correspondents=tuple(_correspondents(letter, candidate, matched)),
        message_id=letter.message_id,
        thread_id=next(iter(letter.references), letter.in_reply_to or letter.message_id),
        links=tuple(Link(link.url, link.name or link.url) for link in enclosed.links),
    )


def _correspondents(letter: Letter, candidate: Candidate, matched: Match) -> Iterable[Correspondent]:
    """Each address once, with its strongest role."""
    people = {each.party.address: each.person.id for each in (*matched.colleagues, *matched.targets)}
    shown = [*letter.to, *letter.cc, *letter.bcc, *((letter.sender,) if letter.sender else ())]
    named = {fold(each.addr): each for each in shown}
    for party in candidate.envelope.parties:
        address = named.get(party.address)
        yield Correspondent(
            role=party.role,
            address=address.addr if address else party.address,
            name=address.name if address else "",
            person_id=people.get(party.address, ""),
        )
