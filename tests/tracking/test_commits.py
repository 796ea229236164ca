"""The one writer of the hot process on bad days: a Valkey that is full, or frozen; a disk that holds much, or fails.
Whoever asks is answered; what was taken is stored."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from redis import Redis

from tests.tracking.asking import await_true
from tests.tracking.own_valkey import OwnValkey, own_valkey
from tracking.hot import returning, stream
from tracking.hot.boxes import BatchBox
from tracking.hot.commits import IDLE, Commits
from tracking.hot.hits import Entry, noted, packed
from tracking.hot.returning import SLICE, TELL_EVERY
from tracking.hot.spool import Spool
from tracking.hot.stream import PATIENCE, STREAM, Stream
from tracking.hot.tokens import Kind

HIT = noted(0, Kind.OPEN, 0, 0, bytes(16), bytes(16), ["198.51.100.7", "an agent", ""])
BOX = BatchBox([bytes(32)])


@pytest.fixture
def valkey(request: pytest.FixtureRequest) -> Iterator[OwnValkey]:
    with own_valkey(request.node.name, fsync="everysec") as server:
        yield server


class Writer:
    """A running one, and what it has on disk."""

    def __init__(self, valkey: OwnValkey, folder: Path) -> None:
        self.stream, self.spool, self.client = Stream(valkey.url), Spool(folder, 10_000_000), Redis.from_url(valkey.url)
        self.commits = Commits(self.stream, self.spool, lambda hits: packed(hits, BOX, None), lambda _: None)

    async def add(self) -> float:
        """Seconds until it was answered."""
        began = time.monotonic()
        await asyncio.wait_for(self.commits.add(HIT), 10)
        return time.monotonic() - began

    def entries(self) -> int:
        return int(self.client.xlen(STREAM))


def run(valkey: OwnValkey, folder: Path, story: Callable[[Writer], Awaitable[None]]) -> None:
    async def all_of_it() -> None:
        writer = Writer(valkey, folder)
        running = asyncio.get_running_loop().create_task(writer.commits.run())
        try:
            await story(writer)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            await writer.stream.close()

    asyncio.run(all_of_it())


async def until(is_so: Callable[[], bool], seconds: float = 20) -> None:
    await asyncio.to_thread(await_true, is_so, seconds)


def test_a_valkey_that_is_nearly_full_is_left_to_what_empties_it(valkey: OwnValkey, tmp_path: Path) -> None:
    async def story(writer: Writer) -> None:
        await writer.add()
        used = writer.client.info("memory")["used_memory"]
        writer.client.config_set("maxmemory", int(used / (returning.FULL + 0.1)))
        await until(lambda: writer.commits.is_down, TELL_EVERY * 4)
        before = writer.entries()
        assert all(writer.commits.add(HIT).done() for _ in range(20))
        await until(lambda: writer.spool.size > 0)
        assert writer.entries() == before
        writer.client.hset("other work", "still", "has room")
        writer.client.config_set("maxmemory", 0)
        await until(lambda: not writer.commits.is_down and not writer.spool.size)
        assert writer.entries() > before

    run(valkey, tmp_path, story)


def test_a_frozen_valkey_is_waited_for_once(valkey: OwnValkey, tmp_path: Path) -> None:
    async def story(writer: Writer) -> None:
        await writer.add()
        valkey.freeze()
        try:
            assert await writer.add() >= PATIENCE
            until_then = time.monotonic() + 4
            while time.monotonic() < until_then:
                assert writer.commits.add(HIT).done()
                await asyncio.sleep(0.02)
        finally:
            valkey.thaw()
        await until(lambda: not writer.commits.is_down and not writer.spool.size)

    run(valkey, tmp_path, story)


def test_much_on_disk_comes_back_without_pauses(valkey: OwnValkey, tmp_path: Path) -> None:
    entry: Entry = {b"f": bytes(8_000)}
    slices = 40

    async def story(writer: Writer) -> None:
        await writer.spool.keep([entry] * (slices * SLICE // 8_000), 1)
        await until(lambda: not writer.spool.size, IDLE * slices / 4)
        assert writer.entries() == slices * SLICE // 8_000

    run(valkey, tmp_path, story)


def test_a_fault_on_the_way_back_stops_nobody(
    valkey: OwnValkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the writer ends, everybody waits for ever."""

    def breaks(_: Spool) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(Spool, "left_behind", breaks)
    monkeypatch.setattr(stream, "PATIENCE", 5.0)  # else a pause of the machine sends one to the disk

    async def story(writer: Writer) -> None:
        for _ in range(3):
            assert await writer.add() < 5
        assert writer.entries() == 3
        assert writer.commits.is_alive

    run(valkey, tmp_path, story)


def test_a_writer_that_gets_nowhere_is_told_from_one_that_waits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commits = Commits(Stream("redis://127.0.0.1:1/0"), Spool(tmp_path, 1_000), lambda _: {}, lambda _: None)
    assert commits.is_alive
    now = time.monotonic()
    monkeypatch.setattr("tracking.hot.commits.time.monotonic", lambda: now + 60)
    assert not commits.is_alive
