"""What is put into which mailbox, and what must come of it: computed from the mails alone, by nothing of the product's.

Every mail's subject holds its number, by which its record is known again; every text of it holds a canary."""

import base64
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from organizations.privacy.canaries import Canaries

SYNCED, UNMATCHED, PRIVATE, IGNORED, PARKED = "synced", "unmatched", "private", "ignored", "parked"
INBOX, SENT, JUNK = "inbox", "sent", "junk"
_BEGAN = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Box:
    """One member's mailbox. `org`: of the simulated Salesforce; `account`: of whom, at the provider and there."""

    provider: str
    account: str
    org: str

    @property
    def address(self) -> str:
        return f"{self.account}@{self.org}.example"


@dataclass(frozen=True)
class People:
    """Of one organization's Salesforce. `known`: address -> the one record that has it; `shared`: an address that two
    have."""

    known: Mapping[str, str]
    shared: str = ""


@dataclass(frozen=True, repr=False)
class Mail:
    """`places`: mailboxes that it lies in; in one of them twice where it came twice. `records`: how many must come of
    it; `outcome`: what the decision about each copy must say. `person_id`: whom its record must name. `files`: names of
    what is attached."""

    number: int
    kind: str
    raw: bytes
    places: tuple[Box, ...]
    folder: str
    outcome: str
    records: int = 0
    person_id: str = ""
    colleagues: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


@dataclass
class Texts:
    """The canaries: where in a mail each stands."""

    canaries: Canaries = field(default_factory=Canaries)

    def __post_init__(self) -> None:
        new = self.canaries.new
        self.subject, self.text, self.html = new("a subject"), new("a text"), new("a text in HTML")
        self.stranger, self.name, self.host = new("a stranger's address"), new("a name"), new("a Message-ID")
        self.file = new("what is attached")


class Plan:
    """Mails for these mailboxes, drawn with a seed."""

    def __init__(self, boxes: Sequence[Box], people: Mapping[str, People], seed: int) -> None:
        self.texts = Texts()
        self._boxes, self._people, self._random = boxes, people, random.Random(seed)
        self._last = 0
        self._ids: list[str] = []  # Message-IDs that somebody may forge

    def mails(self, copies: int) -> list[Mail]:
        """Until so many copies lie in mailboxes. In the order in which they arrive."""
        made: list[Mail] = []
        names = list(_KINDS)
        while sum(len(mail.places) for mail in made) < copies:
            (name,) = self._random.choices(names, [_KINDS[each][0] for each in names])
            made.append(_KINDS[name][1](self, self._random.choice(self._boxes)))
        return made

    # -- kinds ------------------------------------------------------------------------------------------------------

    def contact(self, box: Box) -> Mail:
        who = self._somebody(box)
        return self._mail("contact", who, [box.address], [box], records=1, who=who)

    def sent(self, box: Box) -> Mail:
        who = self._somebody(box)
        return self._mail("sent", box.address, [who], [box], folder=SENT, records=1, who=who)

    def colleagues(self, box: Box) -> Mail:
        """One mail, a copy in each of their mailboxes."""
        mine = [each for each in self._boxes if each.org == box.org]
        places = self._random.sample(mine, min(len(mine), self._random.randint(2, 3)))
        who = self._somebody(box)
        return self._mail("colleagues", who, sorted({each.address for each in places}), places, records=1, who=who)

    def twice(self, box: Box) -> Mail:
        who = self._somebody(box)
        return self._mail("twice", who, [box.address], [box, box], records=1, who=who)

    def forged(self, box: Box) -> Mail:
        """With the Message-ID of another one: neither keeps the other out."""
        who = self._somebody(box)
        taken = self._random.choice(self._ids) if self._ids else None
        return self._mail("forged", who, [box.address], [box], records=1, who=who, message_id=taken)

    def nameless(self, box: Box) -> Mail:
        """Without a Message-ID nobody tells a copy from another mail: each has its own record."""
        who = self._somebody(box)
        places = [box] * self._random.randint(1, 2)
        return self._mail("nameless", who, [box.address], places, records=len(places), who=who, message_id="")

    def enclosed(self, box: Box) -> Mail:
        who = self._somebody(box)
        return self._mail("enclosed", who, [box.address], [box], records=1, who=who, files=2)

    def stranger(self, box: Box) -> Mail:
        return self._mail("stranger", f"{self.texts.stranger}@unheard-of.example", [box.address], [box], UNMATCHED)

    def code(self, box: Box) -> Mail:
        who = self._somebody(box)
        return self._mail("code", who, [box.address], [box], PRIVATE, subject="Your verification code 123456")

    def inside(self, box: Box) -> Mail:
        return self._mail("inside", f"somebody@{box.org}.example", [box.address], [box], IGNORED)

    def junk(self, box: Box) -> Mail:
        return self._mail("junk", self._somebody(box), [box.address], [box], IGNORED, folder=JUNK)

    def shared(self, box: Box) -> Mail:
        """Two people have this address: somebody must be asked."""
        who = self._people[box.org].shared
        return self._mail("shared", who, [box.address], [box], PARKED) if who else self.stranger(box)

    # -- their texts ------------------------------------------------------------------------------------------------

    def _somebody(self, box: Box) -> str:
        return self._random.choice(sorted(self._people[box.org].known))

    def _mail(
        self,
        kind: str,
        sender: str,
        to: Sequence[str],
        places: Sequence[Box],
        outcome: str = SYNCED,
        *,
        folder: str = INBOX,
        records: int = 0,
        who: str = "",
        subject: str = "Spring offer",
        message_id: str | None = None,
        files: int = 0,
    ) -> Mail:
        self._last += 1
        if message_id is None:
            message_id = f"<{self._last}.{self.texts.host}@mail.example>"
            self._ids.append(message_id)
        names = tuple(f"{token(self._last)}{number}.bin" for number in range(files))
        raw = self._raw(sender, to, f"{subject} {token(self._last)} {self.texts.subject}", message_id, names)
        person_id = self._people[places[0].org].known[who] if who else ""
        colleagues = tuple(sorted({each.account for each in places}))
        return Mail(self._last, kind, raw, tuple(places), folder, outcome, records, person_id, colleagues, names)

    def _raw(self, sender: str, to: Sequence[str], subject: str, message_id: str, files: Sequence[str]) -> bytes:
        texts = self.texts
        head = [
            f"From: {texts.name} <{sender}>",
            f"To: {', '.join(to)}",
            f"Subject: {subject}",
            f"Date: {format_datetime(_BEGAN - timedelta(days=self._last % 20) + timedelta(seconds=self._last))}",
            *([f"Message-ID: {message_id}"] if message_id else []),
            "MIME-Version: 1.0",
            'Content-Type: multipart/mixed; boundary="whole"',
        ]
        first = '--whole\r\nContent-Type: multipart/alternative; boundary="half"\r\n\r\n'
        plain = f"--half\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello,\r\n{texts.text}\r\n"
        html = (
            f"--half\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Hello, <b>{texts.html}</b></p>\r\n--half--\r\n"
        )
        parts = [first, plain, html, *map(self._file, files), "--whole--\r\n"]
        return ("\r\n".join(head) + "\r\n\r\n" + "".join(parts)).encode()

    def _file(self, name: str) -> str:
        body = base64.encodebytes(self.texts.file.encode() * 20).decode().replace("\n", "\r\n")
        kind = f'Content-Type: application/octet-stream; name="{name}"'
        how = f'Content-Disposition: attachment; filename="{name}"\r\nContent-Transfer-Encoding: base64'
        return f"--whole\r\n{kind}\r\n{how}\r\n\r\n{body}"


def token(number: int) -> str:
    return f"mail-{number:06d}."


#: Kind -> how often, and who makes it. A good half belongs into Salesforce.
_KINDS: Mapping[str, tuple[int, Callable[[Plan, Box], Mail]]] = {
    "contact": (20, Plan.contact),
    "enclosed": (2, Plan.enclosed),
    "sent": (12, Plan.sent),
    "colleagues": (12, Plan.colleagues),
    "twice": (6, Plan.twice),
    "forged": (5, Plan.forged),
    "nameless": (3, Plan.nameless),
    "stranger": (22, Plan.stranger),
    "code": (5, Plan.code),
    "inside": (6, Plan.inside),
    "junk": (5, Plan.junk),
    "shared": (2, Plan.shared),
}


def expected_records(mails: Sequence[Mail], org: str) -> Counter[str]:
    """Of each mail of this organization, by its token."""
    return Counter({token(mail.number): mail.records for mail in mails if mail.records and mail.places[0].org == org})


def expected_files(mails: Sequence[Mail], org: str) -> Counter[str]:
    return Counter(name for mail in mails if mail.places[0].org == org for name in mail.files)
