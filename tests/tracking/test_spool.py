"""What waits on disk while the stream is down: whole, in order, within its bound, and found by others after a death."""

import asyncio
import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from tracking.hot.hits import Entry
from tracking.hot.spool import Spool, Waiting

ENTRIES: list[Entry] = [{b"f": b"%d" % number * 40, b"d": b"2027-01-01", b"w": bytes(300)} for number in range(5)]


def keep(spool: Spool, *entries: Entry) -> None:
    asyncio.run(spool.keep(list(entries), len(entries)))


def dies(spool: Spool) -> None:
    os.close(spool._file)


def rest_of(waiting: Waiting) -> list[Entry]:
    found: list[Entry] = []
    while True:
        entries, until = waiting.next(500)
        if not entries:
            return found
        found += entries
        waiting.taken(until)


def taken_in(spool: Spool) -> list[Entry]:
    """What dead processes have left behind; then their files are gone."""
    found: list[Entry] = []
    for waiting in spool.left_behind():
        found += rest_of(waiting)
        waiting.done()
    return found


def files(folder: Path) -> int:
    return len(list(folder.iterdir()))


def test_what_is_kept_comes_back_in_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 10_000)
    keep(spool, *ENTRIES[:2])
    waiting = spool.own()
    assert rest_of(waiting) == ENTRIES[:2]
    keep(spool, *ENTRIES[2:])
    assert rest_of(waiting) == ENTRIES[2:]
    waiting.done()
    assert (spool.size, spool.lost) == (0, 0)


def test_what_goes_beyond_the_bound_is_counted(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 1_000)
    for entry in ENTRIES:
        keep(spool, entry)
    assert spool.lost == 3
    assert rest_of(spool.own()) == ENTRIES[:2]


def test_a_dead_process_file_is_taken_in_and_a_living_ones_is_not(tmp_path: Path) -> None:
    own, dead, living = (Spool(tmp_path, 10_000) for _ in range(3))
    keep(dead, *ENTRIES)
    keep(living, ENTRIES[0])
    dies(dead)
    assert taken_in(own) == ENTRIES
    assert files(tmp_path) == 2
    assert rest_of(living.own()) == ENTRIES[:1]


def test_nobody_takes_a_new_file_for_a_dead_process_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody looks for files of the dead while one is made and not locked yet."""
    other, real = Spool(tmp_path, 10_000), fcntl.flock

    def late(file: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", real)
        assert taken_in(other) == []
        real(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    spool = Spool(tmp_path, 10_000)
    keep(spool, *ENTRIES)
    dies(spool)
    assert taken_in(other) == ENTRIES


def test_the_name_of_a_new_file_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file without a name is nobody's after a power failure, however often it was flushed itself."""
    flushed, real = list[str](), os.fsync

    def told(file: Any) -> None:
        flushed.append(str(Path(f"/proc/self/fd/{file}").readlink()))
        real(file)

    monkeypatch.setattr(os, "fsync", told)
    Spool(tmp_path, 10_000)
    assert flushed == [str(tmp_path)]


@pytest.mark.parametrize(
    "rest",
    [
        b"\0",
        b"\0\0\0\x09\x01abc",  # cut by a kill
        b"\xff\xff\xff\xff\x01" + bytes(50),  # 4 GiB are announced
        b"\0\0\0\x03\x05abc",  # fields beyond its end
        b"\0\0\0\0\0" + bytes(40),
    ],
)
def test_what_is_no_batch_holds_nothing_up(tmp_path: Path, rest: bytes) -> None:
    own, dead = Spool(tmp_path, 10_000), Spool(tmp_path, 10_000)
    keep(dead, *ENTRIES)
    os.write(dead._file, rest)
    dies(dead)
    assert taken_in(own) == ENTRIES
    assert files(tmp_path) == 1
