"""Every secret that a running product has, and where it is looked for: files, tables, queue, answers.

Makes no trouble itself. A kind of secret that cannot be found out is an error, so that none is lost silently."""

import base64
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
import requests

from organizations.privacy.needles import Needles
from organizations.privacy.shapes import shapes_of
from tests.faults.evidence import rows_as_text, valkey_dump
from tests.journeys.people import given_out
from tests.running import Stack
from tests.servers import ROOT

PROVIDERS = ("salesforce", "google", "microsoft")
TOKENS = tuple(f"{provider} {name}" for provider in PROVIDERS for name in ("access_token", "refresh_token"))
#: Written down in base64; the bytes that they stand for are a secret as well.
KEYS = ("SECRET_KEY", "AUDIT_KEY", "SIGNING_KEY", "VAULT_KEK", "TRACKING_KEY")
#: Never written down in another way than as bytes.
RAW = ("data key", "key of tracking's", "private half of a day")
#: Where a secret is kept on purpose, each file for its own: another secret in it would be found.
KEPT = {
    **{name: (f"secrets/{name.lower()}",) for name in KEYS},
    **{f"{name}'s bytes": (f"secrets/{name.lower()}",) for name in KEYS},
    "database password": ("secrets/database_url", "run.json", "postgres/sidebar.password"),
    "superuser password": ("postgres/postgres.password",),
    "valkey password": ("secrets/redis_url", "run.json"),
    "salesforce client_secret": ("run.json", "salesforce/orgs.json", "salesforce/client_secret"),
    "google client_secret": ("run.json", "google/google.json"),
    "microsoft client_secret": ("run.json", "microsoft/microsoft.json", "microsoft/client_secret"),
}
#: Each of these is looked for, or the scan fails.
KINDS = {*KEPT, *TOKENS, *RAW, "salesforce own client_secret", "code_verifier", "add-in token"}


@dataclass
class Scan:
    """Collects secrets while requests are made, then looks for them. `secrets`: kind -> the secrets."""

    stack: Stack
    secrets: dict[str, set[str | bytes]] = field(default_factory=lambda: defaultdict(set))
    answers: list[bytes] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    scanned: int = 0  # bytes, in the last search

    def learn(self) -> None:
        """Everything that the product holds just now; tokens that are replaced later are known from before."""
        command = [sys.executable, "-m", "tests.faults.revealed"]
        done = subprocess.run(
            command, cwd=ROOT, env=self.stack.environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr[-2000:]
        for line in done.stdout.splitlines():
            name, _, secret = line.partition("\t")
            self._add(name, base64.b64decode(secret))
        self._learn_of_the_machine()

    def _add(self, name: str, secret: bytes) -> None:
        if name in RAW:
            self.secrets[name].add(secret)
            return
        self.secrets[name].add(secret.decode())
        if name in KEYS:
            self.secrets[f"{name}'s bytes"].add(base64.b64decode(secret))

    def _learn_of_the_machine(self) -> None:
        for name, fact in (("database password", "database_url"), ("valkey password", "redis_url")):
            self.secrets[name].add(unquote(urlsplit(self.stack.facts[fact]).password or ""))
        self.secrets["superuser password"].add((self.stack.state / "postgres" / "postgres.password").read_text())
        self.secrets["add-in token"].update(given_out)

    def a_token(self) -> str:
        """One that somebody could have stolen, of any provider."""
        found = [token for kind in TOKENS for token in self.secrets[kind]]
        return str(found[len(self.answers) % len(found)])

    def note(self, answer: requests.Response) -> None:
        self.statuses[answer.status_code] += 1
        self.answers.append(answer.content)

    # -- looking ------------------------------------------------------------------------------------------------

    def needles(self) -> Needles:
        named = ((shape, kind) for kind, each in self.secrets.items() for secret in each for shape in shapes_of(secret))
        return Needles(dict(named))

    def found(self) -> list[str]:
        """`kind in place` for each that lies somewhere; none of it may."""
        needles = self.needles()
        where = [(kind, str(path)) for path in self._files() for kind in self._in_file(needles, path)]
        where += [(kind, place) for place, text in self._texts() for kind in needles.in_text(text)]
        return sorted(f"{kind} in {place}" for kind, place in where)

    def _files(self) -> Iterator[Path]:
        """Heap and WAL of PostgreSQL, logs, the terminal, the key store, the spool, everything else there is."""
        self.scanned = 0
        for path in sorted(self.stack.state.rglob("*")):
            if path.is_file():
                self.scanned += path.stat().st_size
                yield path

    def _in_file(self, needles: Needles, path: Path) -> set[str]:
        inside = str(path.relative_to(self.stack.state))
        return needles.in_file(path) - {kind for kind, files in KEPT.items() if inside in files}

    def _texts(self) -> Iterator[tuple[str, bytes]]:
        """What is compressed on disk, or on none."""
        yield "valkey", valkey_dump(self.stack.facts["redis_url"])
        with psycopg.connect(self.stack.facts["database_url"]) as database, database.cursor() as cursor:
            yield "the tables", rows_as_text(cursor)
        yield from ((f"answer {number}", text) for number, text in enumerate(self.answers))
