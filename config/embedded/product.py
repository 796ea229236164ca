"""What runs besides the servers: the web process, the worker, and migrations before them."""

import hashlib
import http.client
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from config import env
from config.embedded import ports
from config.embedded.processes import Program

ROOT = Path(__file__).resolve().parents[2]
WEB_WORKERS = 2
WORKER_THREADS = 4
#: Beginnings of the names of what the hot process may know: its settings, and what every program needs.
_HOTS = (
    *("TRACKING_KEY", "TRACKING_SPOOL", "REDIS_URL", "LOCAL_DIR", "GRANIAN_"),
    *("PATH", "HOME", "LANG", "LC_", "TZ", "TMPDIR", "VIRTUAL_ENV", "PYTHON", "LD_LIBRARY_PATH", "SSL_CERT_"),
)
#: Seconds for a renewal under way to be stored (vault.underway, docs/vault.md V24); who is idle ends at once.
DRAIN = 17


def migrations(log: Path, environment: Mapping[str, str]) -> list[Program]:
    """One for each database; they do not depend on each other."""
    return [
        Program(
            name=f"Migrating the database '{database}'",
            command=[sys.executable, "manage.py", "migrate", "--noinput", "--verbosity", "0", "--database", database],
            log=log / "migrate.log",
            environment=environment,
            directory=ROOT,
        )
        for database in ("default", "keys")
    ]


def migrations_digest(public_url: str) -> str:
    """Changes with every migration, ours (their files) or a dependency's (their locked versions).

    And with our address: migrating also registers our own add-ins, whose redirect URIs hold it."""
    digest = hashlib.sha256(public_url.encode() + (ROOT / "requirements" / "base.txt").read_bytes())
    for path in sorted(ROOT.glob("*/migrations/*.py")):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def web(port: int, public_url: str, log: Path, environment: Mapping[str, str]) -> Program:
    host = urlsplit(public_url).netloc
    return Program(
        name="web",
        command=[
            *(sys.executable, "-m", "granian", "config.wsgi:application"),
            *("--interface", "wsgi", "--http", "1", "--no-ws"),
            *("--host", ports.LOOPBACK, "--port", str(port)),
            *("--workers", str(WEB_WORKERS)),
            *("--blocking-threads", str(env.read_number("BLOCKING_THREADS", env.BLOCKING_THREADS))),
            *("--respawn-failed-workers", "--respawn-interval", "1", "--workers-kill-timeout", str(DRAIN)),
        ],
        log=log / "web.log",
        is_ready=lambda: _answers(port, host, "/healthz"),
        environment=environment,
        directory=ROOT,
        stop_within=DRAIN + 1,
    )


def hot(port: int, log: Path, environment: Mapping[str, str]) -> Program:
    """What answers pixels and clicks (tracking.hot). Anybody may speak to it: it is told no key but its own."""
    return Program(
        name="tracking",
        command=[
            *(sys.executable, "-m", "granian", "config.hot:process"),
            *("--interface", "rsgi", "--http", "1", "--no-ws", "--workers", "1", "--loop", "asyncio"),
            *("--host", ports.LOOPBACK, "--port", str(port)),
            *("--respawn-failed-workers", "--respawn-interval", "1"),
        ],
        log=log / "tracking.log",
        is_ready=lambda: _answers(port, "localhost", "/healthz"),
        environment={name: value for name, value in environment.items() if name.startswith(_HOTS)},
        directory=ROOT,
    )


def worker(state: Path, log: Path, environment: Mapping[str, str]) -> Program:
    path = log / "worker.log"
    begins = path.stat().st_size if path.exists() else 0
    return Program(
        name="worker",
        command=[
            *(sys.executable, "-m", "celery", "--app", "config", "worker", "--beat"),
            *("--pool", "threads", "--concurrency", str(WORKER_THREADS), "--loglevel", "INFO"),
            *("--schedule", str(state / "beat-schedule")),
            *("--without-gossip", "--without-mingle"),
        ],
        log=path,
        is_ready=lambda: _says(path, begins, b" ready."),
        environment=environment,
        directory=ROOT,
        stop_within=DRAIN + 1,  # for a renewal; anything else is acknowledged late and due in PostgreSQL: not lost
    )


def _answers(port: int, host: str, path: str) -> bool:
    connection = http.client.HTTPConnection(ports.LOOPBACK, port, timeout=2)
    try:
        connection.request("GET", path, headers={"Host": host})
        return connection.getresponse().status < 400
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _says(path: Path, begins: int, words: bytes) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(begins)
            return words in file.read()
    except OSError:
        return False
