"""The headers of a message or a part: reads them from the wire, keeps those that are used. Decodes nothing."""

import re
from collections.abc import Iterator

from sync.letters import Problem
from sync.mime.bounds import LONGEST_HEADER, MOST_HEADER_BYTES, MOST_HEADER_LINES, MOST_HEADERS
from sync.mime.source import GAP, Delimiters, Shortened, Source

#: What `providers.mail.Heading` has of a message.
HEADING = (
    "from", "to", "cc", "bcc", "reply-to", "subject", "date", "message-id", "references", "in-reply-to",
    "auto-submitted", "list-id", "sensitivity", "x-auto-response-suppress",
)  # fmt: skip
_OTHERS = (
    "content-type", "content-transfer-encoding", "content-disposition", "content-id",
    "precedence", "return-path", "list-post", "list-unsubscribe", "x-autoreply", "x-autorespond",
)  # fmt: skip
_KEPT = frozenset(name.encode() for name in (*HEADING, *_OTHERS))
_FIELD = re.compile(rb"([!-9;-~]{1,100})[ \t]*:[ \t]*")
_MBOX_LINE = re.compile(rb">?From ")


class Fields:
    """Those that are used, in their order, as bytes on one line. `found` is every one of a name."""

    def __init__(self, kept: list[tuple[str, bytes]], problems: set[Problem]) -> None:
        self.kept = kept
        self.problems = problems

    def found(self, name: str) -> list[bytes]:
        return [value for given, value in self.kept if given == name]

    def first(self, name: str) -> bytes:
        """b"" where there is none. What was too long ends at the gap."""
        return next(iter(self.found(name)), b"").partition(GAP)[0]

    def has(self, name: str) -> bool:
        return any(given == name for given, _ in self.kept)


def read_fields(source: Source, delimiters: Delimiters, *, is_first: bool = False) -> tuple[Fields, bool]:
    """Up to the empty line. (the headers, whether a body follows): a delimiter among them ends the part, too.

    `is_first`: of the message, which mbox files begin with a line of their own."""
    block = _Block()
    source.delimiter = None
    if is_first:
        _skip_mbox_line(source)
    while (line := source.line()) is not None:
        if not line:
            return block.fields(), True
        source.delimiter = delimiters.found(line) if line.startswith(b"--") else None
        if source.delimiter is not None:
            return block.fields(), False
        if source.lines > MOST_HEADER_LINES:
            return block.cut(), source.pass_head()
        if not block.take(line):
            source.back(line)
            return block.fields(), True
    return block.fields(), False


def _skip_mbox_line(source: Source) -> None:
    while (line := source.line()) == b"":
        pass
    if line is not None and not _MBOX_LINE.match(line):
        source.back(line)


class _Block:
    """Takes lines one by one; the lines of one header become one."""

    def __init__(self) -> None:
        self._kept: list[tuple[str, bytes]] = []
        self._problems: set[Problem] = set()
        self._name = ""  # of the header whose lines are coming in; "" where it is not kept
        self._value = Shortened()
        self._count = self._bytes = 0

    def take(self, line: bytes) -> bool:
        """False where this is no header: the empty line is missing, and the text has begun."""
        if line[0] in b" \t" and self._count:
            if self._name:
                self._value.add(b" " + line.strip(b" \t"))
            return True
        match = _FIELD.match(line)
        if match is None:
            self._problems.add(Problem.BAD_HEADER)
            return False
        self._finish()
        self._begin(match.group(1).lower(), line[match.end() :])
        return True

    def cut(self) -> Fields:
        self._problems.add(Problem.TOO_MANY_HEADERS)
        return self.fields()

    def fields(self) -> Fields:
        self._finish()
        return Fields(self._kept, self._problems)

    def _begin(self, name: bytes, value: bytes) -> None:
        self._count += 1
        if self._count > MOST_HEADERS or self._bytes > MOST_HEADER_BYTES:
            self._problems.add(Problem.TOO_MANY_HEADERS)
        elif name in _KEPT:
            self._name = name.decode()
            self._value.add(value)

    def _finish(self) -> None:
        if self._name:
            value = self._value.value()
            if GAP in value and len(value) > LONGEST_HEADER:
                self._problems.add(Problem.LONG_HEADER)
            self._bytes += len(value)
            self._kept.append((self._name, value.strip(b" \t")))
        self._name, self._value = "", Shortened()


def heading_of(fields: Fields) -> Iterator[tuple[str, bytes]]:
    """What a provider's Heading would have of it."""
    return ((name, value) for name, value in fields.kept if name in HEADING)
