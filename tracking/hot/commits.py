"""Group commit: a request is answered when the batch that holds its hit is in the stream. The batch that forms while
one is under way is the next, so a busy process pays one round trip for hundreds of hits.

Requests that leave no hit behind (forged, switched off) wait just as long: nothing can be told from time. A batch of
such requests alone writes as much as one with a hit, to where nobody reads.

While the stream is down nobody waits: hits go to the spool, and the stream is asked once a second whether it is back.
A Valkey that is nearly full counts as down, too: background work needs the rest, and that is what empties it."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress

from tracking.hot.hits import Entry, Noted, noted
from tracking.hot.returning import Returning
from tracking.hot.spool import Spool
from tracking.hot.stream import Stream, StreamDown
from tracking.hot.tokens import Kind

log = logging.getLogger("sidebar.tracking")

#: Hits in one entry at most; larger ones are drained faster, and one must fit into a worker's memory easily.
LARGEST = 500
#: Seconds until a stream that was down is tried again.
RETRY_AFTER = 1.0
#: Seconds without a hit after which disk and standing are looked at.
IDLE = 1.0
#: Hits that may wait in RAM for a disk that takes its time while the stream is down; what comes on top is lost.
MOST_HELD = 100_000
#: Seconds after which a writer that has finished no batch is no writer any more.
STUCK_AFTER = 10.0
#: Nobody's: as long as most.
_NO_HIT = noted(0, Kind.OPEN, 0, 0, bytes(16), bytes(16), ["0" * 15, "0" * 110, ""])


class Commits:
    """One per process and event loop. `seal` makes an entry of hits; `heard` is told the standing's version."""

    def __init__(
        self, stream: Stream, spool: Spool, seal: Callable[[list[Noted]], Entry], heard: Callable[[bytes], None]
    ):
        self._stream, self._spool, self._seal, self._heard = stream, spool, seal, heard
        self._returning = Returning(stream, spool, f"{socket.gethostname()}:{os.getpid()}")
        self._hits: list[Noted] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._wake = asyncio.Event()
        self._is_down = False
        self._ask_at = 0.0
        self._turned_at = time.monotonic()

    @property
    def is_down(self) -> bool:
        return self._is_down or self._returning.is_full

    @property
    def is_alive(self) -> bool:
        return time.monotonic() < self._turned_at + STUCK_AFTER

    def add(self, hit: Noted | None) -> asyncio.Future[None]:
        """Done when the hit is stored; at once, with the hit on its way to the spool, while the stream is down."""
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if hit is not None:
            self._hold(hit)
        self._wake.set()
        if self.is_down:
            mine.set_result(None)
        else:
            self._waiting.append(mine)
        return mine

    def _hold(self, hit: Noted) -> None:
        if len(self._hits) < MOST_HELD:
            self._hits.append(hit)
        else:
            self._spool.lost += 1

    async def run(self) -> None:
        """The one writer; ends when it is cancelled."""
        while True:
            await self._work_or_pause()
            await self._commit()
            try:
                await self._look_around()
            except Exception as error:  # noqa: BLE001  what waits on disk stays there; whoever asks is answered
                log.error("what waits on disk was not taken in: %s", type(error).__name__)
            self._turned_at = time.monotonic()

    async def _commit(self) -> None:
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

    async def _look_around(self) -> None:
        try:
            if not self._is_down:
                await self._returning.go_on()
            elif time.monotonic() >= self._ask_at:
                self._heard(await self._stream.append([]))
                self._is_down = False
        except StreamDown:
            self._mark_down()

    def _mark_down(self) -> None:
        self._is_down, self._ask_at = True, time.monotonic() + RETRY_AFTER

    async def _work_or_pause(self) -> None:
        """An empty batch now and then: who is switched off must be known before the next hit, and Valkey's return."""
        if not self._wake.is_set() and (self.is_down or not self._returning.has_more):
            with suppress(TimeoutError):
                async with asyncio.timeout(IDLE):
                    await self._wake.wait()
        self._wake.clear()

    async def _store(self, hits: list[Noted], *, answers: bool) -> None:
        entries = [self._seal(hits[at : at + LARGEST]) for at in range(0, len(hits), LARGEST)]
        if self.is_down:
            await self._spool.keep(entries, len(hits))
            return
        try:
            self._heard(await self._sent(entries, answers=answers))
        except StreamDown:
            self._mark_down()
            await self._spool.keep(entries, len(hits))

    async def _sent(self, entries: list[Entry], *, answers: bool) -> bytes:
        if answers and not entries:
            return await self._stream.pretend(self._seal([_NO_HIT]))
        return await self._stream.append(entries)
