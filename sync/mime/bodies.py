"""Gathers a message's texts while its parts pass by: the beginning and the end of each, in bounded memory.

Texts stand beside each other (a text, an attachment, a text) or for each other (multipart/alternative)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sync.mime.bounds import KEPT_HEAD, KEPT_IN_ALL, KEPT_TAIL, MOST_DECODED
from sync.mime.charsets import decoder, printable
from sync.mime.quotes import LEFT_OUT
from sync.mime.walk import Part

#: Where the middle of a text was not kept.
GAP = f"\n\n{LEFT_OUT}\n\n"
#: Of one message; those of a hundred parts would be held together otherwise.
_MOST_TEXTS = 20


class Kept:
    """Characters added up; of many the first and the last ones."""

    def __init__(self) -> None:
        self._head: list[str] = []
        self._tail: list[str] = []
        self._room = KEPT_HEAD
        self._tail_length = 0
        self.is_cut = False

    def __len__(self) -> int:
        return KEPT_HEAD - self._room + self._tail_length

    def add(self, text: str) -> None:
        head, rest = text[: self._room], text[self._room :]
        if head:
            self._head.append(head)
            self._room -= len(head)
        if rest:
            self._tail.append(rest)
            self._tail_length += len(rest)
            if self._tail_length > 2 * KEPT_TAIL:
                self._shorten()

    def halves(self) -> tuple[str, str]:
        """(the beginning, the end): the end is "" where nothing was left out."""
        if not self.is_cut:
            return "".join((*self._head, *self._tail)), ""
        self._shorten()
        return "".join(self._head), "".join(self._tail)

    def _shorten(self) -> None:
        whole = "".join(self._tail)[-KEPT_TAIL:]
        self._tail, self._tail_length, self.is_cut = [whole], len(whole), True


@dataclass(slots=True, repr=False)
class Section:
    """What is read at one place of the message, as plain text, as HTML, or as either."""

    key: str
    plain: list[Kept] = field(default_factory=list)
    html: list[Kept] = field(default_factory=list)


class Bodies:
    """`is_cut`: some text was left out."""

    def __init__(self) -> None:
        self.sections: list[Section] = []
        self.is_cut = False
        self._texts = self._kept = 0
        self._bytes_left = MOST_DECODED

    def add(self, part: Part, decoded: Iterable[bytes]) -> None:
        """Read a part of type text/plain or text/html."""
        self._texts += 1
        if self._texts > _MOST_TEXTS or self._kept > KEPT_IN_ALL:
            self.is_cut = True
            return
        kept = _read(decoded, part.content.parameters.get("charset", ""))
        self._kept += len(kept)
        self.is_cut = self.is_cut or kept.is_cut
        section = self._section(part)
        (section.html if part.content.subtype == "html" else section.plain).append(kept)

    def within(self, encoded: Iterable[bytes]) -> Iterator[bytes]:
        """As much of a part as may still be decoded."""
        for piece in encoded:
            if self._bytes_left <= 0:
                self.is_cut = True
                return
            self._bytes_left -= len(piece)
            yield piece

    def _section(self, part: Part) -> Section:
        """That of the outermost alternative around it, else one of its own."""
        key = next((each.path + "/" for each in part.containers if each.subtype == "alternative"), part.path)
        if not self.sections or self.sections[-1].key != key:
            self.sections.append(Section(key))
        return self.sections[-1]


def _read(decoded: Iterable[bytes], charset: str) -> Kept:
    kept, reads = Kept(), decoder(charset)
    for piece in decoded:
        kept.add(printable(reads.decode(piece)))
    kept.add(printable(reads.decode(b"", True)))
    return kept
