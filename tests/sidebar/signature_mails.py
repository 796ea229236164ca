"""Reads signatures.txt: mails made for the tests, each line of theirs marked or not."""

from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("signatures.txt")


@dataclass(frozen=True, slots=True)
class Marked:
    name: str
    sender: str
    text: str
    lines: frozenset[int]


def marked_mails() -> list[Marked]:
    _, *mails = FILE.read_text(encoding="utf-8").split("\n=== ")
    return [_mail(text) for text in mails]


def _mail(text: str) -> Marked:
    head, *lines = text.rstrip("\n").split("\n")
    name, _, sender = head.partition(" | ")
    marked = frozenset(number for number, line in enumerate(lines) if line.startswith("S "))
    return Marked(name, sender, "\n".join(line[2:] for line in lines), marked)
