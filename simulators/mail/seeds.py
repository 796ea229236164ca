"""What is in somebody's mailbox at the start: the demo's messages where they are his, and a few of his own."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, getaddresses, parsedate_to_datetime
from functools import cache
from pathlib import Path

from simulators.mail.messages import Content

_DEMO = Path(__file__).resolve().parents[1] / "mailbox"
_FIRST = datetime(2026, 11, 9, 9, 30, tzinfo=UTC)
#: (from, subject, text); "" is the owner of the mailbox, who writes to the one before.
_OWN = (
    ("Jane Doe <jane.doe@northwind.example>", "Delivery dates", "Could you confirm the dates for the second lot?"),
    ("", "Re: Delivery dates", "The second lot leaves on the 24th; I will send the papers then."),
    ("Priya Raman <priya.raman@kestrel-labs.example>", "Sample results", "The samples are fine. Details on Monday."),
    ("Grace Abernathy <grace.abernathy@tidewater-instruments.example>", "An inquiry", "May we have a quotation?"),
)


@dataclass(frozen=True)
class Seed:
    """`folder`: a kind (inbox, sent)."""

    content: Content
    folder: str
    received_at: float


@cache
def seeds_of(name: str, email: str) -> tuple[Seed, ...]:
    """Oldest first; the same ones each time."""
    return tuple(sorted((*_demo(email), *_own(name, email)), key=lambda seed: seed.received_at))


def _demo(email: str) -> Iterator[Seed]:
    for file in sorted(_DEMO.glob("*.eml")):
        content = Content(file.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
        people = {name: _addresses(content, name) for name in ("from", "to", "cc")}
        at = parsedate_to_datetime(content.header("date")).timestamp() + 2
        if email in people["from"]:
            yield Seed(content, "sent", at)
        elif email in people["to"] | people["cc"]:
            yield Seed(content, "inbox", at)


def _addresses(content: Content, name: str) -> set[str]:
    return {address.lower() for _, address in getaddresses([content.header(name)])}


def _own(name: str, email: str) -> Iterator[Seed]:
    other, key, last = "", email.partition("@")[0], ""
    for number, (sender, subject, text) in enumerate(_OWN):
        owner = f"{name} <{email}>"
        people = (sender, owner) if sender else (owner, other)
        at = _FIRST + timedelta(hours=20 * number)
        this = f"<seed-{number}.{key}@{(sender or email).rpartition('@')[2].strip('>')}>"
        reply = f"In-Reply-To: {last}\r\nReferences: {last}\r\n" if not sender else ""
        head = f"From: {people[0]}\r\nTo: {people[1]}\r\nSubject: {subject}\r\nDate: {format_datetime(at)}\r\n"
        kind = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        raw = f"{head}Message-ID: {this}\r\n{reply}{kind}\r\n{text}\r\n".encode()
        yield Seed(Content(raw), "inbox" if sender else "sent", at.timestamp() + 2)
        other, last = sender or other, this
