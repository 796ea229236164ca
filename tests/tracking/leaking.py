"""A running product on whose pixels and links canaries have asked, taken through a day: what waits, what was drained,
what is left once the day's key is gone. Looks everywhere at each step; judges nothing."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from redis import Redis

from config.embedded import postgres
from organizations.privacy.needles import Needles
from organizations.privacy.shapes import shapes_of
from tests.faults.leaking import Scan
from tests.journeys.people import AddIn, sign_in_anew
from tests.running import Stack
from tests.servers import ROOT
from tests.tracking.canaries import LOOPBACK, an_asker, ask, canary, often

TIMES = 12  # each of them asks so often at least, in each phase
STREAM, GROUP = "tracking:hits", "drain"
OLD = "old"  # a database
_A_DAY = timedelta(days=1)


@dataclass
class Findings:
    """`waiting`, `drained`, `ended`: what was found where, at each step. `known`, `unknown`: what a burglar reads of
    what was kept, before and after the day's end."""

    waiting: list[str] = field(default_factory=list)
    drained: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    known: dict[str, Any] = field(default_factory=dict)
    unknown: dict[str, Any] = field(default_factory=dict)
    spooled: int = 0
    entries: list[set[str]] = field(default_factory=list)  # the fields of each that waited
    asked: int = 0
    log: str = ""
    events: list[tuple[str, str, int]] = field(default_factory=list)  # verdict, device, how many
    again: list[tuple[str, str, int]] = field(default_factory=list)  # of what was delivered after the day's end
    scanned: int = 0


class Day:
    def __init__(self, stack: Stack) -> None:
        self.stack, self.found, self.scan = stack, Findings(), Scan(stack)
        self.valkey = Redis.from_url(stack.facts["redis_url"])
        self.now = datetime.now(UTC)
        self.yesterday = (self.now - _A_DAY).date().isoformat()
        self.kept = stack.state / "kept"
        self.kept.mkdir()
        self.askers = [an_asker(), an_asker(), an_asker(LOOPBACK)]
        for asker in self.askers:
            for kind, each in asker.secrets().items():
                self.scan.secrets[kind] |= each

    # -- the steps ------------------------------------------------------------------------------------------------

    def pass_by(self) -> Findings:
        urls = self.prepare(sign_in_anew(self.stack, "acme", "alice"))
        with self.paused("worker"):
            self.publish(self.now - _A_DAY)
            self.within(10, lambda: self.is_closed(urls))
            self.valkey.delete(STREAM)
            self.ask(urls)
            self.ask_while_the_stream_is_away(urls)
            self.ask_without_a_day(urls)
            self.keep()
            self.found.waiting = self.look()
        self.drain_in_trouble()
        self.dump("drained.sql")
        self.found.drained = self.look()
        self.found.events = self.events()
        self.restore()
        self.found.known, self.found.unknown = self.burgle()
        self.deliver_again()
        self.found.ended = self.remains()
        return self.found

    def prepare(self, sender: AddIn) -> list[str]:
        """A pixel and a link for each; recipients, targets and Message-IDs are canaries as well."""
        values = {"track.opens": True, "track.clicks": True}
        assert sender.call("PATCH", "policy/?level=organization", json={"values": values}).status_code == 200
        recipient, target, name = f"{canary()}@customer.example", f"https://{canary()}.example/{canary()}", canary()
        self.scan.secrets["recipient"], self.scan.secrets["target"] = {recipient}, {target}
        self.scan.secrets["Message-ID"], self.scan.secrets["text"] = {name}, {canary()}
        (text,) = self.scan.secrets["text"]
        body = {"recipients": [recipient], "html": f'<p>{text!s} <a href="{target}">{text!s}</a></p>'}
        told = sender.call("POST", "tracking/messages/", json=body).json()
        url = f"tracking/messages/{told['id']}/sent/"
        assert sender.call("POST", url, json={"message_id": f"<{name}@acme.example>"}).status_code == 204
        self.sql("UPDATE tracking_trackedmessage SET sent_at = now() - interval '1 hour'")
        (copy,) = told["copies"]
        return [copy["pixel"], re.search(r'href="([^"]+)"', copy["html"]).group(1)]  # type: ignore[union-attr]

    def ask(self, urls: list[str]) -> None:
        for asker in self.askers:
            for _ in range(TIMES // len(urls)):
                assert [ask(url, asker) for url in urls] == [200, 302]
                self.found.asked += len(urls)
            for door in ("o", "c"):  # forged: nothing is recorded
                ask(f"{self.stack.facts['tracking_url']}/t/{door}/{asker.told}.gif", asker)

    def ask_while_the_stream_is_away(self, urls: list[str]) -> None:
        with self.paused("Valkey"):
            self.ask(urls)
            self.within(5, lambda: self.spooled() > 0)
            self.found.spooled = self.spooled()
            shutil.copytree(self.stack.state / "tracking-spool", self.kept / "spool")
        self.within(30, lambda: self.spooled() == 0)

    def ask_without_a_day(self, urls: list[str]) -> None:
        """A process that starts beside an empty Valkey knows no key."""
        self.valkey.delete("tracking:day", "tracking:standing")
        before = self.facts()["pids"]["tracking"]
        os.killpg(before, signal.SIGKILL)
        self.within(20, lambda: self.facts()["pids"]["tracking"] != before and self.answers(urls[0]))
        self.ask(urls)

    def keep(self) -> None:
        """What somebody may have copied meanwhile: the stream's files, its entries, a dump of the database."""
        self.valkey.save()
        shutil.copytree(self.stack.state / "valkey" / "data", self.kept / "valkey")
        entries: Any = self.valkey.xrange(STREAM)
        self.found.entries = [{name.decode() for name in entry} for _, entry in entries]
        text = json.dumps([{k.decode(): v.hex() for k, v in entry.items()} for _, entry in entries])
        (self.kept / "entries.json").write_text(text)
        self.dump("waiting.sql")

    def drain_in_trouble(self) -> None:
        """First with a table away, so that the drain fails with everybody in its hands."""
        self.sql("ALTER TABLE tracking_copy RENAME TO away")
        self.within(20, lambda: "task tracking.tasks.drain[" in self.log())
        self.sql("ALTER TABLE away RENAME TO tracking_copy")
        self.await_drained()
        self.found.log = self.log()

    def deliver_again(self) -> None:
        """Old entries and the old row of the day, put back where they were: the worker, too, reads nothing."""
        self.sql("DELETE FROM tracking_event")
        dump = (self.kept / "waiting.sql").read_text().partition("COPY public.vault_daykey")[2].splitlines()
        (row,) = [line for line in dump[1 : dump.index("\\.")] if self.yesterday in line]
        with (
            psycopg.connect(self.stack.facts["database_url"]) as database,
            database.cursor() as cursor,
            cursor.copy("COPY vault_daykey FROM STDIN") as copy,
        ):
            copy.write(f"{row}\n")
        for entry in json.loads((self.kept / "entries.json").read_text()):
            self.valkey.xadd(STREAM, {name: bytes.fromhex(value) for name, value in entry.items()})
        self.await_drained()
        self.found.again = self.events()

    # -- looking --------------------------------------------------------------------------------------------------

    def look(self) -> list[str]:
        """Files, queue, tables."""
        found = self.scan.found()
        files = [str(path) for path in self.scan._files() if often(path.read_bytes(), self.askers, TIMES)]
        self.found.scanned = self.scan.scanned
        return found + [f"a short address in {path}" for path in files]

    def remains(self) -> list[str]:
        """Where the wrapped data key of the day still lies; with an old dump and VAULT_KEK it would open everything."""
        wrapped = bytes.fromhex(self.found.known["wrapped"][self.yesterday])
        needles = Needles(dict.fromkeys(shapes_of(wrapped), "wrapped"))
        return [str(path) for path in self.scan._files() if needles.in_file(path)]

    def burgle(self) -> list[dict[str, Any]]:
        """Before and after the day's end."""
        arguments = [str(self.kept / "entries.json"), OLD, (self.now + _A_DAY).isoformat()]
        done = self.run("-m", "tests.tracking.burglar", *arguments)
        return [json.loads(line) for line in done.splitlines()]

    def events(self) -> list[tuple[str, str, int]]:
        return self.sql("SELECT verdict, device, count(*)::int FROM tracking_event GROUP BY 1, 2 ORDER BY 1, 2")

    def is_closed(self, urls: list[str]) -> bool:
        """Whether the hot process has heard of the day by now: the one that is over soon."""
        ask(urls[0], self.askers[0])
        last: Any = self.valkey.xrevrange(STREAM, count=1)
        return bool(last[0][1].get(b"d") == self.yesterday.encode())

    def log(self) -> str:
        return (Path(self.stack.facts["log"]) / "worker.log").read_text(errors="replace")

    def spooled(self) -> int:
        return sum(path.stat().st_size for path in self.stack.state.glob("tracking-spool/*.hits"))

    def answers(self, url: str) -> bool:
        try:
            return ask(url.replace("/t/", "/none/"), self.askers[0]) == 404
        except OSError:
            return False

    # -- means ----------------------------------------------------------------------------------------------------

    def facts(self) -> dict[str, Any]:
        return dict(json.loads((self.stack.state / "run.json").read_text()))

    @contextmanager
    def paused(self, part: str) -> Iterator[None]:
        group = self.facts()["pids"][part]
        os.killpg(group, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(group, signal.SIGCONT)

    def within(self, seconds: float, look: Callable[[], bool]) -> None:
        began = time.monotonic()
        while not look():
            assert time.monotonic() - began < seconds, self.log()[-2000:]
            time.sleep(0.1)

    def await_drained(self) -> None:
        """A minute passes at once for what a drain took and did not store."""

        def is_drained() -> bool:
            given: Any = self.valkey.xpending_range(STREAM, GROUP, "-", "+", 100, idle=2_000)
            if ids := [each["message_id"] for each in given]:
                self.valkey.xclaim(STREAM, GROUP, "dead", 2_000, ids, idle=61_000)
            return bool(self.valkey.xlen(STREAM) == 0)

        self.within(30, is_drained)

    def publish(self, at: datetime) -> None:
        """As the worker does it of itself, at that hour."""
        code = "import django; django.setup(); from datetime import datetime; from tracking import publishing\n"
        self.run("-c", f"{code}publishing.publish_standing(datetime.fromisoformat('{at.isoformat()}'))")

    def run(self, *arguments: str) -> str:
        environment = {**self.stack.environment, "DJANGO_SETTINGS_MODULE": "config.settings"}
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def sql(self, statement: str) -> list[Any]:
        with psycopg.connect(self.stack.facts["database_url"]) as database:
            done = database.execute(statement.encode())
            return done.fetchall() if done.description else []

    def dump(self, name: str) -> None:
        self._postgres("pg_dump", "--file", str(self.kept / name), self.stack.facts["database_url"])

    def restore(self) -> None:
        """The database as it was dumped before it was drained, beside today's."""
        own, folder = str(self.stack.facts["database_url"]), self.stack.state / "postgres"
        password = (folder / "postgres.password").read_text()
        with psycopg.connect(own, user=postgres.SUPERUSER, password=password, autocommit=True) as database:
            database.execute(f"CREATE DATABASE {OLD} OWNER sidebar".encode())
        url = f"{own.rpartition('/')[0]}/{OLD}"
        self._postgres("psql", "--quiet", "--output", os.devnull, "--file", str(self.kept / "waiting.sql"), url)

    def _postgres(self, program: str, *arguments: str) -> None:
        path = postgres._binaries() / program
        subprocess.run([path, *arguments], check=True, timeout=60, capture_output=True)
