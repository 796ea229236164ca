"""A burst of opens at full load on the product as `make run` has it, and how long until all of it is in the table.

Asked by wrk where it is installed, else by bench.load. The worker drains meanwhile, on the same two cores."""

import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import requests

from bench import load
from bench.results import Results
from tests.journeys.people import AddIn
from tests.running import Stack
from tests.tracking.asking import CHROME, Ticket, switched_on, tickets
from tests.tracking.killing import await_drained

SECONDS, COPIES, CONNECTIONS = 60, 20_000, 64
#: Seconds in which it must be drained once the burst is over.
TARGET = 300
_LUA = """
local paths, n, at = {{}}, 0, 0
for line in io.lines("{paths}") do n = n + 1; paths[n] = line end
wrk.headers["User-Agent"] = "{agent}"
request = function() at = at % n + 1; return wrk.format("GET", paths[at]) end
"""


@dataclass(slots=True)
class Seen:
    """The largest figures on /metrics while it lasted; whether the dashboard's page said that something waits."""

    entries: int = 0
    oldest: float = 0.0
    spooled: int = 0
    lost: int = 0
    is_on_page: bool = False


@dataclass(slots=True)
class Burst:
    """`cut_off`: requests that were under way when the load ended, whose answers nobody counted."""

    answered: int
    cut_off: int
    seconds: float
    stored: int = 0
    at_end: int = 0  # of these, in the table when the burst was over
    drained_after: float = 0.0
    seen: Seen = field(default_factory=Seen)

    @property
    def drain_rate(self) -> float:
        """Events a second, once the burst is over."""
        return (self.stored - self.at_end) / self.drained_after if self.drained_after else 0.0


Asked = tuple[int, int, float]


def burst(stack: Stack, person: AddIn, seconds: float, copies: int, ask: Callable[..., Asked] | None = None) -> Burst:
    """`person` is an administrator. Raises AssertionError where it is not drained in time."""
    asked = tickets(stack, person, copies)
    ask = ask or (by_wrk if shutil.which("wrk") else by_ourselves)
    seen = Seen()
    with _watched(stack, person, seen), psycopg.connect(stack.facts["database_url"], autocommit=True) as database:
        found = Burst(*ask(stack.facts["tracking_url"], asked, seconds), seen=seen)
        found.at_end = _stored(database, asked)
        found.drained_after = await_drained(stack, TARGET)
        found.stored = _stored(database, asked)
    return found


def by_wrk(url: str, asked: list[Ticket], seconds: float) -> Asked:
    """Ends while requests are under way, one on each connection at most."""
    with tempfile.TemporaryDirectory() as folder:
        paths, script = Path(folder, "paths"), Path(folder, "burst.lua")
        paths.write_text("\n".join(each.path for each in asked))
        script.write_text(_LUA.format(paths=paths, agent=CHROME))
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", "-s", str(script), url]
        text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 60).stdout
    total = re.search(r"(\d+) requests in ([\d.]+)(s|m)", text)
    assert total, text
    assert "Non-2xx" not in text, text
    assert "Socket errors" not in text, text
    return int(total[1]), CONNECTIONS, float(total[2]) * {"s": 1, "m": 60}[total[3]]


def by_ourselves(url: str, asked: list[Ticket], seconds: float) -> Asked:
    """Waits for each answer."""
    requests_ = [load.request_bytes(url + each.path, headers={"User-Agent": CHROME}) for each in asked]
    outcome = load.run(url, requests_, seconds=seconds, connections=CONNECTIONS)
    assert set(outcome.statuses) == {200}, outcome.statuses
    return outcome.statuses[200], 0, outcome.seconds


@contextmanager
def _watched(stack: Stack, person: AddIn, seen: Seen) -> Iterator[None]:
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(0.5):
            _look(backlog(stack), seen)
            if not seen.is_on_page:
                page = person.browser.session.get(f"{stack.public_url}/dashboard/analytics/", timeout=30)
                seen.is_on_page = bool(re.search(r"Waiting to be counted</dt><dd>\s*\d+ batch", page.text))

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield
    finally:
        is_over.set()
        watching.join(60)


def _look(now: dict[str, float], seen: Seen) -> None:
    seen.entries = max(seen.entries, int(now["entries"]))
    seen.oldest = max(seen.oldest, now["oldest"])
    seen.spooled = max(seen.spooled, int(now["spooled"]))
    seen.lost = max(seen.lost, int(now["lost"]))


def backlog(stack: Stack) -> dict[str, float]:
    """As /metrics has it: entries, oldest (seconds), spooled (bytes), lost (hits). Raises AssertionError without."""
    text = requests.get(f"{stack.public_url}/metrics", timeout=30).text
    found = dict(re.findall(r"^sidebar_tracking_backlog_(\w+) ([\d.]+)$", text, re.MULTILINE))
    assert found, "no backlog on /metrics"
    return {name: float(value) for name, value in found.items()}


def _stored(database: psycopg.Connection, asked: list[Ticket]) -> int:
    copies = list({each.copy_id for each in asked})
    row = database.execute("SELECT count(*) FROM tracking_event WHERE copy_id = ANY(%s::uuid[])", [copies]).fetchone()
    return int(row[0]) if row else 0


def measure(results: Results, stack: Stack) -> None:
    found = burst(stack, switched_on(stack), SECONDS, COPIES)
    missing = found.answered - found.stored
    assert -found.cut_off <= missing <= 0, f"{found.answered} answered, {found.stored} stored, {found.seen}"
    results.add(f"burst of {SECONDS} s, answered", found.answered / found.seconds, "req/s")
    results.add("burst, drained after its end", found.drained_after, "s", target=f"<= {TARGET}")
    results.add("burst, drained after its end", found.drain_rate, "events/s")
    results.add("burst, most batches that waited (/metrics)", found.seen.entries, "batches")


def main() -> None:
    """`python -m bench.burst`: this measurement alone."""
    from tests.running import whole_stack

    with whole_stack() as stack:
        measure(Results(), stack)


if __name__ == "__main__":
    main()
