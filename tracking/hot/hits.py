"""What is written down of a hit, and how a batch of them is sealed for its way to the database.

Two layers: what happened (ids, times) under TRACKING_KEY; who asked (addresses, agents) under the day's key as well, so
that nothing readable is left of it anywhere once that key is gone. One sealing per batch, not per hit."""

from struct import Struct
from typing import Any, NamedTuple

import orjson

from tracking.hot.boxes import BatchBox, Closing, Opening

#: Milliseconds since 1970, kind, flags, link, organization, copy.
_FACTS = Struct(">QBBH16s16s")
_NUMBER = Struct(">I")


class Flag:
    """How it was asked for, as far as it needs no guessing."""

    HEAD, PREFETCH, PARTIAL = 1, 2, 4  # PARTIAL: a range of it, or only if it has changed


#: A hit on its way into a batch: its facts, packed; who asked.
Noted = tuple[bytes, list[str]]


class Hit(NamedTuple):
    """One request with a good token. `who`: what may say whether a person asked; see tracking.hot.app. `id`: its place,
    which is the random nonce of its entry and its number there; a second delivery of the entry is a repeat by that."""

    at: int  # milliseconds since 1970, UTC
    kind: int  # tokens.Kind
    flags: int
    link: int
    organization: bytes
    copy_id: bytes
    who: list[str]
    id: bytes = b""


Entry = dict[bytes, bytes]


def noted(at: int, kind: int, flags: int, link: int, organization: bytes, copy_id: bytes, who: list[str]) -> Noted:
    """As in Hit. Packed at once: making the object costs more."""
    return _FACTS.pack(at, kind, flags, link, organization, copy_id), who


def packed(hits: list[Noted], batch: BatchBox, day: Closing | None) -> Entry:
    """One entry of the stream, or of the spool. Without a day's key who asked is not written down at all."""
    facts = batch.seal(b"".join([facts for facts, _ in hits]))
    if day is None:
        return {b"f": facts}
    return {b"f": facts, b"d": day.name, b"w": day.seal(orjson.dumps([who for _, who in hits]), facts)}


def unpacked(entry: Entry, batch: BatchBox, day: Opening | None) -> list[Hit]:
    """Raises boxes.NotOurs. `day`: of the name in `entry[b"d"]`; None where it is gone: then nobody knows who asked."""
    rows = list(_FACTS.iter_unpack(batch.open(entry[b"f"])))
    asked: list[Any] = [[] for _ in rows]
    if day is not None and b"w" in entry:
        asked = orjson.loads(day.open(entry[b"w"], entry[b"f"]))
    nonce = batch.nonce_of(entry[b"f"])
    return [
        Hit(at, kind, flags, link, organization, copy_id, who, nonce + _NUMBER.pack(number))
        for number, ((at, kind, flags, link, organization, copy_id), who) in enumerate(zip(rows, asked, strict=True))
    ]
