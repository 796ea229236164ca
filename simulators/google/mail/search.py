"""`q` of messages.list, as much of it as a program needs: after:, before:, in:, label:, rfc822msgid:, from:, subject:,
words of the subject, "-" before any. Source: support.google.com/mail/answer/7190, .../gmail/api/guides/filtering."""

import re
import shlex
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from simulators.google.mail.box import Box, Message
from simulators.google.mail.errors import invalid
from simulators.mail.messages import decoded

Test = Callable[[Message], bool]
_PST = timezone(timedelta(hours=-8))  # "midnight on that date in the PST timezone" (guides/filtering)
_NAMES = {"drafts": "DRAFT", "draft": "DRAFT", "chats": "CHAT", "anywhere": ""}


class Query:
    """`after`, `before`: seconds, as far as they were said; `tests`: everything else."""

    def __init__(self, box: Box, text: str) -> None:
        self.box = box
        self.after: float | None = None
        self.before: float | None = None
        self.tests: list[Test] = []
        self.names_spam_or_trash = False
        for word in _words(text):
            self._add(word)

    def fits(self, message: Message) -> bool:
        return all(test(message) for test in self.tests)

    def _add(self, word: str) -> None:
        bare = word.removeprefix("-")
        name, colon, value = bare.partition(":")
        if colon and name in ("after", "newer", "before", "older"):
            self._bound(name, value)
            return
        test = self._test(name, value) if colon else _subject_has(bare)
        self.tests.append((lambda message: not test(message)) if word.startswith("-") else test)

    def _bound(self, name: str, value: str) -> None:
        """Whole seconds, or a day: from its beginning on (after), or up to it (before)."""
        if name in ("after", "newer"):
            self.after = _seconds(value)
        else:
            self.before = _seconds(value)

    def _test(self, name: str, value: str) -> Test:
        if name in ("in", "label", "is"):
            return self._labelled(value)
        if name == "rfc822msgid":
            wanted = value.strip("<>")
            return lambda message: message.content.header("message-id").strip("<>") == wanted
        if name in ("from", "to", "cc"):
            return lambda message: value.lower() in decoded(message.content.header(name)).lower()
        if name == "subject":
            return _subject_has(value)
        raise invalid(f"Invalid query: {name}")

    def _labelled(self, value: str) -> Test:
        label = _NAMES.get(value.lower(), value.upper())
        own = {name.lower().replace(" ", "-"): key for key, name in self.box.labels.own.items()}
        label = own.get(value.lower(), label)
        self.names_spam_or_trash |= label in ("SPAM", "TRASH", "")
        return (lambda message: label in message.labels) if label else (lambda _: True)


def _subject_has(word: str) -> Test:
    return lambda message: word.lower() in decoded(message.content.header("subject")).lower()


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _seconds(value: str) -> float:
    if re.fullmatch(r"\d{8,}", value):
        return float(value)
    if day := re.fullmatch(r"(\d{4})[/-](\d{1,2})[/-](\d{1,2})", value):
        return datetime(int(day[1]), int(day[2]), int(day[3]), tzinfo=_PST).timestamp()
    raise invalid("Invalid query: date")
