"""Mail in bulk, as a company gets it: a fifth from customers whom Salesforce knows, the rest from strangers."""

import base64
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime

from tests.sync.company import Employee

#: One in so many is from a customer.
SHARE = 5
_TEXT = "the offer for next year has moved to Thursday because nobody could come before noon please send prices again"
_RAW = (
    "From: {name} <{sender}>\r\nTo: {to}\r\nSubject: {subject}\r\nDate: {date}\r\nMessage-ID: <{key}@bulk.example>\r\n"
    'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="b-{key}"\r\n\r\n--b-{key}\r\n'
    "Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n--b-{key}\r\n"
    "Content-Type: text/html; charset=utf-8\r\n\r\n<html><body>{html}</body></html>\r\n--b-{key}--\r\n"
)


def messages(
    employee: Employee, count: int, customers: Sequence[str], *, first: int = 0, share: int = SHARE
) -> Iterator[str]:
    """base64 of each; the same ones for the same numbers. `first`: the number of the first one. About 3 kB each."""
    for number in range(first, first + count):
        chance = random.Random(f"{employee.key}-{number}")
        is_known = number % share == 0
        sender = chance.choice(customers) if is_known else f"stranger-{employee.key}-{number}@elsewhere.example"
        yield base64.b64encode(_message(employee, number, sender, chance)).decode()


def matching(count: int, *, first: int = 0, share: int = SHARE) -> int:
    """How many of these are from a customer."""
    return sum(number % share == 0 for number in range(first, first + count))


def _message(employee: Employee, number: int, sender: str, chance: random.Random) -> bytes:
    words = _TEXT.split()
    paragraphs = [" ".join(chance.choices(words, k=60)) for _ in range(4)]
    return _RAW.format(
        name=f"Correspondent {number}",
        sender=sender,
        to=employee.email,
        subject=f"Our offer {number} for {employee.key}",
        date=format_datetime(datetime.now(UTC)),
        key=f"{employee.key}-{number}",
        text="\r\n\r\n".join(paragraphs),
        html="".join(f"<p>{each}</p>" for each in paragraphs),
    ).encode()
