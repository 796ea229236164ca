"""Shapes and protocol of writing mail into a CRM: who is known there, what was logged. No behaviour, no I/O.

Everything here is content of somebody's mail, for RAM only: it shows itself to no log and is never stored."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from providers.errors import ProviderError


class PersonKind(StrEnum):
    """A person account is found as the Contact behind it."""

    CONTACT = "Contact"
    LEAD = "Lead"
    PERSON_ACCOUNT = "PersonAccount"
    USER = "User"


class Role(StrEnum):
    """Where somebody stands in a mail."""

    FROM = "FromAddress"
    TO = "ToAddress"
    CC = "CcAddress"
    BCC = "BccAddress"


class KeyForm(StrEnum):
    """How the CRM keeps a second writing of the same mail away."""

    FIELD = "field"  # a unique field of the activity itself
    LEDGER = "ledger"  # a record with a unique key, written in one transaction with the activity
    LOOKUP = "lookup"  # looked for before, read back afterwards; the CRM itself keeps nothing away


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this person's rights and his organization's settings allow. `record`: "EmailMessage" or "Task", "" where
    neither may be created. `most_contacts` of one activity; leads stand alone on a Task. `notes`: sentences for an
    administrator."""

    record: str
    key_form: KeyForm
    most_contacts: int
    can_attach: bool
    is_attachment_keyed: bool
    can_post: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class FoundPerson:
    """Somebody behind an address, by ids only. `account_id`: "" for leads and users; `owner_id`: "" for users."""

    id: str
    kind: PersonKind
    address: str  # as it was asked for
    owner_id: str = ""
    account_id: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Copy:
    """A mail that is in the CRM and bears no key of ours, so another program has filed it. `sender`: an address; ""
    where it is not told. `sent_at`: aware, or None."""

    sender: str
    subject: str
    sent_at: datetime | None


@dataclass(frozen=True, slots=True, repr=False)
class FoundPeople:
    """`people` by the address asked for. `crowded`: addresses for which the answer was cut, so that somebody may be
    missing. `hidden`: kinds that this person may not see. `copies`: of the mails asked for, by their Message-ID."""

    people: Mapping[str, tuple[FoundPerson, ...]]
    crowded: frozenset[str] = frozenset()
    hidden: tuple[PersonKind, ...] = ()
    copies: Mapping[str, tuple[Copy, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, repr=False)
class Newcomers:
    """`addresses` of people who were created, or changed in any way. `is_cut`: there are more than these."""

    addresses: frozenset[str]
    is_cut: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Correspondent:
    """`person_id`: the contact, lead or user that the mail is filed under for this address; "" for nobody."""

    role: Role
    address: str
    name: str = ""
    person_id: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Link:
    """A file that stays where it is (a cloud drive)."""

    url: str
    name: str


@dataclass(frozen=True, slots=True, repr=False)
class EmailRecord:
    """One mail as it is to be filed. Texts of any length: they are trimmed to what the CRM takes. `related_to`: one
    account, opportunity, case ...; "" for none. `html` is sanitised already. `sent_at`: in the zone whose day counts,
    where the CRM keeps a day alone."""

    subject: str
    text: str
    sent_at: datetime
    is_incoming: bool
    correspondents: tuple[Correspondent, ...]
    html: str = ""
    message_id: str = ""  # the RFC 5322 Message-ID
    thread_id: str = ""
    related_to: str = ""
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Keyed:
    """`key`: at most 64 letters and digits, the same for the same mail; see docs/salesforce-setup.md. `is_repeat`: this
    was tried before, and may have arrived."""

    record: EmailRecord
    key: str
    is_repeat: bool = False


@dataclass(frozen=True, slots=True)
class Logged:
    """`id` of the activity; "" where it is there already but not visible to this person. `others`: further activities
    of the same mail (a lead's own task). `was_there`: an earlier attempt, or a colleague, has written it. `left_out`:
    ids of people whom the CRM has no place for on it."""

    object: str
    id: str
    was_there: bool = False
    others: tuple[str, ...] = ()
    left_out: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, repr=False)
class FileToAttach:
    """`open` gives the file's bytes piece by piece from the beginning, each time it is called. `length` in bytes where
    it is known for certain."""

    name: str
    media_type: str
    open: Callable[[], AbstractContextManager[Iterable[bytes]]]
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Attached:
    """`id` of the file's version, "" where it is there already but not visible."""

    id: str
    was_there: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """What the recipients of one mail did with it, likely, all of them together. `last_at`: None where nobody did; in
    the zone whose day counts."""

    opens: int
    clicks: int
    last_at: datetime | None


@dataclass(frozen=True, slots=True, repr=False)
class Note:
    """What is to be said of an activity that is there. `key`: the one it was filed under. `beside`: the record that
    says it where the activity itself cannot, once there is one; `is_repeat`: this was tried before, so it may be."""

    logged: Logged
    key: str
    seen: Seen
    beside: str = ""
    is_repeat: bool = False


class Removed(StrEnum):
    """What came of taking a mail back."""

    DELETED = "deleted"
    GONE = "gone"  # it was there no more, or this person does not see it
    CHANGED = "changed"  # somebody else has changed it since, and so it stays


class Activities(Protocol):
    """Mail into one CRM as one person. Every write may be repeated with the same key and is done once.

    Raises from `providers.errors`; nothing else escapes. Transient with `outcome_unknown`: repeat it."""

    def capabilities(self) -> Capabilities:
        """Described once a day; no call while that is kept."""
        ...

    def people(self, addresses: Sequence[str], message_ids: Sequence[str] = ()) -> FoundPeople:
        """All contacts, leads and users with exactly these addresses, whatever their case. One call for up to a
        hundred. `message_ids`: RFC 5322 Message-IDs, with their <>, of mails that may be there; they go along."""
        ...

    def newcomers(self, since: datetime) -> Newcomers:
        """Contacts and leads that were created or changed from `since` (aware) on. One call."""
        ...

    def log_email(self, record: EmailRecord, key: str, *, is_repeat: bool = False) -> Logged:
        """One call, in which it is written whole or not at all."""
        ...

    def log_emails(self, mails: Sequence[Keyed]) -> Sequence[Logged | ProviderError]:
        """As `log_email`, many at once: each by itself, in as few calls as may be; the outcomes in their order. Raises
        where nothing at all is known about any."""
        ...

    def add_relations(self, logged: Logged, people: Sequence[Correspondent]) -> tuple[str, ...]:
        """Stand these beside those who are on it already; ids of people for whom there is no place."""
        ...

    def make_own_tasks(self, logged: Logged, mail: Keyed, people: Sequence[str]) -> tuple[str, ...]:
        """For leads for whom there is no place on the task `logged`: each gets one of his own, as `log_email` makes it,
        or has it already. Ids of those of `people` who have none; no call where that is all of them."""
        ...

    def note_seen(self, notes: Sequence[Note]) -> Sequence[str | ProviderError]:
        """Say of each what its recipients did, instead of what was said before; the rest of the activity stays. In
        their order: the id of the record beside it that says so, "" where it says so itself. Raises as `log_emails`."""
        ...

    def unlink(self, logged: Logged, person_id: str) -> None:
        """Off this activity, which stays. Done, too, where he was not on it."""
        ...

    def delete(self, logged: Logged, key: str) -> None:
        """Gone afterwards, with everything that was written with it, whether it was there or not; the key is free."""
        ...

    def take_back(self, logged: Logged, key: str, known: Sequence[datetime] = ()) -> Removed:
        """As `delete`, unless somebody has changed it since it was filed. `known`: aware moments, give or take two
        minutes, at which we have changed it ourselves. May be repeated."""
        ...

    def move(self, logged: Logged, key: str, off: Sequence[str], onto: Sequence[str]) -> tuple[str, ...]:
        """Stands with the people `onto` instead of `off` afterwards, all of them or none; ids of those for whom there
        is no place, where nothing was changed. Raises NotFound where it is not there. May be repeated."""
        ...

    def attach(self, parents: Sequence[str], file: FileToAttach, key: str, *, is_repeat: bool = False) -> Attached:
        """The file onto the first of these records that takes files, piece by piece. Broken off: nothing is there."""
        ...

    def post_link(self, parent_id: str, link: Link, key: str) -> str:
        """A link in the feed of a record, or of the task that stands for a mail; its id. Raises NotFound where there
        is no feed."""
        ...
