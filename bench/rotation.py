"""100,000 sealed tokens rotated (KEK, then data keys) while another process reads and renews, beside bare AES-GCM.

On a PostgreSQL of its own, with the settings of `make run`; the KEK is local. Reads that fail are part of the result:
there must be none."""

import base64
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.results import Results
from config.embedded.postgres import Postgres
from config.embedded.processes import Supervisor

ROOT = Path(__file__).resolve().parent.parent
TOKENS, ORGANIZATIONS = 100_000, 1_000
PLAIN, ASSOCIATED = 800, 200  # bytes: about what a credential and its place have


def measure(results: Results, tokens: int = TOKENS, organizations: int = ORGANIZATIONS) -> dict[str, Any]:
    """Adds the figures; returns the reader's report, whose "failures" must be empty."""
    with _servers() as environment:
        _run(environment, "manage.py", "migrate", "-v0")
        _run(environment, "manage.py", "migrate", "-v0", "--database", "keys")
        _run(environment, "-m", "tests.vault.many", str(tokens), str(organizations))
        old, new = environment["VAULT_KEK"], base64.b64encode(os.urandom(32)).decode()
        environment["VAULT_KEK"] = f"new:{new},default:{old}"
        calm = _read_while(environment, lambda: time.sleep(3))
        took: dict[str, float] = {}
        report = _read_while(environment, lambda: took.update(_rotate(environment)))
    _report(results, tokens, took, calm, report)
    return report


def _rotate(environment: dict[str, str]) -> dict[str, float]:
    """Seconds of a new KEK, and of new data keys with every value sealed anew; each with a start of manage.py."""
    began = time.perf_counter()
    _run(environment, "manage.py", "rotate_keys")
    kek = time.perf_counter()
    _run(environment, "manage.py", "rotate_keys", "--data-keys")
    return {"kek": kek - began, "data": time.perf_counter() - kek}


def _read_while(environment: dict[str, str], work: Any) -> dict[str, Any]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.vault.reading"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "reading\n"
        work()
        out, _ = process.communicate(timeout=60)
        return dict(json.loads(out))
    finally:
        process.kill()
        process.wait(10)


def bare(count: int) -> float:
    """Seconds to open and seal `count` values of that size with AESGCM alone."""
    one, other, nonce = AESGCM(os.urandom(32)), AESGCM(os.urandom(32)), os.urandom(12)
    associated = os.urandom(ASSOCIATED)
    blob = one.encrypt(nonce, os.urandom(PLAIN), associated)
    began = time.perf_counter()
    for _ in range(count):
        other.encrypt(os.urandom(12), one.decrypt(nonce, blob, associated), associated)
    return time.perf_counter() - began


def _report(results: Results, tokens: int, took: dict[str, float], calm: dict[str, Any], under: dict[str, Any]) -> None:
    cost = bare(tokens)
    results.add(f"{tokens:,} values opened and sealed, bare AES-GCM", cost, "s")
    results.add(f"KEK rotated, {tokens:,} tokens", took["kek"], "s", "bare", took["kek"] / cost)
    results.add(f"data keys rotated, {tokens:,} tokens", took["data"], "s", "bare", took["data"] / cost, "< 60 s")
    results.add("read and unseal, p99, nothing else going on", calm["p99"], "ms")
    results.add("read and unseal, p99, under rotation", under["p99"], "ms", "calm", under["p99"] / calm["p99"])
    results.add(f"failed of {under['reads']:,} reads under rotation", sum(under["failures"].values()), "", target="0")


def _run(environment: dict[str, str], *command: str) -> None:
    subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def _servers() -> Iterator[dict[str, str]]:
    """The environment for our processes on a PostgreSQL of their own, gone afterwards. No queue is needed."""
    supervisor = Supervisor()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)
        postgres = Postgres(folder / "postgres", folder / "postgres.log")
        try:
            supervisor.start(postgres.program())
            postgres.provision("rotated", "rotated_keys")
            yield _environment(postgres, folder)
        finally:
            supervisor.stop()


def _environment(postgres: Postgres, folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "VIRTUAL_ENV") if name in os.environ}
    return {
        **kept,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": postgres.url("rotated"),
        "KEY_STORE_URL": postgres.url("rotated_keys"),
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "LOCAL_DIR": str(folder),
        "SECRET_KEY": secrets.token_urlsafe(64),
        **{name: base64.b64encode(os.urandom(32)).decode() for name in ("VAULT_KEK", "AUDIT_KEY", "SIGNING_KEY")},
    }
