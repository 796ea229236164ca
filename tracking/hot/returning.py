"""The way back of what waits on disk: a slice after each batch, so that nobody who asks now waits for it. Tells Valkey
how much there is, and hears from it how full it is."""

import time

from tracking.hot.spool import Spool, Waiting
from tracking.hot.stream import Stream

#: Bytes taken in from disk after each batch.
SLICE = 65_536
#: Seconds between looks for what dead processes have left, and between words about our own.
LOOK_EVERY, TELL_EVERY = 30.0, 2.0
#: Of Valkey's memory: above it hits wait on disk.
FULL = 0.7


class Returning:
    def __init__(self, stream: Stream, spool: Spool, name: str) -> None:
        self._stream, self._spool, self._name = stream, spool, name
        self._waiting: Waiting | None = None
        self._look_at, self._tell_at, self._told_lost = 0.0, 0.0, 0
        self.is_full = False

    @property
    def has_more(self) -> bool:
        """Without a pause: 64 kB a second would be a quarter of an hour for a spool that is full."""
        return self._waiting is not None

    async def go_on(self) -> None:
        """What is not taken in stays. Raises StreamDown."""
        try:
            await self._tell()
            if not self.is_full:
                await self._take_in()
        except OSError:
            self._let_go()

    async def _take_in(self) -> None:
        self._waiting = self._waiting or self._found()
        if self._waiting is None:
            return
        entries, until = self._waiting.next(SLICE)
        if entries:
            await self._stream.append(entries)
            self._waiting.taken(until)
            return
        self._waiting.done()
        self._waiting = None

    def _let_go(self) -> None:
        """A disk that cannot be read; it is tried again."""
        if self._waiting is not None:
            self._waiting.left()
        self._waiting = None

    def _found(self) -> Waiting | None:
        if self._spool.size:
            return self._spool.own()
        if time.monotonic() < self._look_at:
            return None
        if (left := next(self._spool.left_behind(), None)) is None:
            self._look_at = time.monotonic() + LOOK_EVERY
        return left

    async def _tell(self) -> None:
        if time.monotonic() >= self._tell_at:
            lost = self._spool.lost
            share = await self._stream.report(self._name, self._spool.size, lost - self._told_lost)
            self.is_full = share > FULL
            self._tell_at, self._told_lost = time.monotonic() + TELL_EVERY, lost
