"""The Valkey stream that hits wait in, as the hot process sees it: one round trip per batch. Never reads hits."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.connection import AbstractConnection
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


Command = tuple[str | bytes, ...]


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
        # Batches have a connection of their own, with one time limit for all of a batch. A client's pipeline, which
        # sets one for each answer, takes twice as long.
        line = Redis.from_url(url, socket_connect_timeout=PATIENCE, socket_timeout=None)
        self._line: AbstractConnection = line.connection_pool.make_connection()  # type: ignore[no-untyped-call]

    async def append(self, entries: list[Entry]) -> bytes:
        """Answers once they are in the stream, with the version of the standing. Raises StreamDown."""
        return await self._commit([("XADD", STREAM, "*", *_flat(entry)) for entry in entries])

    async def pretend(self, entry: Entry) -> bytes:
        """What `append` does, and as slowly: a write that is on disk before it answers, and overwritten by the next.
        Raises StreamDown."""
        return await self._commit([("XADD", NOWHERE, "MAXLEN", "1", "*", *_flat(entry))])

    async def _commit(self, commands: list[Command]) -> bytes:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._line.send_packed_command(self._line.pack_commands([*commands, ("GET", STANDING)]))
                for _ in commands:
                    await self._line.read_response()
                return bytes(await self._line.read_response() or b"")
        except (RedisError, OSError, TimeoutError) as error:
            await self._line.disconnect(nowait=True)  # whatever it still had to say belongs to no later batch
            raise StreamDown(type(error).__name__) from None

    async def standing(self) -> Standing:
        """Raises StreamDown."""
        pipe = self._valkey.pipeline(transaction=True)
        pipe.get(STANDING)
        pipe.smembers(SWITCHED_OFF)
        pipe.smembers(WITHDRAWN)
        pipe.get(DAY)
        version, off, withdrawn, day = await _executed(pipe)
        return Standing(version or b"", frozenset(off), frozenset(withdrawn), day or b"")

    async def report(self, process: str, spooled: int, lost: int) -> float:
        """What this process holds on disk (bytes), and how many hits it could keep nowhere since it last told. Answers
        how full Valkey is: 0 to 1, and 0 where nothing bounds it. Raises StreamDown."""
        share = await self._fullness()
        if share < 1:  # a full one takes no word
            pipe = self._valkey.pipeline(transaction=True)
            pipe.hset(SPOOLED, process, f"{spooled} {int(time.time())}")
            if lost:
                pipe.incrby(LOST, lost)
            await _executed(pipe)
        return share

    async def _fullness(self) -> float:
        pipe = self._valkey.pipeline(transaction=False)
        pipe.info("memory")
        (memory,) = await _executed(pipe)
        return float(memory["used_memory"] / memory["maxmemory"]) if memory.get("maxmemory") else 0.0

    async def close(self) -> None:
        await self._line.disconnect()
        await self._valkey.aclose()


async def _executed(pipe: Pipeline) -> list[Any]:
    try:
        return list(await pipe.execute())
    except (RedisError, OSError, TimeoutError) as error:
        raise StreamDown(type(error).__name__) from None


def _flat(entry: Entry) -> Iterable[bytes]:
    return chain.from_iterable(entry.items())
