"""How well signatures are found on talon's and crisp's mails: precision, recall and F1 over their lines.

The mails of two mail clients and two languages of each set's choice were not read while the reader was written
(docs/signatures.md); their figures stand apart. Alone: `python -m bench.signatures [-v]`."""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from bench.results import Results
from bench.signature_labels import CRISP, TALON
from sidebar.signature.markup import lines_of
from sidebar.signature.reading import read
from tests.sidebar.signature_mails import UNSEEN, marked_mails

CORPORA = Path(__file__).resolve().parents[2] / "shared/corpora"
HELD_OUT = ("email_zoho", "email_ios_outlook", "thunderbird", "hotmail", "email_german", "email_portuguese")
_MARK = "#sig#"


@dataclass(frozen=True, slots=True, repr=False)
class Labelled:
    """A mail's text, who sent it, and which of its lines (from 0) are the signature. `name`: the file's."""

    name: str
    text: str
    sender: str
    lines: frozenset[int]

    @property
    def is_held_out(self) -> bool:
        return any(part in self.name for part in HELD_OUT)


@dataclass(slots=True)
class Score:
    right: int = 0
    wrong: int = 0
    missed: int = 0

    def add(self, found: frozenset[int], wanted: frozenset[int]) -> None:
        self.right += len(found & wanted)
        self.wrong += len(found - wanted)
        self.missed += len(wanted - found)

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong or 1)

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed or 1)

    @property
    def f1(self) -> float:
        return 2 * self.right / (2 * self.right + self.wrong + self.missed or 1)


def crisp(root: Path) -> Iterator[Labelled]:
    """Crisp's texts; none says who sent it."""
    for path in sorted((root / "email-reply-crisp/test/fixtures").glob("*.txt")):
        lines = frozenset(number - 1 for number in CRISP.get(path.name, ()))
        yield Labelled(path.name, path.read_text(encoding="utf-8", errors="replace"), "", lines)


def talon(root: Path) -> Iterator[Labelled]:
    """Talon's texts with their senders: those with marked lines, those with the signature apart, and whole mails."""
    fixtures = root / "talon-1.4.4/fixtures"
    for path in sorted((fixtures / "signature/emails/stripped").glob("*_body")):
        yield _with_parts(fixtures, path)
    for path in (fixtures / "signature/emails/P").glob("*[!r]"):
        yield _marked(fixtures, path)
    for path in sorted((fixtures / "standard_replies").glob("*.eml")):
        yield _whole(fixtures, path)
    for path in sorted((fixtures / "html_replies").glob("*.html")):
        yield _answer(fixtures, path)


def strangers() -> Iterator[Labelled]:
    """Mails that others wrote for us; see docs/signatures.md."""
    for mail in marked_mails(UNSEEN):
        yield Labelled(mail.name, mail.text, mail.sender, mail.lines)


def _with_parts(fixtures: Path, path: Path) -> Labelled:
    """x_body, x_sender, x_signature: the signature is the body's end."""
    stem = str(path)[: -len("_body")]
    sender, signature = (Path(f"{stem}_{part}").read_text(encoding="utf-8").strip() for part in ("sender", "signature"))
    text = path.read_text(encoding="utf-8").replace(_MARK, "").rstrip()
    wanted = len([line for line in signature.replace(_MARK, "").splitlines() if line.strip()])
    numbers = [number for number, line in enumerate(text.splitlines()) if line.strip()]
    return Labelled(_name(fixtures, path), text, sender, frozenset(numbers[len(numbers) - wanted :]))


def _marked(fixtures: Path, path: Path) -> Labelled:
    """Each line of the signature opens with #sig#; some files begin with the mail's headers."""
    text = path.read_text(encoding="utf-8")
    head, _, body = text.partition("\n\n") if text.startswith("From:") else ("", "", text)
    sender = head.partition("From:")[2].partition("\n")[0].strip() if head else ""
    apart = path.with_name(path.name.replace("_body", "_sender"))
    sender = sender or (apart.read_text(encoding="utf-8").strip() if apart != path else "")
    given = TALON.get(_name(fixtures, path), ())
    lines = body.replace("#reply#", "").splitlines()
    marked = {n for n, line in enumerate(lines) if line.replace(_MARK, "").strip() and (_MARK in line or line in given)}
    return Labelled(_name(fixtures, path), "\n".join(lines).replace(_MARK, ""), sender, frozenset(marked))


def _whole(fixtures: Path, path: Path) -> Labelled:
    mail = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert isinstance(mail, EmailMessage)
    body = mail.get_body(("plain",))
    text = str(body.get_content()) if body else ""
    given = TALON.get(_name(fixtures, path), ())
    lines = frozenset(number for number, line in enumerate(text.splitlines()) if line.strip() in given)
    return Labelled(_name(fixtures, path), text, str(mail["From"] or ""), lines)


def _answer(fixtures: Path, path: Path) -> Labelled:
    """The same answer from each mail program: "Thanks," and "Alex", above what is quoted."""
    text = lines_of(path.read_text(encoding="utf-8", errors="replace"))
    lines = [line.strip() for line in text.splitlines()]
    last = lines.index("Alex") if "Alex" in lines else len(lines)
    first = next((number for number in range(last - 1, -1, -1) if lines[number] == "Thanks,"), last)
    numbers = frozenset(number for number in range(first, min(last + 1, len(lines))) if lines[number])
    return Labelled(_name(fixtures, path), text, "", numbers)


def _name(fixtures: Path, path: Path) -> str:
    return path.relative_to(fixtures).as_posix()


def found_in(mail: Labelled) -> frozenset[int]:
    return frozenset(read(mail.text, mail.sender).line_numbers)


def scored(mails: list[Labelled], reader: Callable[[Labelled], frozenset[int]] = found_in) -> Score:
    score = Score()
    for mail in mails:
        score.add(reader(mail), mail.lines)
    return score


def measure(results: Results) -> None:
    if not CORPORA.is_dir():
        print("signatures: ../shared/corpora is not here, nothing to measure on")
        return
    for name, mails in (("talon", list(talon(CORPORA))), ("crisp", list(crisp(CORPORA)))):
        for kind, held_out in (("", False), (", held out", True)):
            _report(results, f"signature lines, {name}{kind}", [mail for mail in mails if mail.is_held_out is held_out])
    _report(results, "signature lines, strangers' mails", list(strangers()))
    everything = [*talon(CORPORA), *crisp(CORPORA)]
    began = time.process_time()
    scored(everything)
    spent = (time.process_time() - began) / len(everything)
    results.add("signature read, CPU per mail", spent * 1000, "ms")


def _report(results: Results, name: str, mails: list[Labelled]) -> None:
    score = scored(mails)
    for what in ("precision", "recall", "f1"):
        results.add(f"{name} ({len(mails)} mails): {what}", getattr(score, what), "")


def _show(mails: list[Labelled]) -> None:
    """Where the reader differs from the labels; file names and line numbers from 1."""
    for mail in mails:
        found = found_in(mail)
        if found != mail.lines:
            numbers = [[number + 1 for number in sorted(part)] for part in (found, mail.lines)]
            print(f"{mail.name}: found {numbers[0]}, wanted {numbers[1]}")


if __name__ == "__main__":
    measure(Results())
    if "-v" in sys.argv:
        _show([mail for mail in (*talon(CORPORA), *crisp(CORPORA)) if not mail.is_held_out])
