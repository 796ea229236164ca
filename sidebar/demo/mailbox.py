"""A folder of .eml files as conversations, parsed once. Read-only; kept nowhere but in this process."""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from sidebar.demo.message import Mail, Unreadable, read_message

MOST_MESSAGES = 500
log = logging.getLogger("sidebar.demo")


@dataclass(frozen=True, slots=True)
class Conversation:
    """Messages that answer each other, oldest first. `key` is what its address in the browser ends in."""

    key: str
    mails: tuple[Mail, ...]

    @property
    def last(self) -> Mail:
        return self.mails[-1]

    @property
    def subject(self) -> str:
        return self.mails[0].subject

    @property
    def senders(self) -> str:
        """The sender; of several senders the first names."""
        names = list(dict.fromkeys(mail.sender.display_name or mail.sender.address for mail in self.mails))
        return names[0] if len(names) == 1 else ", ".join(_first_name(name) for name in names)

    @property
    def people(self) -> list[str]:
        """Everybody in it, the newest sender first, as RFC 5322 strings."""
        return list(dict.fromkeys(person for mail in reversed(self.mails) for person in mail.people))

    @property
    def people_json(self) -> str:
        """`people` for a data attribute."""
        return json.dumps(self.people)

    @property
    def message_ids_json(self) -> str:
        """Of all its messages, for a data attribute."""
        return json.dumps([mail.message_id for mail in self.mails if mail.message_id])

    @property
    def replies_json(self) -> str:
        """Who replied to which Message-ID, for a data attribute."""
        replies = [mail for mail in self.mails if mail.in_reply_to and mail.sender.address]
        return json.dumps([{"in_reply_to": mail.in_reply_to, "sender": mail.sender.address} for mail in replies])


def _first_name(name: str) -> str:
    """ "Doe, Jane" and "Jane Doe" -> "Jane"."""
    given = name.partition(",")[2] or name
    return (given.split() or [name])[0]


def conversations(folder: Path) -> Sequence[Conversation]:
    """Newest first. The folder is read again only when a file in it changes."""
    files = sorted(folder.glob("*.eml"))[:MOST_MESSAGES]
    return _load(tuple((path, path.stat().st_mtime_ns) for path in files))


def sign_in_hints(folder: Path) -> list[dict[str, Any]]:
    """Who one may sign in as in this demo: `sign-in.json` beside the messages, if it is there."""
    path = folder / "sign-in.json"
    return list(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else []


@lru_cache(maxsize=1)
def _load(files: tuple[tuple[Path, int], ...]) -> Sequence[Conversation]:
    mails = [mail for path, _ in files if (mail := _mail_in(path)) is not None]
    found = [_conversation(group) for group in _grouped(mails)]
    return sorted(found, key=lambda conversation: conversation.last.sent_at, reverse=True)


def _mail_in(path: Path) -> Mail | None:
    try:
        return replace(read_message(path.read_bytes()), path=path)
    except (Unreadable, OSError):
        log.warning("a message of the demo mailbox cannot be shown")
        return None


def _grouped(mails: list[Mail]) -> list[list[Mail]]:
    """Joins a message with those it refers to (RFC 5322 3.6.4); the first of a conversation may be missing."""
    root_of: dict[str, str] = {}
    groups: dict[str, list[Mail]] = {}
    for number, mail in enumerate(sorted(mails, key=lambda mail: mail.sent_at)):
        known = next((root_of[ref] for ref in mail.references if ref in root_of), None)
        root = known or next(iter(mail.references), mail.message_id) or f"<{number}@without-id.invalid>"
        root_of.update(dict.fromkeys((*mail.references, mail.message_id), root))
        groups.setdefault(root, []).append(mail)
    return list(groups.values())


def _conversation(mails: list[Mail]) -> Conversation:
    first = mails[0]
    seed = first.message_id or f"{first.sent_at.isoformat()} {first.subject}"
    return Conversation(hashlib.sha256(seed.encode("utf-8", "replace")).hexdigest()[:12], tuple(mails))
