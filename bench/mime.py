"""How fast messages become letters, on one core, and that memory stays flat however many there are."""

import base64
import os
import random
import resource
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from bench.results import Results
from sync.mime import attachment, read

RECEIVED = datetime(2026, 11, 20, tzinfo=UTC)
TEXT = "the meeting about prices moved to Thursday because Zoë could not come before noon please send the offer again"
MAILS = 200
ATTACHMENT = 100 * 1024 * 1024


def mails() -> list[bytes]:
    """As a mail program makes them: text and HTML, half of them replies with the thread quoted, a fifth with a file."""
    chance = random.Random(1)
    return [_mail(chance, number) for number in range(MAILS)]


def _mail(chance: random.Random, number: int) -> bytes:
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"], mail["To"] = "Zoë Person <zoe@example.com>", "bob@example.com, Carol <carol@example.com>"
    mail["Subject"], mail["Message-ID"] = f"Offer für {number}", f"<{number}@example.com>"
    mail["Date"] = "Fri, 20 Nov 2026 10:00:00 +0100"
    words = TEXT.split()
    paragraphs = [" ".join(chance.choices(words, k=60)) for _ in range(30 if number % 2 else 4)]
    mail.set_content("\n\n".join(paragraphs))
    mail.add_alternative("".join(f"<p>{each} <b>{number}</b></p>" for each in paragraphs), subtype="html")
    if number % 5 == 0:
        mail.add_attachment(chance.randbytes(200_000), maintype="application", subtype="pdf", filename="offer.pdf")
    return mail.as_bytes()


def held() -> int:
    """KiB that this process and the one that sanitises HTML hold now."""
    pages = 0
    for place in (Path("/proc/self"), *_children()):
        pages += int((place / "statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1024


def _children() -> Iterator[Path]:
    for task in Path("/proc/self/task").iterdir():
        yield from (Path("/proc") / pid for pid in (task / "children").read_text().split())


def processor() -> float:
    """Seconds that it and the process that sanitises have used."""
    tick = os.sysconf("SC_CLK_TCK")
    used = time.process_time()
    for place in _children():
        fields = (place / "stat").read_text().rpartition(")")[2].split()
        used += (int(fields[11]) + int(fields[12])) / tick
    return used


def standard(mail: bytes) -> None:
    """What the standard library does of the same: whole in memory, texts decoded, nothing sanitised or bounded."""
    found = message_from_bytes(mail, policy=policy.default)
    assert isinstance(found, EmailMessage)
    for kind in ("plain", "html"):
        body = found.get_body((kind,))
        assert body is not None
        body.get_content()
    assert [str(found[name]) for name in ("From", "To", "Subject", "Date")]


def per_second(rounds: int, given: list[bytes]) -> tuple[float, float]:
    """(ours, the standard library's), taken in turns."""
    ours = theirs = 0.0
    for _ in range(rounds):
        begun = processor()
        for mail in given:
            read([mail], RECEIVED)
        between = processor()
        for mail in given:
            standard(mail)
        ours, theirs = ours + between - begun, theirs + processor() - between
    return rounds * len(given) / ours, rounds * len(given) / theirs


def growth(given: list[bytes], first: int, last: int) -> float:
    """KiB more after `last` mails than after `first`."""
    before = 0
    for number in range(last):
        if number == first:
            before = held()
        read([given[number % len(given)]], RECEIVED)
    return float(held() - before)


def large() -> Iterator[bytes]:
    """One with an attachment of 100 MiB, as it comes from the wire."""
    yield b"From: a@example.com\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n"
    yield b"Content-Type: a/b; name=a\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    piece = base64.encodebytes(bytes(57 * 1024))
    for _ in range(ATTACHMENT // (57 * 1024)):
        yield piece
    yield b"--x--\r\n"


def measure(results: Results) -> None:
    given = mails()
    read([given[0]], RECEIVED)
    ours, theirs = per_second(5, given)
    results.add("mails read per second and core", ours, "mails/s", "email.policy.default", ours / theirs)
    more = growth(given, 1_000, 50_000 if os.environ.get("FULL") else 6_000)
    results.add("memory after the 1,000th mail read", more, "KiB more", target="flat")
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    read(large(), RECEIVED)
    results.add("reading a mail with 100 MiB attached", time.process_time() - begun, "s", target="<= 2")
    begun = time.process_time()
    for _ in attachment(large(), "1"):
        pass
    results.add("decoding those 100 MiB", time.process_time() - begun, "s")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    results.add("memory for both", float(most), "KiB more", target="<= 16,384")
