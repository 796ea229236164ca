"""Load on the whole product while its parts are killed: every answer that a hit got is written down here, and compared
in the end with what is in the table. Each token is asked for once, so that a hit is known by its copy."""

import http.client
import json
import os
import random
import signal
import threading
import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from redis import Redis
from redis.exceptions import RedisError

from tests.journeys.people import AddIn
from tests.running import Stack
from tracking.hot.tokens import Keyring, Kind, read_keys

#: As run.json names them.
PARTS = ("tracking", "worker", "Valkey", "PostgreSQL")
RECIPIENTS = 500  # copies of one message
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"


@dataclass
class Ledger:
    """Copies by what became of the one hit on each."""

    answered: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)
    kills: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Ticket:
    """One pixel: its path, and the copy that it stands for."""

    path: str
    copy_id: str


def tickets(stack: Stack, sender: AddIn, number: int) -> list[Ticket]:
    """Through the API, as an add-in gets them; the messages are sent."""
    keyring = Keyring(read_keys(_setting(stack, "TRACKING_KEY")))
    found: list[Ticket] = []
    while len(found) < number:
        people = [f"somebody-{len(found) + each}@customer.example" for each in range(RECIPIENTS)]
        body = {"recipients": people, "links": [], "singly": True}
        told = sender.call("POST", "tracking/messages/", json=body).json()
        sender.call("POST", f"tracking/messages/{told['id']}/sent/", json={})
        found += [_ticket(keyring, each["pixel"]) for each in told["copies"]]
    return found[:number]


def _ticket(keyring: Keyring, pixel: str) -> Ticket:
    path = urlsplit(pixel).path
    opened = keyring.open(Kind.OPEN, path.removeprefix("/t/o/").removesuffix(".gif"))
    assert opened is not None
    return Ticket(path, opened.copy_id.hex())


def _setting(stack: Stack, name: str) -> str:
    environment = stack.facts["environment"]
    return str(environment.get(name) or Path(environment[f"{name}_FILE"]).read_text().strip())


class Load:
    """Asks for each ticket once, `threads` at a time, at `rate` a second in all."""

    def __init__(self, stack: Stack, tickets: list[Ticket], threads: int, rate: float) -> None:
        self.ledger = Ledger()
        self._netloc = urlsplit(stack.facts["tracking_url"]).netloc
        self._tickets, self._next, self._lock = tickets, count(), threading.Lock()
        self._pause = threads / rate
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]

    def start(self) -> None:
        for each in self._threads:
            each.start()

    def is_over(self) -> bool:
        return not any(each.is_alive() for each in self._threads)

    def _work(self) -> None:
        connection: http.client.HTTPConnection | None = None
        while (number := next(self._next)) < len(self._tickets):
            ticket = self._tickets[number]
            connection = connection or http.client.HTTPConnection(self._netloc, timeout=5)
            try:
                connection.request("GET", ticket.path, headers={"User-Agent": CHROME})
                good = connection.getresponse().read()[:6] == b"GIF89a"
            except (OSError, http.client.HTTPException):
                good = False
                connection.close()
                connection = None
            with self._lock:
                (self.ledger.answered if good else self.ledger.unanswered).add(ticket.copy_id)
            time.sleep(self._pause * random.random() * 2)


def kill_at_random(stack: Stack, load: Load, kills: int, parts: tuple[str, ...], pause: tuple[float, float]) -> None:
    """-9, each to one part that runs; only what this stack has started."""
    while len(load.ledger.kills) < kills and not load.is_over():
        time.sleep(random.uniform(*pause))
        part = random.choice(parts)
        pid = _facts(stack)["pids"].get(part)
        if pid and _is_alive(pid):
            os.kill(pid, signal.SIGKILL)
            load.ledger.kills.append(part)


def _facts(stack: Stack) -> dict[str, Any]:
    return dict(json.loads((stack.state / "run.json").read_text()))


def _is_alive(pid: int) -> bool:
    try:
        return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False


def await_drained(stack: Stack, seconds: float) -> float:
    """Until nothing waits, neither in the stream nor on disk. Returns how long it took."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if _waiting(stack) == 0:
            return time.monotonic() - began
        time.sleep(0.5)
    raise AssertionError(f"{_waiting(stack)} still wait after {seconds} s")


def _waiting(stack: Stack) -> int:
    """Entries in the stream, and bytes in the spools; -1 where Valkey does not answer."""
    spooled = sum(path.stat().st_size for path in stack.state.glob("tracking-spool/*.hits"))
    try:
        with Redis.from_url(stack.facts["redis_url"], socket_timeout=2) as valkey:
            entries: Any = valkey.xlen("tracking:hits")
            return spooled + int(entries)
    except (RedisError, OSError):
        return -1


def stored(stack: Stack) -> dict[str, int]:
    """Copy -> how many events of it are in the table, and whether its counter says the same."""
    with psycopg.connect(stack.facts["database_url"]) as database:
        events = database.execute("SELECT copy_id, count(*) FROM tracking_event GROUP BY 1").fetchall()
        wrong = database.execute(
            "SELECT count(*) FROM tracking_copy AS c"
            " WHERE hits <> (SELECT count(*) FROM tracking_event AS e WHERE e.copy_id = c.id)"
        ).fetchone()
    assert wrong == (0,), "a counter disagrees with the table"
    return {copy_id.hex: number for copy_id, number in events}


def judge(ledger: Ledger, found: dict[str, int]) -> None:
    """Who was answered is there once; who was not, at most once; nobody else is."""
    lost = [each for each in ledger.answered if found.get(each) != 1]
    assert lost == [], f"{len(lost)} of {len(ledger.answered)}: {[found.get(each) for each in lost[:5]]}"
    assert [each for each in ledger.unanswered if found.get(each, 0) > 1] == []
