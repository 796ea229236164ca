"""Group commit: a request is answered when the batch that holds its hit is in the stream. The batch that forms while
one is under way is the next, so a busy process pays one round trip for hundreds of hits.

Requests that leave no hit behind (forged, switched off) wait just as long: nothing can be told from time."""

import asyncio
import time
from collections.abc import Callable

from tracking.hot.hits import Entry, Hit
from tracking.hot.spool import Spool
from tracking.hot.stream import Stream, StreamDown

#: Hits in one entry at most; larger ones are drained faster, and one must fit into a worker's memory easily.
LARGEST = 500
#: Seconds until a stream that was down is tried again.
RETRY_AFTER = 1.0


class Commits:
    """One per process and event loop. `seal` makes an entry of hits; `heard` is told the standing's version."""

    def __init__(
        self, stream: Stream, spool: Spool, seal: Callable[[list[Hit]], Entry], heard: Callable[[bytes], None]
    ):
        self._stream, self._spool, self._seal, self._heard = stream, spool, seal, heard
        self._hits: list[Hit] = []
        self._batch: asyncio.Future[None] | None = None
        self._wake = asyncio.Event()
        self._down_until = 0.0

    @property
    def is_down(self) -> bool:
        return time.monotonic() < self._down_until

    async def add(self, hit: Hit | None) -> None:
        """Returns when the hit is stored; at once, with the hit on its way to the spool, while the stream is down."""
        if hit is not None:
            self._hits.append(hit)
        if self._batch is None:
            self._batch = asyncio.get_running_loop().create_future()
            self._wake.set()
        if not self.is_down:
            await asyncio.shield(self._batch)

    async def run(self) -> None:
        """The one writer; ends when it is cancelled, after what is under way."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            hits, self._hits, batch, self._batch = self._hits, [], self._batch, None
            try:
                await self._store(hits)
            finally:
                if batch is not None and not batch.done():
                    batch.set_result(None)

    async def _store(self, hits: list[Hit]) -> None:
        entries = [self._seal(hits[at : at + LARGEST]) for at in range(0, len(hits), LARGEST)]
        if self.is_down:
            await self._spool.keep(entries, len(hits))
            return
        try:
            self._heard(await self._stream.append(entries))
        except StreamDown:
            self._down_until = time.monotonic() + RETRY_AFTER
            await self._spool.keep(entries, len(hits))
