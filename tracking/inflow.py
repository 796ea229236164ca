"""The stream of hits, seen by the worker that drains it: each entry is given to one consumer until it is acknowledged,
and to another where that one has died. Opens no entry."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis.exceptions import ResponseError

from tracking.hot.hits import Entry
from tracking.hot.stream import LOST, SPOOLED, STREAM
from tracking.valkey import BRIEFLY, valkey

GROUP = "drain"
#: Milliseconds after which an entry that was given out and not acknowledged is given to somebody else. A batch takes a
#: second or two; where its worker is slow and not dead, what the other one inserts is a repeat.
ABANDONED = 15_000
#: Bytes a process that has said nothing for so long (seconds) has in its spool are another's by now.
SILENT = 120
#: Seconds after which it is forgotten who said it.
FORGOTTEN = 86_400


@dataclass(frozen=True, slots=True)
class Given:
    id: bytes
    entry: Entry

    @property
    def at(self) -> datetime:
        """When it came into the stream, by Valkey's clock."""
        return datetime.fromtimestamp(int(self.id.partition(b"-")[0]) / 1_000, UTC)


def take(consumer: str, most: int) -> list[Given]:
    """Up to `most` entries: first what a dead consumer has left behind, then what is new. Raises RedisError."""
    try:
        return _taken(consumer, most)
    except ResponseError as error:
        if not str(error).startswith("NOGROUP"):
            raise
    _make_group()
    return _taken(consumer, most)


def _taken(consumer: str, most: int) -> list[Given]:
    found = _abandoned(consumer, most)
    if found:
        return found
    new: Any = valkey().xreadgroup(GROUP, consumer, {STREAM: ">"}, count=most)
    return [Given(id_, entry) for _, entries in new or [] for id_, entry in entries]


def _abandoned(consumer: str, most: int) -> list[Given]:
    """Valkey looks at ten times `most` of what was given out and then stops: others may stand behind these."""
    start, found = b"0-0", list[Given]()
    while not found:
        left: Any = valkey().xautoclaim(STREAM, GROUP, consumer, ABANDONED, start_id=start, count=most)
        start, found = left[0], [Given(id_, entry) for id_, entry in left[1] if entry]
        if start == b"0-0":
            break
    return found


def done(given: list[Given]) -> None:
    """After the commit: they are not needed any more, by anybody."""
    if not given:
        return
    ids = [each.id for each in given]
    pipe = valkey().pipeline(transaction=True)
    pipe.xack(STREAM, GROUP, *ids)
    pipe.xdel(STREAM, *ids)
    pipe.execute()


def _make_group() -> None:
    """At first, and after Valkey came back empty. Not each time: one that is full makes none, but gives what it has."""
    try:
        valkey().xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    except ResponseError as error:
        if not str(error).startswith("BUSYGROUP"):
            raise


@dataclass(frozen=True, slots=True)
class Backlog:
    """`entries`: in the stream, some hits in each; `oldest`: seconds the first of them has waited; `spooled`: bytes on
    the hot processes' disks; `lost`: hits that found no place since Valkey was last emptied."""

    entries: int
    oldest: float
    spooled: int
    lost: int


def backlog(now: float) -> Backlog:
    """`now`: seconds since 1970. Raises RedisError, soon."""
    pipe = valkey(BRIEFLY).pipeline(transaction=True)
    pipe.xlen(STREAM)
    pipe.xrange(STREAM, count=1)
    pipe.hvals(SPOOLED)
    pipe.get(LOST)
    entries, first, spooled, lost = pipe.execute()
    oldest = max(0.0, now - int(first[0][0].partition(b"-")[0]) / 1_000) if first else 0.0
    told = [tuple(map(int, each.split())) for each in spooled]
    return Backlog(entries, oldest, sum(size for size, at in told if at > now - SILENT), int(lost or 0))


def forget_silent(now: float) -> None:
    """What processes said of their spools that are long gone. `now`: seconds since 1970. Raises RedisError."""
    told: Any = valkey().hgetall(SPOOLED)
    if silent := [process for process, said in told.items() if int(said.split()[1]) < now - FORGOTTEN]:
        valkey().hdel(SPOOLED, *silent)
