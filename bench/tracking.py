"""A pixel and a click beside nginx' `empty_gif` and `return 302`, and beside what others keep: a Django view with an
INSERT for each hit, and the same with the view of `pytracking`.

Each server on core 0; wrk, Valkey (appendfsync always) and PostgreSQL on core 1. Rounds interleaved, medians of five;
with 64 connections, as others measure, and with 256: what a commit costs is shared by those who wait for it.
Needs nginx and wrk; without them it says so and measures nothing."""

import base64
import contextlib
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psycopg
import pytracking
from cryptography.fernet import Fernet
from django.core.signing import Signer

from bench import cores
from bench.results import Results
from bench.warm_lookup import await_port
from config.embedded import ports
from config.embedded.postgres import Postgres
from config.embedded.processes import Supervisor
from config.embedded.valkey import Valkey
from tracking.hot.tokens import Keyring, Kind, Opened, read_keys

ROUNDS, SECONDS = 5, 2
CONNECTIONS = (64, 256)
TOKENS = 1_000
#: 120 bytes, as long as links in mail are.
TARGET = (
    "https://www.example.com/offers/2027/spring?utm_source=newsletter&utm_medium=email&utm_campaign=s27&id=123456789"
)
_NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log /dev/null;
events {{ worker_connections 1024; }}
http {{ access_log off; server {{ listen 127.0.0.1:{port};
  location /t/o/ {{ empty_gif; }} location /t/c/ {{ return 302 "{target}"; }} }} }}
"""
_LUA = """
local paths, n = {{}}, 0
for line in io.lines("{paths}") do n = n + 1; paths[n] = line end
local at = 0
local between = tonumber(os.getenv("BETWEEN"))
if between then delay = function() return math.random(0, between) end end
wrk.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"
request = function() at = at % n + 1; return wrk.format("GET", paths[at]) end
"""


@dataclass(frozen=True, slots=True)
class Round:
    rate: float
    p99: float  # ms
    errors: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A server, and the file of paths that wrk asks it for."""

    url: str
    script: Path


def measure(results: Results) -> None:
    missing = [name for name in ("nginx", "wrk") if shutil.which(name) is None]
    if missing:
        print(f"tracking: not measured, since {' and '.join(missing)} is not installed", file=sys.stderr)
        return
    with (
        tempfile.TemporaryDirectory() as text,
        cores.kept_on(cores.OTHERS),
        _servers(Path(text)) as environment,
    ):
        _compare(results, Path(text), environment)


@contextlib.contextmanager
def _servers(folder: Path) -> Iterator[dict[str, str]]:
    """Valkey with a file, and PostgreSQL."""
    valkey, postgres = Valkey(folder / "valkey", folder / "valkey.log"), Postgres(folder / "pg", folder / "pg.log")
    supervisor = Supervisor(lambda _: None)
    supervisor.start(valkey.program(), postgres.program())
    try:
        postgres.provision("naive")
        yield {
            **os.environ,
            "REDIS_URL": valkey.url(),
            "DATABASE_URL": postgres.url("naive"),
            "TRACKING_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
            "PYTRACKING_KEY": Fernet.generate_key().decode(),
            "TRACKING_SPOOL_DIR": str(folder / "spool"),
        }
    finally:
        supervisor.stop()


def _compare(results: Results, folder: Path, environment: dict[str, str]) -> None:
    keyring = Keyring(read_keys(environment["TRACKING_KEY"]))
    opens = _script(folder, "opens", [f"/t/o/{_token(keyring, Kind.OPEN)}.gif" for _ in range(TOKENS)])
    clicks = _script(folder, "clicks", [f"/t/c/{_token(keyring, Kind.CLICK)}" for _ in range(TOKENS)])
    naive = _script(folder, "naive", [f"/open/{Signer(key=_NAIVE).sign(str(uuid.uuid4()))}" for _ in range(TOKENS)])
    key = environment["PYTRACKING_KEY"].encode()
    peer = _script(folder, "peer", [_pytracked(key) for _ in range(TOKENS)])
    with (
        _nginx(folder) as nginx,
        _granian("config.hot:process", "rsgi", environment) as ours,
        _granian("bench.naive:application", "wsgi", environment) as view,
    ):
        _table(environment)
        asked = {
            "nginx empty_gif": Asked(nginx, opens),
            "pixel": Asked(ours, opens),
            "nginx return 302": Asked(nginx, clicks),
            "click": Asked(ours, clicks),
            "naive view": Asked(view, naive),
            "pytracking": Asked(view, peer),
        }
        for connections in CONNECTIONS:
            rounds = {name: [_run(each, connections)] for name, each in asked.items()}  # the first warms up
            for _ in range(ROUNDS):
                for name, each in asked.items():
                    rounds[name].append(_run(each, connections))
            full = {name: found[1:] for name, found in rounds.items()}
            _report(results, full, connections)
            _report_half(results, {name: asked[name] for name in ("pixel", "click")}, full, connections)


_NAIVE = "not a secret: the yardstick signs nothing that matters"


def _token(keyring: Keyring, kind: Kind) -> str:
    led = (1, TARGET) if kind is Kind.CLICK else ()
    return keyring.seal(kind, Opened(uuid.uuid4().bytes, uuid.uuid4().bytes, *led))


def _pytracked(key: bytes) -> str:
    url: str = pytracking.get_open_tracking_url(
        {"message": str(uuid.uuid4())}, base_open_tracking_url="/pytracking/", encryption_bytestring_key=key
    )
    return url


def _script(folder: Path, name: str, paths: list[str]) -> Path:
    (folder / f"{name}.txt").write_text("\n".join(paths))
    script = folder / f"{name}.lua"
    script.write_text(_LUA.format(paths=folder / f"{name}.txt"))
    return script


@contextlib.contextmanager
def _nginx(folder: Path) -> Iterator[str]:
    port = ports.free()
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, port=port, target=TARGET))
    with _process(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")], dict(os.environ), port):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def _granian(target: str, interface: str, environment: dict[str, str]) -> Iterator[str]:
    port = ports.free()
    command = [sys.executable, "-m", "granian", target, "--interface", interface, "--http", "1", "--no-ws"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--log-level", "error"]
    command += ["--blocking-threads", "4"] if interface == "wsgi" else []
    with _process(command, environment, port):
        yield f"http://127.0.0.1:{port}"


def _on_its_core() -> None:
    cores.pin(cores.SERVER)


@contextlib.contextmanager
def _process(command: list[str], environment: dict[str, str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, env=environment, preexec_fn=_on_its_core, stderr=subprocess.DEVNULL)
    try:
        await_port(port)
        yield
    finally:
        process.terminate()
        process.wait(20)


def _table(environment: dict[str, str]) -> None:
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        connection.execute(
            "CREATE TABLE naive_hit (id bigserial PRIMARY KEY, at timestamptz DEFAULT now(),"
            " message text, address text, agent text)"
        )


def _run(asked: Asked, connections: int, between: int | None = None) -> Round:
    """`between`: milliseconds that each connection waits before it asks again, at most; None: not at all."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency", "-s", str(asked.script), asked.url]
    environment = {**os.environ, **({"BETWEEN": str(between)} if between else {})}
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    late = re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
    failed = re.search(r"Socket errors: .*", text)
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    assert rate
    assert late
    scale = {"us": 0.001, "ms": 1.0, "s": 1000.0}[late[2]]
    return Round(float(rate[1]), float(late[1]) * scale, int(wrong[1]) if wrong else int(bool(failed)))


def _report(results: Results, rounds: dict[str, list[Round]], connections: int) -> None:
    rate = {name: median(each.rate for each in found) for name, found in rounds.items()}
    pairs = (
        ("pixel", "nginx empty_gif", ">= 0.20"),
        ("click", "nginx return 302", ">= 0.20"),
        ("pixel", "naive view", ">= 20"),
        ("pixel", "pytracking", ""),
    )
    for name in ("nginx empty_gif", "nginx return 302", "naive view", "pytracking"):
        results.add(f"{name}, {connections} connections", rate[name], "req/s")
    for name, against, target in pairs:
        ratio = median(a.rate / b.rate for a, b in zip(rounds[name], rounds[against], strict=True))
        results.add(
            f"{name}, {connections} connections, stored before answered", rate[name], "req/s", against, ratio, target
        )
    for name, found in rounds.items():
        assert not sum(each.errors for each in found), name


def _report_half(results: Results, asked: dict[str, Asked], full: dict[str, list[Round]], connections: int) -> None:
    """How late the last in a hundred is: at full load, and at half of it, each connection pausing at random."""
    for name, each in asked.items():
        named = f"{name}, {connections} connections, p99 at"
        results.add(f"{named} full load", median(found.p99 for found in full[name]), "ms")
        half = median(found.rate for found in full[name]) / 2
        pause = _pause(each, half, connections)
        rounds = [_run(each, connections, pause) for _ in range(ROUNDS)]
        share = median(found.rate for found in rounds) / half / 2
        results.add(f"{named} {share:.2f} of it", median(found.p99 for found in rounds), "ms", target="< 10")
        assert not sum(found.errors for found in rounds), name


def _pause(asked: Asked, rate: float, connections: int) -> int:
    """Milliseconds that each connection must wait at most, chosen at random, for that many requests a second."""
    turn = 1_000 * connections / rate
    first = round(2 * turn)
    answering = 1_000 * connections / _run(asked, connections, first).rate - first / 2
    return max(1, round(2 * (turn - answering)))
