"""A pytest plugin: writes down of each collected test whether the oracle judges it, for tests/faults/test_index.py.

`python -m pytest --collect-only -p tests.faults.collected FILE ...` prints a line for each: node id, tab, verdict."""

import sys

import pytest


def pytest_collection_finish(session: pytest.Session) -> None:
    for item in session.items:
        sys.stdout.write(f"\n{item.nodeid}\t{'judged' if _is_judged(item) else 'not judged'}")


def _is_judged(item: pytest.Item) -> bool:
    """It asks for the oracle, or for the provider in a room where that brings it (tests/vault/conftest.py)."""
    names = set(getattr(item, "fixturenames", ()))
    return "oracle" in names or {"provider", "by_the_oracle"} <= names
