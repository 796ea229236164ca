"""What `prove_privacy --running` finds in all that a stack keeps; with a leak made on purpose, which it must find."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from redis import Redis

from config.embedded import ports
from organizations.privacy.canaries import Canaries
from tests import servers
from tests.running import Stack

_PIECE = 16
#: A leak is planted in each of these.
PLANTED = ("tables of database “default”", "keys of Valkey", "files of Valkey", "files of PostgreSQL", "logs")


def searched(stack: Stack, temporary: Path, given: Mapping[str, str], report: Path) -> dict[str, Any]:
    """The report's content. Text N of it is the Nth piece of the canaries; the last ones are the leak's."""
    leak = Canaries().new("a leak made on purpose")
    plant(stack, leak)
    _settle(stack)
    pieces = [piece for text in (*given.values(), leak) for piece in _pieces(text)]
    done = subprocess.run(
        [
            sys.executable,
            "manage.py",
            "prove_privacy",
            "--running",
            "--temporary",
            str(temporary),
            "--report",
            str(report),
        ],
        cwd=servers.ROOT,
        env=stack.environment,
        input="\n".join(pieces),
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert report.exists(), done.stderr[-3000:]
    return dict(json.loads(report.read_text())["certificate"])


def judge(content: Mapping[str, Any], given: Mapping[str, str]) -> int:
    """Nothing but the leak is found, and that everywhere. Returns how many bytes were looked at."""
    names = [what for what, text in given.items() for _ in _pieces(text)]
    found = [(looked["store"], each["what"], each["where"]) for looked in content["looked"] for each in looked["found"]]
    stays = [(store, names[number], where) for store, what, where in found if (number := _number(what)) < len(names)]
    assert not stays, stays[:20]
    stores = {store for store, what, _ in found}
    assert all(any(store.startswith(each) for store in stores) for each in PLANTED), stores
    return sum(int(looked["bytes"]) for looked in content["looked"])


def plant(stack: Stack, leak: str) -> None:
    with psycopg.connect(stack.facts["database_url"], autocommit=True) as database:
        database.execute("CREATE TABLE leaking (kept text)")
        database.execute("INSERT INTO leaking VALUES (%s)", [leak])
    with Redis.from_url(stack.facts["redis_url"]) as valkey:
        valkey.rpush("leaking", leak)
    with (Path(stack.facts["log"]) / "worker.log").open("a") as log:
        log.write(leak)


def _settle(stack: Stack) -> None:
    """What PostgreSQL holds in memory goes to its files."""
    parts = urlsplit(stack.facts["database_url"])
    password = (stack.state / "postgres" / "postgres.password").read_text()
    place = {"host": ports.LOOPBACK, "port": parts.port, "dbname": parts.path.strip("/")}
    with psycopg.connect(**place, user="postgres", password=password, autocommit=True) as database:
        database.execute("CHECKPOINT")


def _pieces(text: str) -> list[str]:
    """A text that was cut is found by what is left of it."""
    digits = text.removeprefix("canary")
    return [digits[at : at + _PIECE] for at in range(0, len(digits), _PIECE)]


def _number(what: str) -> int:
    """Of "text 3, as it is": 2."""
    return int(what.removeprefix("text ").partition(",")[0]) - 1
