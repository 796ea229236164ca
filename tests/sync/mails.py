"""Headings, folders, rules and people as the tests of the rules make them: a member `alice@acme.example` whose
organization has the domain acme.example."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from providers.activities import FoundPeople, FoundPerson, PersonKind
from providers.mail import Folder, FolderKind, Heading
from sync.letters import AttachmentPart, CloudLink, CloudService, Letter
from sync.rules import Candidate, Rulebook, Rules, decide_by_heading

ALICE = "alice@acme.example"
BOB = "bob@acme.example"
JANE = "jane@customer.example"
JOHN = "john@other.example"
MEMBER = "005000000000001AAA"
OTHER_MEMBER = "005000000000002AAA"
WHEN = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)

FOLDERS: Mapping[str, Folder] = {
    folder.id: folder
    for folder in (
        Folder("f-inbox", "Posteingang", FolderKind.INBOX),
        Folder("f-sent", "Gesendet", FolderKind.SENT),
        Folder("f-drafts", "Entwürfe", FolderKind.DRAFTS),
        Folder("f-trash", "Gelöscht", FolderKind.TRASH),
        Folder("f-junk", "Junk", FolderKind.JUNK),
        Folder("f-archive", "Archiv", FolderKind.ARCHIVE),
        Folder("f-clients", "Clients"),
        Folder("f-acme", "Clients/Müller"),
        Folder("f-deep", "Clients/Müller/2026"),
        Folder("f-clientsold", "Clients old"),
        Folder("f-inboxsub", "Posteingang/CRM"),
    )
}


def heading(
    sender: str = JANE,
    to: str = ALICE,
    *,
    folders: Sequence[str] = ("f-inbox",),
    subject: str = "Our offer",
    is_draft: bool = False,
    received_at: datetime = WHEN,
    id: str = "m-1",  # noqa: A002
    **more: Any,
) -> Heading:
    headers = [("from", sender), ("to", to), ("subject", subject)]
    headers += [(name.replace("_", "-"), value) for name, value in more.items()]
    return Heading(id, "t-1", tuple(folders), received_at, 1_000, is_draft, tuple(each for each in headers if each[1]))


def rules(**changes: Any) -> Rules:
    known: dict[str, Any] = {
        "is_on": True,
        "own_addresses": frozenset({ALICE}),
        "own_domains": frozenset({"acme.example"}),
    }
    return Rules(**{**known, **changes})


def book(**changes: Any) -> Rulebook:
    return Rulebook(incoming=rules(**changes), outgoing=rules(**changes), asked=rules(**changes))


def candidate(mail: Heading | None = None, **changes: Any) -> Candidate:
    decided = decide_by_heading(mail or heading(), FOLDERS, book(**changes))
    assert isinstance(decided, Candidate), decided
    return decided


def person(
    id: str,  # noqa: A002
    kind: PersonKind = PersonKind.CONTACT,
    address: str = JANE,
    *,
    owner_id: str = MEMBER,
    account_id: str = "",
) -> FoundPerson:
    return FoundPerson(id.ljust(15, "0") + "AAA", kind, address, owner_id, account_id)


def found(*people: FoundPerson, crowded: Sequence[str] = (), hidden: Sequence[PersonKind] = ()) -> FoundPeople:
    by_address: dict[str, tuple[FoundPerson, ...]] = {}
    for each in people:
        by_address[each.address] = (*by_address.get(each.address, ()), each)
    return FoundPeople(by_address, frozenset(crowded), tuple(hidden))


def letter(text: str = "Hello", mail: Heading | None = None, **changes: Any) -> Letter:
    known: dict[str, Any] = {
        "message_id": "<1@customer.example>",
        "in_reply_to": "",
        "references": (),
        "sender": None,
        "reply_to": (),
        "to": (),
        "cc": (),
        "bcc": (),
        "subject": "Our offer",
        "sent_at": WHEN,
        "text": text,
        "html": "",
        "attachments": (),
        "links": (),
        "is_automatic": False,
        "is_list": False,
        "is_encrypted": False,
        "problems": (),
        "headers": (mail or heading()).headers,
    }
    return Letter(**{**known, **changes})


def part(
    name: str = "offer.pdf", *, size: int = 5_000, media_type: str = "", is_inline: bool = False, path: str = "2"
) -> AttachmentPart:
    return AttachmentPart(path, name, media_type or "application/pdf", size, is_inline, "")


LINK = CloudLink("https://drive.google.com/file/d/1/view", "Plan", CloudService.GOOGLE_DRIVE)
