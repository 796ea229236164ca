"""Reads signatures.txt and signatures_unseen.txt: mails made for the tests, each line of theirs marked or not."""

from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("signatures.txt")
UNSEEN = Path(__file__).with_name("signatures_unseen.txt")


@dataclass(frozen=True, slots=True)
class Marked:
    name: str
    sender: str
    text: str
    lines: frozenset[int]


def marked_mails(file: Path = FILE) -> list[Marked]:
    _, *mails = file.read_text(encoding="utf-8").split("\n=== ")
    return [_mail(text) for text in mails]


def _mail(text: str) -> Marked:
    head, *lines = text.rstrip("\n").split("\n")
    name, _, sender = head.partition(" | ")
    marked = frozenset(number for number, line in enumerate(lines) if line.startswith("S "))
    return Marked(name, sender, "\n".join(line[2:] for line in lines), marked)
