"""Group commit: a request is answered when the batch that holds its hit is in the stream. The batch that forms while
one is under way is the next, so a busy process pays one round trip for hundreds of hits.

Requests that leave no hit behind (forged, switched off) wait just as long: nothing can be told from time. A batch of
such requests alone writes as much as one with a hit, to where nobody reads."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress

from tracking.hot.hits import Entry, Hit
from tracking.hot.spool import Spool, Waiting
from tracking.hot.stream import Stream, StreamDown
from tracking.hot.tokens import Kind

log = logging.getLogger("sidebar.tracking")

#: Hits in one entry at most; larger ones are drained faster, and one must fit into a worker's memory easily.
LARGEST = 500
#: Seconds until a stream that was down is tried again.
RETRY_AFTER = 1.0
#: Seconds without a hit after which disk and standing are looked at.
IDLE = 1.0
#: Bytes taken in from disk after each batch.
SLICE = 65_536
#: Seconds between looks for what dead processes have left, and between words about our own.
LOOK_EVERY, TELL_EVERY = 30.0, 5.0
#: Nobody's: as long as most.
_NO_HIT = Hit(0, Kind.OPEN, 0, 0, bytes(16), bytes(16), ["0" * 15, "0" * 110, ""])


class Commits:
    """One per process and event loop. `seal` makes an entry of hits; `heard` is told the standing's version."""

    def __init__(
        self, stream: Stream, spool: Spool, seal: Callable[[list[Hit]], Entry], heard: Callable[[bytes], None]
    ):
        self._stream, self._spool, self._seal, self._heard = stream, spool, seal, heard
        self._returning = Returning(stream, spool, f"{socket.gethostname()}:{os.getpid()}")
        self._hits: list[Hit] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._wake = asyncio.Event()
        self._down_until = 0.0

    @property
    def is_down(self) -> bool:
        return time.monotonic() < self._down_until

    def add(self, hit: Hit | None) -> asyncio.Future[None]:
        """Done when the hit is stored; at once, with the hit on its way to the spool, while the stream is down."""
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if hit is not None:
            self._hits.append(hit)
        if not self._wake.is_set():
            self._wake.set()
        if self.is_down:
            mine.set_result(None)
        else:
            self._waiting.append(mine)
        return mine

    async def run(self) -> None:
        """The one writer; ends when it is cancelled."""
        while True:
            await self._work_or_pause()
            hits, self._hits, waiting, self._waiting = self._hits, [], self._waiting, []
            try:
                await self._store(hits, answers=bool(waiting))
            except Exception as error:  # noqa: BLE001  whoever waits is answered, and the next batch comes
                self._spool.lost += len(hits)
                log.error("%s hits found no place: %s", len(hits), type(error).__name__)
            finally:
                for each in waiting:
                    if not each.done():  # whoever has gone away was cancelled
                        each.set_result(None)
            if not self.is_down:
                await self._returning.go_on()

    async def _work_or_pause(self) -> None:
        """An empty batch now and then: who is switched off must be known before the next hit, and Valkey's return."""
        if not self._wake.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(IDLE):
                    await self._wake.wait()
        self._wake.clear()

    async def _store(self, hits: list[Hit], *, answers: bool) -> None:
        entries = [self._seal(hits[at : at + LARGEST]) for at in range(0, len(hits), LARGEST)]
        if self.is_down:
            await self._spool.keep(entries, len(hits))
            return
        try:
            self._heard(await self._sent(entries, answers=answers))
        except StreamDown:
            self._down_until = time.monotonic() + RETRY_AFTER
            await self._spool.keep(entries, len(hits))

    async def _sent(self, entries: list[Entry], *, answers: bool) -> bytes:
        if answers and not entries:
            return await self._stream.pretend(self._seal([_NO_HIT]))
        return await self._stream.append(entries)


class Returning:
    """Takes in again what waits on disk, a slice after each batch, so that nobody who asks now waits for it."""

    def __init__(self, stream: Stream, spool: Spool, name: str) -> None:
        self._stream, self._spool, self._name = stream, spool, name
        self._waiting: Waiting | None = None
        self._look_at, self._tell_at, self._told_lost = 0.0, 0.0, 0

    async def go_on(self) -> None:
        """Whether or not it works: what is not taken in stays."""
        with suppress(StreamDown, OSError):
            await self._tell()
            if self._waiting is None:
                self._waiting = self._found()
            if self._waiting is not None:
                await self._take_in(self._waiting)

    async def _take_in(self, waiting: Waiting) -> None:
        entries, until = waiting.next(SLICE)
        if entries:
            await self._stream.append(entries)
            waiting.taken(until)
            return
        waiting.done()
        self._waiting = None

    def _found(self) -> Waiting | None:
        if self._spool.size:
            return self._spool.own()
        if time.monotonic() < self._look_at:
            return None
        self._look_at = time.monotonic() + LOOK_EVERY
        return next(self._spool.left_behind(), None)

    async def _tell(self) -> None:
        if time.monotonic() >= self._tell_at:
            lost = self._spool.lost
            await self._stream.report(self._name, self._spool.size, lost - self._told_lost)
            self._tell_at, self._told_lost = time.monotonic() + TELL_EVERY, lost
