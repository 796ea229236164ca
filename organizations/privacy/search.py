"""Looks through stores for canaries, and counts what it looked at. Never repeats what it found."""

import lzma
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from django.db import DatabaseError

from organizations.privacy.needles import Needles
from organizations.privacy.stores import NotChecked, Piece, Store

_HIDDEN = "a place whose name holds it"
#: One store whose every file is closed to us shall not fill the report.
MOST_TOLD = 20


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """`what`: what the canary stood for, and in which form; `where`: a file, a table, a key."""

    what: str
    where: str


@dataclass
class Looked:
    """What a search through one store came to."""

    store: str
    moment: str
    pieces: int = 0
    size: int = 0  # bytes
    found: list[Found] = field(default_factory=list)
    not_checked: list[NotChecked] = field(default_factory=list)


def look(stores: Iterable[Store], needles: Needles, moment: str) -> list[Looked]:
    return [_through(store, needles, moment) for store in stores]


def _through(store: Store, needles: Needles, moment: str) -> Looked:
    looked = Looked(store.name, moment)
    for each in store.contents():
        if isinstance(each, NotChecked):
            looked.not_checked.append(NotChecked(_told(each.where, needles), each.reason))
        else:
            _into(looked, each, needles)
    return looked


def _into(looked: Looked, piece: Piece, needles: Needles) -> None:
    """A name is looked at as well: an attachment's could have become a file's."""
    where = _told(piece.where, needles)
    found = needles.in_chunks([piece.where.encode("utf-8", "surrogateescape")])
    try:
        found |= needles.in_chunks(_counted(looked, piece.chunks))
        looked.pieces += 1
    except (OSError, EOFError, DatabaseError, lzma.LZMAError, zlib.error) as error:
        looked.not_checked.append(NotChecked(where, type(error).__name__))
    looked.found += sorted(Found(what, where) for what in found)


def _counted(looked: Looked, chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        looked.size += len(chunk)
        yield chunk


def _told(where: str, needles: Needles) -> str:
    name = where.encode("utf-8", "surrogateescape")
    return _HIDDEN if needles.in_chunks([name]) else name.decode("utf-8", "replace")
