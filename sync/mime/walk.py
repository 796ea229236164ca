"""The parts of a message, one after the other, as they come. Decodes no body and judges no content."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sync.letters import Problem, Undecipherable
from sync.mime.bounds import DEEPEST, MOST_PARTS
from sync.mime.content import MediaType, content_type
from sync.mime.fields import Fields, read_fields
from sync.mime.source import Delimiters, Source


@dataclass(frozen=True, slots=True)
class Container:
    """A multipart that is open. `path`: as in IMAP, the numbers of the parts with dots between; "" for the message."""

    path: str
    subtype: str


@dataclass(frozen=True, slots=True, repr=False)
class Part:
    """A part that holds no others. `body`: its bytes as encoded, good until the next part is asked for."""

    path: str
    fields: Fields
    content: MediaType
    containers: tuple[Container, ...]  # outermost first
    body: Iterator[bytes]


class Walk:
    """Iterate once. `heading` and `root` (the message's own headers) are there from the beginning, `problems` is
    complete at the end. Iterating raises Undecipherable (too_deep)."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._delimiters = Delimiters()
        self._source = Source(pieces, self._delimiters)
        self._open: list[Container] = []
        self._counts: list[int] = []
        self._parts = 0
        self.heading, self._has_body = read_fields(self._source, self._delimiters, is_first=True)
        self.root = content_type(self.heading.first("content-type"))
        self.problems = set(self.heading.problems)

    def __iter__(self) -> Iterator[Part]:
        fields, has_body, path = self.heading, self._has_body, ""
        while True:
            yield from self._entity(fields, has_body, path)
            if not self._next_part():
                break
            path = ".".join(filter(None, (self._open[-1].path, str(self._counts[-1]))))
            fields, has_body = read_fields(self._source, self._delimiters)
            self.problems |= fields.problems
        self._leave(0)
        if self._source.is_hostile:
            self.problems.add(Problem.BAD_STRUCTURE)

    def _entity(self, fields: Fields, has_body: bool, path: str) -> Iterator[Part]:
        """The part itself, or nothing where it is a multipart, of which only what stands before its parts is passed."""
        self._parts += 1
        content = content_type(fields.first("content-type"), self._default())
        if content.boundary and has_body:
            self._enter(Container(path, content.subtype), content.boundary)
        elif content.main == "multipart" and has_body:
            self.problems.add(Problem.BAD_STRUCTURE)
            content = MediaType("text", "plain", {})
        body = self._source.body() if has_body else iter(())
        if not content.boundary:
            yield Part(path or "1", fields, content, tuple(self._open), body)
        for _ in body:
            pass

    def _default(self) -> str:
        return "message/rfc822" if self._open and self._open[-1].subtype == "digest" else "text/plain"

    def _enter(self, container: Container, boundary: bytes) -> None:
        if len(self._open) == DEEPEST:
            raise Undecipherable("too_deep", "This message has parts nested too deeply to be read safely.")
        self._open.append(container)
        self._counts.append(0)
        self._delimiters.open(boundary)

    def _next_part(self) -> bool:
        """Pass what closes multiparts and follows them, up to where a part begins. False at the end of the message."""
        while (found := self._source.delimiter) is not None:
            level, is_last = found
            self._leave(level if is_last else level + 1)
            if not is_last:
                self._counts[-1] += 1
                return self._has_room()
            for _ in self._source.body():
                pass
        return False

    def _has_room(self) -> bool:
        if self._parts >= MOST_PARTS:
            self.problems.add(Problem.TOO_MANY_PARTS)
        return self._parts < MOST_PARTS

    def _leave(self, level: int) -> None:
        if 0 in self._counts[level:]:
            self.problems.add(Problem.BAD_STRUCTURE)
        del self._open[level:]
        del self._counts[level:]
        self._delimiters.close_to(level)
