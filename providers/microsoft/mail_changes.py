"""Changes of one folder: Graph's delta, which knows no "from now on" for messages, read page by page.

Sources: learn.microsoft.com/graph/delta-query-messages (per folder; the first round tells every message that is there;
with `$filter` a round ends after 5,000, so we use none), /graph/delta-query-overview (empty pages, replays),
microsoft-graph-docs-contrib issue 72: with immutable ids, a message that left its folder and came back within a round
is told as removed and never again. So what is told as removed is looked for, and told with the folder it is in."""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from providers.errors import CursorExpired
from providers.mail import Change, Changes
from providers.microsoft.mail_failures import PROVIDER, nonsense
from providers.microsoft.mail_wire import ROOT, Wire, entries, text

#: Entries on the one page that a cursor's beginning costs; most folders are told whole by it.
_FIRST_PAGE = 500
#: A message may be seen in its folder so much later than it was received.
_LATE = timedelta(minutes=5)
_CURSOR = re.compile(r"(\d{0,11})\|(/v1\.0/(?:me|users)[/(][^#]*/delta(?:\(\))?\?[^#]*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cursor:
    """`link`: what to ask next, below Graph's origin. `since`: set while the first round lasts, seconds of the epoch;
    what was received before it is old and not told. As text: `since|link`."""

    link: str = field(repr=False)
    since: int | None = None

    def __str__(self) -> str:
        return f"{'' if self.since is None else self.since}|{self.link}"

    @classmethod
    def read(cls, said: str) -> "Cursor":
        """Raises CursorExpired where it is none of ours: the way on is the same."""
        found = _CURSOR.fullmatch(said)
        if found is None:
            raise CursorExpired("This is no place in the mailbox's changes.", provider=PROVIDER)
        return cls(found[2], int(found[1]) if found[1] else None)


def begin(wire: Wire, stream: str, now: datetime) -> Cursor:
    """One call. Where a folder holds more than its page tells, `page_after` goes through the rest of the round and
    tells of it only what was received since."""
    folder = quote(stream, safe="")
    body = wire.read(f"{ROOT}/me/mailFolders/{folder}/messages/delta?$select=receivedDateTime", page=_FIRST_PAGE)
    return _next(body, int((now - _LATE).timestamp()))


def page_after(wire: Wire, stream: str, cursor: Cursor, most: int) -> Changes:
    """Raises CursorExpired, NotFound where the folder is gone."""
    body = wire.read(cursor.link, page=most)
    told = entries(body)
    following = _next(body, cursor.since)
    fresh = [text(each, "id") for each in told if "@removed" not in each and _is_new(each, cursor.since)]
    changes = {id_: Change(id_, folders=(stream,)) for id_ in fresh}
    changes |= _whereabouts(wire, [text(each, "id") for each in told if "@removed" in each])
    return Changes(tuple(changes.values()), str(following), "@odata.nextLink" in body)


def _whereabouts(wire: Wire, ids: Iterable[str]) -> dict[str, Change]:
    """Gone from one folder: really gone, or elsewhere, or back."""
    wanted = list(dict.fromkeys(ids))
    parts = wire.batch([f"/me/messages/{quote(id_, safe='')}?$select=parentFolderId" for id_ in wanted])
    return {
        id_: Change(id_, is_gone=True) if part.is_gone else Change(id_, folders=_parent(part.checked()))
        for id_, part in zip(wanted, parts, strict=True)
    }


def _parent(entry: Mapping[str, Any]) -> tuple[str, ...]:
    folder = text(entry, "parentFolderId")
    return (folder,) if folder else ()


def _next(body: Mapping[str, Any], since: int | None) -> Cursor:
    """The first round ends with the first deltaLink."""
    if more := text(body, "@odata.nextLink"):
        return Cursor(_relative(more), since)
    return Cursor(_relative(text(body, "@odata.deltaLink")))


def _relative(link: str) -> str:
    """A link without its origin: cursors outlive a change of address, and lead nowhere else."""
    path = link.partition("://")[2].partition("/")[2]
    if not path.startswith(f"{ROOT[1:]}/"):
        raise nonsense()
    return f"/{path}"


def _is_new(entry: Mapping[str, Any], since: int | None) -> bool:
    received = text(entry, "receivedDateTime")
    return since is None or not received or instant(received).timestamp() >= since


def instant(said: str) -> datetime:
    """Graph's date-time, as UTC. Raises Transient for nonsense."""
    with suppress(ValueError, OverflowError):
        found = datetime.fromisoformat(said)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    raise nonsense()
