"""Kills parts of a running product at random moments, and compares in the end what was answered with what is stored."""

import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from redis import Redis
from redis.exceptions import RedisError

from tests.running import Stack
from tests.tracking.asking import Hit, Load, await_true
from tracking.hot.commits import RETRY_AFTER
from tracking.hot.stream import PATIENCE
from tracking.inflow import GROUP

#: As run.json names them.
HOT, WORKER, VALKEY, POSTGRES = PARTS = ("tracking", "worker", "Valkey", "PostgreSQL")
STREAM = "tracking:hits"
#: Seconds in which the hot process has on its disk what it answered while the stream was down.
KEPT = 1.0


@dataclass
class Killed:
    """Part and moment of each kill; from when until when the stream did not answer in time."""

    parts: list[tuple[str, float]] = field(default_factory=list)
    away: list[tuple[float, float]] = field(default_factory=list)

    def moments(self, part: str) -> list[float]:
        return [at for name, at in self.parts if name == part]

    def was_away(self, at: float) -> bool:
        """As the hot process sees it: it takes the stream for down until it has asked again, twice where it is busy."""
        return any(begin - 2 * PATIENCE <= at <= self._back(end) for begin, end in self.away)

    def in_stream(self, at: float) -> float:
        """When a hit of that moment is in the stream at the latest, unless there is more on disk: what was answered
        while it was away comes from there."""
        return max(
            [at, *(self._back(end) for begin, end in self.away if begin - 2 * PATIENCE <= at <= self._back(end))]
        )

    def _back(self, end: float) -> float:
        return end + 2 * (RETRY_AFTER + 2 * PATIENCE)


class Killer:
    """-9, and only what this stack has started. `instead`: how to kill a part that is the test's own;
    it says when that was."""

    def __init__(self, stack: Stack, seed: int, instead: dict[str, Callable[[], float]] | None = None) -> None:
        self.killed = Killed()
        self._stack, self._random, self._instead = stack, random.Random(seed), instead or {}

    def kill(self, part: str) -> None:
        """Once it runs; the worker every other time at the moment when it holds entries."""
        if part == WORKER and self._random.random() < 0.5:
            self.await_work()
        if part in self._instead:
            self.killed.parts.append((part, self._instead[part]()))
            return
        await_true(lambda: self._pid(part) is not None, 30)
        os.killpg(self._pid(part) or 0, signal.SIGKILL)
        self.killed.parts.append((part, time.monotonic()))

    def kill_at_random(self, load: Load, kills: int, pause: tuple[float, float]) -> None:
        """Each part as often, in any order."""
        parts = [*PARTS * (kills // len(PARTS)), *self._random.sample(PARTS, kills % len(PARTS))]
        self._random.shuffle(parts)
        for part in parts:
            time.sleep(self._random.uniform(*pause))
            assert not load.is_over(), "the load ended before the kills did"
            self.kill(part)

    def _pid(self, part: str) -> int | None:
        """None while it does not run: 0 and 1 would be everybody's."""
        pid = int(facts(self._stack)["pids"].get(part) or 0)
        return pid if pid > 1 and _is_alive(pid) else None

    def await_work(self) -> None:
        """For some seconds at most, until the worker is in the midst of what it must not lose."""
        with Redis.from_url(self._stack.facts["redis_url"], socket_timeout=2) as valkey:
            until = time.monotonic() + 5
            while time.monotonic() < until:
                with suppress(RedisError, TypeError):
                    given: Any = valkey.xpending(STREAM, GROUP)
                    if given["pending"]:
                        break
                time.sleep(0.002)
        time.sleep(self._random.random() * 0.05)


def facts(stack: Stack) -> dict[str, Any]:
    return dict(json.loads((stack.state / "run.json").read_text()))


def _is_alive(pid: int) -> bool:
    try:
        return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False


@contextmanager
def watched(stack: Stack, killed: Killed) -> Iterator[None]:
    """Notes when the stream does not answer as fast as the hot process wants it to."""
    is_over = threading.Event()

    def watch() -> None:
        with Redis.from_url(stack.facts["redis_url"], socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE) as it:
            while not is_over.wait(0.02):
                began = time.monotonic()
                try:
                    it.ping()
                except (RedisError, OSError):
                    _extend(killed.away, began, time.monotonic())

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield
    finally:
        is_over.set()
        watching.join()


def _extend(away: list[tuple[float, float]], began: float, ended: float) -> None:
    if away and began - away[-1][1] < 0.1:
        away[-1] = (away[-1][0], ended)
    else:
        away.append((began, ended))


def await_drained(stack: Stack, seconds: float) -> float:
    """Until nothing waits, neither in the stream nor on disk. Returns how long it took."""
    try:
        return await_true(lambda: _waiting(stack) == 0, seconds)
    except AssertionError as error:
        raise AssertionError(f"{_waiting(stack)} still wait: {error}") from None


def _waiting(stack: Stack) -> int:
    """Entries in the stream, and bytes in the spools; -1 where Valkey does not answer."""
    spooled = sum(path.stat().st_size for path in stack.state.glob("tracking-spool/*.hits"))
    try:
        with Redis.from_url(stack.facts["redis_url"], socket_timeout=2) as valkey:
            entries: Any = valkey.xlen(STREAM)
            return spooled + int(entries)
    except (RedisError, OSError):
        return -1


def stored(stack: Stack) -> dict[str, int]:
    """Copy -> how many events of it are in the table. Its counter says the same."""
    with psycopg.connect(stack.facts["database_url"]) as database:
        events = database.execute("SELECT copy_id, count(*) FROM tracking_event GROUP BY 1").fetchall()
        wrong = database.execute(
            "SELECT count(*) FROM tracking_copy AS c"
            " WHERE hits <> (SELECT count(*) FROM tracking_event AS e WHERE e.copy_id = c.id)"
        ).fetchone()
    assert wrong == (0,), "a counter disagrees with the table"
    return {copy_id.hex: number for copy_id, number in events}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Copies. `excused`: answered while the stream was down, by a process that was killed right then; `unsynced`: in
    the stream for less than `grace` seconds when Valkey was killed."""

    answered: int
    unanswered: int
    stored: int
    excused: int
    unsynced: int


def judge(ledger: list[Hit], found: dict[str, int], killed: Killed, grace: float = 0.0) -> Outcome:
    """Who was answered while the stream was up is there once; who was not, at most once; nobody else is at all."""
    assert set(found.values()) <= {1}, "some are doubled"
    assert found.keys() <= {hit.copy_id for hit in ledger}
    missing = [hit for hit in ledger if hit.is_answered and hit.copy_id not in found]
    excused = [hit for hit in missing if killed.was_away(hit.at) and _is_before(hit, killed.moments(HOT), KEPT)]
    unsynced = [hit for hit in missing if hit not in excused and _is_unsynced(hit, killed, grace)]
    lost = set(missing) - set(excused) - set(unsynced)
    assert not lost, f"{len(lost)} of {len(ledger)} lost: {_around(lost, killed)}"
    answered = sum(hit.is_answered for hit in ledger)
    return Outcome(answered, len(ledger) - answered, len(found), len(excused), len(unsynced))


def _is_unsynced(hit: Hit, killed: Killed, grace: float) -> bool:
    """It was in the stream for less than `grace` seconds when Valkey went."""
    until_then = killed.in_stream(hit.at) - hit.at if grace else 0.0
    return _is_before(hit, killed.moments(VALKEY), until_then + grace)


def _is_before(hit: Hit, moments: list[float], seconds: float) -> bool:
    """Also what was asked for before it and read after: when it was answered nobody knows but who was killed."""
    return any(hit.at - hit.seconds <= at <= hit.at + seconds for at in moments)


def _around(lost: set[Hit], killed: Killed) -> list[list[str]]:
    """For each of the first five: what was killed within ten seconds around it."""
    first = sorted(lost, key=lambda hit: hit.at)[:5]
    near = [[(part, at - hit.at) for part, at in killed.parts if abs(at - hit.at) < 10] for hit in first]
    return [[f"{part} {seconds:+.2f} s" for part, seconds in each] for each in near]


def tell(seed: int, killed: Killed, outcome: Outcome, drained: float) -> None:
    kills = dict(Counter(part for part, _ in killed.parts))
    sys.stdout.write(f"\nseed {seed}: {len(killed.parts)} kills {kills}; {outcome}; drained after {drained:.0f} s\n")
