"""A company whose mail is synced: simulated providers, servers of its own, and one worker as it is deployed.

Everything ends with the block. Nothing here measures."""

import base64
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from celery import Celery

from config.embedded import product, simulated
from config.embedded.postgres import Postgres
from config.embedded.processes import Supervisor, run_to_end
from config.embedded.valkey import Valkey
from tests.sync import bulk
from tests.sync.company import Employee, World, simulated_world

_WANTED = "UPDATE sync_syncedmailbox SET poll_wanted_at = now() WHERE id = %s AND poll_wanted_at IS NULL"
_OPEN = "SELECT count(*) FROM sync_job WHERE state NOT IN ('done', 'dead')"


@dataclass
class House:
    """`pid`: the worker's."""

    world: World
    database: psycopg.Connection
    queue: Celery
    pid: int
    environment: dict[str, str] = field(repr=False)
    staff: list[Employee] = field(default_factory=list)
    delivered: int = 0  # to each

    def found(self, count: int) -> None:
        """So many people, each with a mailbox that is followed from now on."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.sync.company", str(count)],
            input=json.dumps(self.world.facts()),
            env=self.environment,
            cwd=product.ROOT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.staff = [Employee(**each) for each in json.loads(done.stdout)]
        self.poll(self.staff)
        self.until(lambda: self.count("SELECT count(*) FROM sync_syncedmailbox WHERE polled_at IS NULL") == 0)

    def poll(self, staff: Sequence[Employee]) -> None:
        """As a provider's notice has it done (sync.pull.want)."""
        for each in staff:
            self.database.execute(_WANTED, [each.mailbox])
            self.queue.send_task("sync.tasks.poll", [each.mailbox])

    def count(self, statement: str, *values: object) -> int:
        row = self.database.execute(statement, values).fetchone()
        return int(row[0]) if row else 0

    def decided(self) -> int:
        return self.count("SELECT count(*) FROM sync_decision")

    def settled(self, decisions: int, seconds: float) -> None:
        """Until there are so many decisions and nothing is left to do. Raises AssertionError where it takes longer."""
        self.until(lambda: self.decided() >= decisions and self.count(_OPEN) == 0, seconds, pause=0.5)

    def until(self, is_so: Callable[[], object], seconds: float = 120, pause: float = 0.05) -> None:
        ends = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < ends, f"not after {seconds:.0f} s; open jobs: {self.count(_OPEN)}"
            time.sleep(pause)

    def deliver(self, each: int, customers: Sequence[str]) -> int:
        """So many more mails for everybody; how many in all."""
        for employee in self.staff:
            self.world.deliver(employee, bulk.messages(employee, each, customers, first=self.delivered))
        self.delivered += each
        return each * len(self.staff)


@contextmanager
def opened(concurrency: int, people: int) -> Iterator[House]:
    """`concurrency`: threads of the worker."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o711)
        world = stack.enter_context(simulated_world(folder))
        supervisor = Supervisor()
        stack.callback(supervisor.stop)
        environment = _servers(supervisor, folder) | _settings(world, folder)
        run_to_end(*product.migrations(folder, environment))
        database = stack.enter_context(psycopg.connect(environment["DATABASE_URL"], autocommit=True))
        queue = stack.enter_context(Celery(broker=environment["REDIS_URL"]))
        house = House(world, database, queue, _worker(supervisor, folder, environment, concurrency), environment)
        house.found(people)
        yield house


def _servers(supervisor: Supervisor, folder: Path) -> dict[str, str]:
    valkey, postgres = Valkey(folder / "valkey", folder / "valkey.log"), Postgres(folder / "pg", folder / "pg.log")
    supervisor.start(valkey.program(), postgres.program())
    postgres.provision("company", "company_keys")
    return {
        "DATABASE_URL": postgres.url("company"),
        "KEY_STORE_URL": postgres.url("company_keys"),
        "REDIS_URL": valkey.url(),
    }


def _settings(world: World, folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "VIRTUAL_ENV") if name in os.environ}
    facts = world.facts()
    told = [each.settings(facts[each.name]) for each in (simulated.SALESFORCE, simulated.GOOGLE, simulated.MICROSOFT)]
    return {
        **kept,
        **{name: value for each in told for name, value in each.items()},
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PUBLIC_URL": "http://localhost:8000",
        "LOCAL_DIR": str(folder),
        "OUTBOUND_CA_BUNDLE": world.salesforce.ca,
        "SECRET_KEY": secrets.token_urlsafe(64),
        **{name: base64.b64encode(os.urandom(32)).decode() for name in ("VAULT_KEK", "AUDIT_KEY", "SIGNING_KEY")},
    }


def _worker(supervisor: Supervisor, folder: Path, environment: dict[str, str], concurrency: int) -> int:
    program = product.worker(folder, folder, environment)
    program.command[program.command.index("--concurrency") + 1] = str(concurrency)
    supervisor.start(program)
    return supervisor.children[-1].process.pid
