"""One person's mailbox at Microsoft: folders, messages, and the journal of each folder. Knows no HTTP."""

import base64
import hashlib
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from simulators.mail.messages import Content, decoded

#: Well-known name in Graph, kind as tests name it, display name. Source: graph/api/resources/mailfolder.
WELL_KNOWN = (
    ("inbox", "inbox", "Inbox"),
    ("sentitems", "sent", "Sent Items"),
    ("drafts", "drafts", "Drafts"),
    ("deleteditems", "trash", "Deleted Items"),
    ("junkemail", "junk", "Junk Email"),
    ("archive", "archive", "Archive"),
    ("outbox", "other", "Outbox"),
    ("conversationhistory", "other", "Conversation History"),
)
#: What a transport put its headers on: not what was written here.
_WRITTEN_HERE = ("sent", "drafts")
_REPLY = re.compile(r"^\s*(?:(?:re|fw|fwd|aw|wg)\s*:\s*)+", re.IGNORECASE)
_IDS = re.compile(r"<[^<>\s]+>")


@dataclass
class Folder:
    id: str
    name: str
    parent: str = ""
    kind: str = "other"
    well_known: str = ""
    is_search: bool = False


@dataclass
class Message:
    """`id`: the immutable one. `has_arrived`: over a transport, so it has headers of its own."""

    id: str
    content: Content
    folder: str
    received_at: int
    conversation: str
    has_arrived: bool
    is_draft: bool
    is_read: bool = False
    version: int = 1

    @property
    def regular_id(self) -> str:
        """Another one in each folder, as without `IdType="ImmutableId"`."""
        return _id("AAMkAG", f"{self.id}:{self.folder}:{self.version}")


@dataclass(frozen=True)
class Entry:
    """What happened to a message in a folder: "in", "out" or "touch"; `name`: its regular id then."""

    what: str
    id: str
    name: str


Listener = Callable[[str, Message, str], None]


@dataclass
class Box:
    """`listener` hears (created | updated | deleted, message, folder id)."""

    owner: str
    listener: Listener
    folders: dict[str, Folder] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    journals: dict[str, list[Entry]] = field(default_factory=dict)
    contents: dict[str, dict[str, Message]] = field(default_factory=dict)  # by folder
    names: dict[str, str] = field(default_factory=dict)  # regular ids of now
    known: dict[tuple[str, str], str] = field(default_factory=dict)  # (Message-ID, topic) -> conversation

    def __post_init__(self) -> None:
        for well_known, kind, name in WELL_KNOWN:
            self._add_folder(Folder(_id("AQMkAD", f"{self.owner}:{well_known}"), name, "", kind, well_known))

    # -- folders --------------------------------------------------------------------------------------------------

    def make_folder(self, name: str, parent: str = "", is_search: bool = False) -> Folder:
        """`is_search`: a saved search, which holds nothing itself."""
        above = self.folder(parent).id if parent else ""
        return self._add_folder(Folder(_id("AAMkAG", f"{self.owner}:{uuid.uuid4()}"), name, above, is_search=is_search))

    def _add_folder(self, folder: Folder) -> Folder:
        self.folders[folder.id] = folder
        self.journals[folder.id], self.contents[folder.id] = [], {}
        return folder

    def folder(self, name: str) -> Folder:
        """By id, well-known name or kind. Raises KeyError."""
        if name in self.folders:
            return self.folders[name]
        named = (f for f in self.folders.values() if name.lower() in (f.well_known, f.kind) and f.well_known)
        found = next(named, None)
        if found is None:
            raise KeyError(f"no folder {name}")
        return found

    def folder_on_the_wire(self, name: str) -> Folder | None:
        """By id or well-known name, as in a URL."""
        known = (folder for folder in self.folders.values() if folder.well_known == name.lower() and folder.well_known)
        return self.folders.get(name) or next(known, None)

    def remove_folder(self, folder_id: str) -> None:
        """With its messages and what is below it."""
        for child in [f.id for f in self.folders.values() if f.parent == folder_id]:
            self.remove_folder(child)
        for message in list(self.contents[folder_id]):
            self.delete(message)
        del self.folders[folder_id], self.journals[folder_id], self.contents[folder_id]

    def children(self, folder_id: str) -> list[Folder]:
        return [folder for folder in self.folders.values() if folder.parent == folder_id]

    def path(self, folder: Folder) -> str:
        return f"{self.path(self.folders[folder.parent])}/{folder.name}" if folder.parent else folder.name

    # -- messages -------------------------------------------------------------------------------------------------

    def message(self, name: str) -> Message:
        """By immutable or present regular id. Raises KeyError."""
        return self.messages[self.names.get(name, name)]

    def in_folder(self, folder_id: str = "") -> list[Message]:
        """Newest first; without a folder, in all of them."""
        found = self.contents[folder_id] if folder_id else self.messages
        return sorted(found.values(), key=lambda m: (m.received_at, m.id), reverse=True)

    def deliver(self, content: Content, folder: str, received_at: float, is_read: bool = False) -> Message:
        place = self.folder(folder)
        message = Message(
            id=_id("AAkALg", f"{self.owner}:{uuid.uuid4()}"),
            content=content,
            folder=place.id,
            received_at=int(received_at),
            conversation=self._conversation(content),
            has_arrived=place.kind not in _WRITTEN_HERE,
            is_draft=place.kind == "drafts",
            is_read=is_read or place.kind in _WRITTEN_HERE,
        )
        self.messages[message.id] = message
        self._note("in", "created", message)
        return message

    def move(self, name: str, folder: str) -> Message:
        message, place = self.message(name), self.folder(folder)
        self._note("out", "deleted", message)
        message.folder, message.version = place.id, message.version + 1
        self._note("in", "created", message)
        return message

    def send(self, name: str, at: float) -> Message:
        """A draft goes out: its copy in Sent Items keeps the immutable id (graph/outlook-immutable-id)."""
        message = self.message(name)
        message.is_draft, message.received_at = False, int(at)
        return self.move(name, "sentitems")

    def touch(self, name: str) -> Message:
        """Read, flagged, categorised: whatever changes a message where it is."""
        message = self.message(name)
        message.is_read = not message.is_read
        self._note("touch", "updated", message)
        return message

    def delete(self, name: str) -> None:
        """For good."""
        message = self.message(name)
        self._note("out", "deleted", message)
        del self.messages[message.id]

    def _note(self, what: str, told: str, message: Message) -> None:
        name = message.regular_id
        self.journals[message.folder].append(Entry(what, message.id, name))
        if what == "out":
            del self.names[name], self.contents[message.folder][message.id]
        else:
            self.names[name], self.contents[message.folder][message.id] = message.id, message
        self.listener(told, message, message.folder)

    def _conversation(self, content: Content) -> str:
        """Exchange keeps together what refers to each other under one topic."""
        topic = _REPLY.sub("", decoded(content.header("subject"))).strip().lower()
        said = content.header("references") + content.header("in-reply-to")
        earlier = (self.known.get((each, topic)) for each in reversed(_IDS.findall(said)))
        found = next(filter(None, earlier), "") or _id("AAQkAG", str(uuid.uuid4()))
        self.known[(content.header("message-id"), topic)] = found
        return found


def _id(prefix: str, name: str) -> str:
    """As long and of the same alphabet as the real ones, which are case-sensitive."""
    digest = hashlib.sha512(name.encode()).digest()
    return prefix + base64.urlsafe_b64encode(digest + digest[:22]).decode().rstrip("=") + "AAA="
