"""Which settings `make run` adds to the operator's own, and what it tells the process that strangers speak to."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import run
from config.embedded import product, state

#: As a grown-up installation brings them: its own Salesforce, servers and keys.
OWN = {
    "SALESFORCE_CLIENT_ID": "own",
    "DATABASE_URL": "postgres://db.example/sidebar",
    "KEY_STORE_URL": "postgres://db.example/keys",
    "REDIS_URL": "redis://valkey.example",
    "VAULT_KEK": "x",
}


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[state.State]:
    for name in (*run.KEYS, "TRACKING_URL", "SALESFORCE_CLIENT_ID"):
        for each in (name, f"{name}_FILE"):
            monkeypatch.delenv(each, raising=False)
    held = state.State(tmp_path / "state")
    yield held
    held.release()


def settled(held: state.State) -> run.Stack:
    stack = run.Stack(held, 8000, 8100)
    stack._settle_keys()
    return stack


def test_an_installation_without_tracking_is_not_given_half_of_it(
    held: state.State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRACKING_URL alone would be refused by every process."""
    for name, value in OWN.items():
        monkeypatch.setenv(name, value)
    assert "TRACKING_URL" not in settled(held).environment()
    monkeypatch.setenv("TRACKING_KEY", "x")
    assert settled(held).environment()["TRACKING_URL"].startswith("http://localhost:")


def test_a_demo_has_tracking(held: state.State) -> None:
    held.secret("vault_kek")  # made by an earlier run: no look into a database
    added = settled(held).added
    assert {"TRACKING_URL", "TRACKING_KEY_FILE"} <= added.keys()


def test_the_hot_process_is_told_no_key_but_its_own(tmp_path: Path) -> None:
    secrets = ("SECRET_KEY", "VAULT_KEK_FILE", "VAULT_KEK_TOKEN", "AUDIT_KEY", "SIGNING_KEY_FILE", "DATABASE_URL_FILE")
    others = ("KEY_STORE_URL", "SALESFORCE_CLIENT_SECRET", "GOOGLE_CLIENT_SECRET_FILE")
    needed = {"TRACKING_KEY_FILE": "k", "REDIS_URL_FILE": "r", "LOCAL_DIR": "l", "PATH": os.environ["PATH"]}
    program = product.hot(1, tmp_path, {**dict.fromkeys((*secrets, *others), "canary"), **needed})
    assert program.environment == needed
