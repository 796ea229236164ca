"""A letter and the people it was matched with, as the record that Salesforce gets. Pure; for RAM only."""

from collections.abc import Iterable
from datetime import UTC, datetime

from providers.activities import Correspondent, EmailRecord, Link
from providers.addresses import fold
from sync.enclosures import Enclosed
from sync.ledger import Identity
from sync.letters import Letter, Problem
from sync.matching import Match
from sync.rules import Candidate


def identity_of(letter: Letter, provider_id: str) -> Identity:
    """What tells this mail from every other, in whoever's mailbox it lies: what its headers mean, not how they are put.
    Exchange keeps no MIME and writes it anew when asked, names, encoded words and time zone its own way.

    Source: learn.microsoft.com, "EWS, MIME, and the missing Internet message headers"."""
    said = dict(reversed(letter.headers))  # of several the first counts, as everywhere
    sender = fold(letter.sender.addr) if letter.sender else " ".join(said.get("from", "").split())
    return Identity(letter.message_id, sender, _date_of(letter, said.get("date", "")), letter.subject, provider_id)


def _date_of(letter: Letter, given: str) -> str:
    """`given` where it is no time: for that one the time of receipt stands, which is each copy's own."""
    if not given or letter.sent_at is None or Problem.BAD_DATE in letter.problems:
        return given
    return letter.sent_at.astimezone(UTC).isoformat(timespec="seconds")


def filed_as(
    letter: Letter, candidate: Candidate, matched: Match, enclosed: Enclosed, received_at: datetime
) -> EmailRecord:
    """With every correspondent, whoever is known among them; without the text where only headers may go."""
    with_text = candidate.rules.with_text
    return EmailRecord(
        subject=letter.subject,
        text=letter.text if with_text else "",
        html=letter.html if with_text else "",
        sent_at=letter.sent_at or received_at,
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
