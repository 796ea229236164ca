"""After thousands of requests with injected failures no secret lies anywhere in clear (C22, I4; docs/vault.md 8).

A product of its own, as `make run` starts it: PostgreSQL's heap and WAL, Valkey, logs, terminal, answers."""

import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
import requests

from tests.faults.evidence import valkey_dump
from tests.faults.shapes import shapes_of
from tests.journeys.people import AddIn, Salesforce, given_out, sign_in_anew
from tests.journeys.test_nothing_kept import CHUNK, holds
from tests.running import Stack, whole_stack
from tests.servers import ROOT

#: Where keys and the simulators' own secrets are kept on purpose.
_KEPT_THERE = re.compile(r"^(secrets|run\.json|simulated-ca|salesforce|google|microsoft|transit|simulators)\b")
_BOOM = "<html><body>Something went wrong</body></html>"


@dataclass
class Scan:
    """Collects secrets while requests are made, then looks for them."""

    stack: Stack
    secrets: set[str] = field(default_factory=set)
    answers: list[bytes] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)

    def learn(self) -> None:
        """Every token that the product holds just now; those that are replaced later are known from before."""
        command = [sys.executable, "-m", "tests.faults.revealed"]
        done = subprocess.run(
            command, cwd=ROOT, env=self.stack.environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr[-2000:]
        self.secrets.update(done.stdout.split())
        self.secrets.update(given_out)

    def note(self, answer: requests.Response) -> None:
        self.statuses[answer.status_code] = self.statuses.get(answer.status_code, 0) + 1
        self.answers.append(answer.content)

    def found(self) -> list[str]:
        shapes = [shape for secret in self.secrets for shape in shapes_of(secret)]
        where = [str(path) for path in self._files() if holds(path, shapes)]
        texts = {"valkey": valkey_dump(self.stack.facts["redis_url"])}
        where += [name for name, text in texts.items() if any(shape in text for shape in shapes)]
        mine = [shape for secret in self.secrets - given_out for shape in shapes_of(secret)]
        return where + [f"answer {n}" for n, text in enumerate(self.answers) if any(shape in text for shape in mine)]

    def _files(self) -> Iterator[Path]:
        for path in sorted(self.stack.state.rglob("*")):
            inside = str(path.relative_to(self.stack.state))
            if path.is_file() and not _KEPT_THERE.match(inside) and path.suffix != ".password":
                yield path


@pytest.fixture(scope="module")
def own() -> Iterator[Stack]:
    with whole_stack() as stack:
        yield stack


@contextmanager
def without(stack: Stack, table: str) -> Iterator[None]:
    """A table is away: whatever needs it fails in the middle, with tokens in its hands."""
    with psycopg.connect(stack.facts["database_url"], autocommit=True) as database:
        database.execute(psycopg.sql.SQL("ALTER TABLE {} RENAME TO away").format(psycopg.sql.Identifier(table)))
        try:
            yield
        finally:
            database.execute(psycopg.sql.SQL("ALTER TABLE away RENAME TO {}").format(psycopg.sql.Identifier(table)))


def inject(desk: Salesforce) -> None:
    """The next answers of Salesforce: errors, pages, halves; of the token endpoint, too."""
    data, token = "/services/data", "/services/oauth2/token"
    for fault in (
        {"path": data, "status": 500, "body": _BOOM, "times": 4},
        {"path": data, "cut_after": 20, "times": 4},
        {"path": data, "status": 200, "body": _BOOM, "times": 4},
        {"path": token, "status": 500, "body": [{"error": "boom"}], "times": 1},
        {"path": token, "status": 200, "body": _BOOM, "times": 1},
    ):
        desk.desk("faults", fault)


def ask(scan: Scan, caller: AddIn, number: int) -> None:
    """One of several kinds of request; whatever comes back is kept."""
    url, canary = caller.url, secrets.token_urlsafe(32)
    kind = number % 5
    if kind < 3:
        scan.note(caller.people([f"{canary[:12]}@nobody{number}.example"], fresh=True))
    elif kind == 3:
        query = {"state": canary, "code": next(iter(scan.secrets), canary), "error": "boom"}
        scan.note(requests.get(f"{url}/connect/salesforce/callback/", params=query, timeout=30))
    else:
        scan.note(caller.call("GET", "sidebar/search/", fresh=True, params={"q": canary[:20]}))


def fail_in_the_background(stack: Stack, connection_ids: list[str]) -> None:
    """Celery tasks whose work fails: their names and ids only may be told."""
    code = "import django, sys; django.setup(); from vault import tasks as t\n"
    code += "for task in (t.keep_grant_alive, t.refresh_object_access_of, t.prove_grant):\n"
    code += "    for i in sys.argv[1:]: task.delay(i)"
    environment = {**stack.environment, "DJANGO_SETTINGS_MODULE": "config.settings"}
    command = [sys.executable, "-c", f"{code}\nt.refresh_object_access_of.delay('no id')", *connection_ids]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=120, capture_output=True)


def make_trouble(scan: Scan, count: int, callers: list[AddIn], desk: Salesforce) -> None:
    with psycopg.connect(scan.stack.facts["database_url"]) as database:
        rows = database.execute("SELECT id::text FROM vault_connection").fetchall()
    ids = [str(each[0]) for each in rows]
    batch = max(20, count // 40)
    for start in range(0, count, batch):
        scan.learn() if start % (4 * batch) == 0 else None
        inject(desk)
        desk.desk("tokens/expire")
        numbers = range(start, min(start + batch, count))
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: ask(scan, callers[number % len(callers)], number), numbers))
        if start % (8 * batch) == 0:
            with without(scan.stack, "vault_attempt"):
                desk.desk("tokens/expire")
                fail_in_the_background(scan.stack, ids)
                for number in range(5):
                    ask(scan, callers[0], 3 * number)
                time.sleep(1)
    desk.desk("reset", {"only": ["faults"]})
    scan.learn()


def run(stack: Stack, count: int) -> Scan:
    scan, desk = Scan(stack), Salesforce(stack, "acme")
    callers = [sign_in_anew(stack, "acme", key) for key in ("alice", "bob", "rita")]
    make_trouble(scan, count, callers, desk)
    return scan


def test_a_few_hundred_failures_leave_no_secret(own: Stack) -> None:
    judge(run(own, 120))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_ten_thousand_failures_leave_no_secret(own: Stack) -> None:
    began = time.monotonic()
    scan = run(own, 10_000)
    judge(scan)
    took = time.monotonic() - began
    print(f"\nleak scan: {scan.statuses}, {len(scan.secrets)} secrets, {took:.0f} s")  # noqa: T201


def judge(scan: Scan) -> None:
    assert scan.found() == []
    log = "".join(path.read_text(errors="replace") for path in Path(scan.stack.facts["log"]).glob("*.log"))
    assert "ProgrammingError" in log, "nothing failed in the middle"
    assert "task vault.tasks." in log, "no task failed"
    assert scan.statuses.get(500, 0) > 0
    assert len(scan.secrets) > 10


def test_the_scan_finds_what_is_there(own: Stack) -> None:
    """The tests above can fail: in a log, and across two reads of a file."""
    canary = f"canary-{secrets.token_hex(16)}"
    scan = Scan(own, {canary})
    assert scan.found() == []
    place = own.state / "log" / "planted.log"
    for shape in shapes_of(canary):
        place.write_bytes(b"." * (CHUNK - 9) + shape + b".")
        assert scan.found() == [str(place)]
    place.unlink()
    scan.answers.append(canary.encode())
    assert scan.found() == ["answer 0"]
