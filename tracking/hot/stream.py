"""The Valkey stream that hits wait in, as the hot process sees it: one round trip per batch. Never reads hits."""

import time
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError

from tracking.hot.hits import Entry

STREAM = "tracking:hits"
NOWHERE = "tracking:nowhere"  # a stream of one entry, that nobody reads
STANDING = "tracking:standing"  # changes whenever one of the next three does
SWITCHED_OFF, WITHDRAWN, DAY = "tracking:off", "tracking:withdrawn", "tracking:day"
#: Process -> bytes in its spool and when it said so; hits that found no place anywhere.
SPOOLED, LOST = "tracking:spooled", "tracking:lost"
#: Longer, and who waits is answered without it.
PATIENCE = 0.25


class StreamDown(Exception):
    """Valkey did not take the batch, or nobody knows whether it did."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the hot process must know, as tracking.standing publishes it."""

    version: bytes
    switched_off: frozenset[bytes]
    withdrawn: frozenset[bytes]
    day: bytes


class Stream:
    def __init__(self, url: str) -> None:
        self._valkey = Redis.from_url(url, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE)

    async def append(self, entries: list[Entry]) -> bytes:
        """Answers once they are in the stream, with the version of the standing. Raises StreamDown."""
        pipe = self._valkey.pipeline(transaction=False)
        for entry in entries:
            pipe.xadd(STREAM, entry)  # type: ignore[arg-type]  # bytes are what the stub's union means
        return await self._commit(pipe)

    async def pretend(self, entry: Entry) -> bytes:
        """What `append` does, and as slowly: a write that is on disk before it answers, and overwritten by the next.
        Raises StreamDown."""
        pipe = self._valkey.pipeline(transaction=False)
        pipe.xadd(NOWHERE, entry, maxlen=1, approximate=False)  # type: ignore[arg-type]  # as above
        return await self._commit(pipe)

    async def _commit(self, pipe: Pipeline) -> bytes:
        pipe.get(STANDING)
        try:
            return bytes((await pipe.execute())[-1] or b"")
        except (RedisError, OSError, TimeoutError) as error:
            raise StreamDown(type(error).__name__) from None

    async def standing(self) -> Standing:
        """Raises StreamDown."""
        pipe = self._valkey.pipeline(transaction=True)
        pipe.get(STANDING)
        pipe.smembers(SWITCHED_OFF)
        pipe.smembers(WITHDRAWN)
        pipe.get(DAY)
        try:
            version, off, withdrawn, day = await pipe.execute()
        except (RedisError, OSError, TimeoutError) as error:
            raise StreamDown(type(error).__name__) from None
        return Standing(version or b"", frozenset(off), frozenset(withdrawn), day or b"")

    async def report(self, process: str, spooled: int, lost: int) -> None:
        """What this process holds on disk (bytes), and how many hits it could keep nowhere since it last told.
        Raises StreamDown."""
        pipe = self._valkey.pipeline(transaction=True)
        pipe.hset(SPOOLED, process, f"{spooled} {int(time.time())}")
        if lost:
            pipe.incrby(LOST, lost)
        try:
            await pipe.execute()
        except (RedisError, OSError, TimeoutError) as error:
            raise StreamDown(type(error).__name__) from None

    async def close(self) -> None:
        await self._valkey.aclose()
