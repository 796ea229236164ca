"""Labels of a Gmail mailbox: those of the system and those that people make, nested by "/" in their names."""

from dataclasses import dataclass, field
from typing import Any

from simulators.google.mail.errors import GmailError, invalid, not_found

_PLACES = {"INBOX": "inbox", "SENT": "sent", "DRAFT": "drafts", "TRASH": "trash", "SPAM": "junk"}
_MARKS = ("UNREAD", "STARRED", "IMPORTANT", "CHAT")
_CATEGORIES = tuple(f"CATEGORY_{name}" for name in ("PERSONAL", "SOCIAL", "PROMOTIONS", "UPDATES", "FORUMS"))
_SYSTEM = (*_PLACES, *_MARKS, *_CATEGORIES)
#: The archive is no label: it is the lack of one.
_KINDS = {kind: label for label, kind in _PLACES.items()} | {"archive": ""}
_LABELS_MOST = 10_000


@dataclass
class Labels:
    """`own`: id -> name of those that people made."""

    own: dict[str, str] = field(default_factory=dict)
    made: int = 0

    def place(self, name: str) -> str:
        """The label of a folder named by its kind or id. Raises KeyError."""
        if name in _KINDS:
            return _KINDS[name]
        if name in self.own or name in _SYSTEM:
            return name
        raise KeyError(f"no folder {name}")

    def is_place(self, label: str) -> bool:
        """Messages are taken out of it by filing them elsewhere."""
        return label in self.own or label in ("INBOX", "TRASH", "SPAM")

    def create(self, name: str) -> str:
        self._check(name)
        if len(self.own) >= _LABELS_MOST:
            raise invalid("Too many labels")
        self.made += 1
        key = f"Label_{self.made}"
        self.own[key] = name
        return key

    def rename(self, key: str, name: str) -> None:
        """Those below it keep their place, as in Gmail's own pages."""
        if key not in self.own:
            raise not_found()
        self._check(name)
        old = f"{self.own[key]}/"
        for other, held in self.own.items():
            if held.startswith(old):
                self.own[other] = f"{name}/{held.removeprefix(old)}"
        self.own[key] = name

    def _check(self, name: str) -> None:
        if not name or name.upper() in _SYSTEM:
            raise invalid("Invalid label name")
        if name in self.own.values():
            raise GmailError(409, "aborted", "Label name exists or conflicts", status="ABORTED")

    def known(self, label: str) -> bool:
        return label in self.own or label in _SYSTEM

    def resource(self, key: str) -> dict[str, Any]:
        """As users.labels.list tells it: no counts. Raises GmailError 404."""
        if not self.known(key):
            raise not_found()
        if key in self.own:
            shown = {"messageListVisibility": "show", "labelListVisibility": "labelShow"}
            return {"id": key, "name": self.own[key], **shown, "type": "user"}
        hidden = {} if key in _PLACES else {"messageListVisibility": "hide", "labelListVisibility": "labelHide"}
        return {"id": key, "name": key, **hidden, "type": "system"}

    def all(self) -> list[dict[str, Any]]:
        return [self.resource(key) for key in (*_SYSTEM, *self.own)]

    def told(self) -> list[dict[str, str]]:
        places = [{"id": label, "name": label, "kind": kind} for label, kind in _PLACES.items()]
        return places + [{"id": key, "name": name, "kind": "other"} for key, name in self.own.items()]
