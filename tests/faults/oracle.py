"""The oracle: after a fault test I1 to I10 are checked, from database, audit log, ledgers, logs, queue and disk; and
that nothing waited for a provider or a key service inside a database transaction (T).

The fixture `oracle` does so by itself once the test is over; a test says what it expects with
`@pytest.mark.oracle(reuses=1)` and who else has seen something with `oracle.witness(...)`."""

import io
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from pytest_django import Settings

from providers import http
from providers.base import Secret
from tests.faults import evidence
from tests.faults.evidence import Evidence, Ledger
from tests.faults.invariants import check
from tests.vault.rotating import Rotating
from vault import keys

Witness = Callable[[], Mapping[str, Any]]


class Oracle:
    """`reuses`: how many re-use reports the provider is expected to have made, since an answer was lost (V3).
    `finds`: invariants that the test violates on purpose, as an attacker would: the oracle must say so."""

    def __init__(self, reuses: int = 0, finds: Collection[str] = ()) -> None:
        self.reuses, self.finds = reuses, set(finds)
        self.secrets: set[str] = set()
        self.log = io.StringIO()
        self.waited = set[str]()
        self._witnesses: list[Witness] = []
        self._texts: dict[str, bytes] = {}
        self._folders: list[Path] = []

    def witness(self, ledger: Witness) -> None:
        """A provider's ledger, asked at the end: `lambda: simulator.sim("ledger")`."""
        self._witnesses.append(ledger)

    def watch(self, *secrets: str) -> None:
        """Secrets that this process has not seen as Secret."""
        self.secrets.update(secrets)

    def read(self, name: str, text: str | bytes) -> None:
        """Output of a process, a page, a message: no secret may be in it."""
        self._texts[name] = text.encode() if isinstance(text, str) else text

    def look_into(self, folder: Path) -> None:
        """A folder whose files may hold no secret."""
        self._folders.append(folder)

    def evidence(self) -> Evidence:
        ledger = Ledger()
        for ask in self._witnesses:
            ledger.add(ask())
        files = {name: text for folder in self._folders for name, text in evidence.files_below(folder).items()}
        return evidence.collect(ledger, {**self._texts, **files, "log": self.log.getvalue().encode()}, self.secrets)

    def violations(self) -> list[str]:
        return [*check(self.evidence(), self.reuses), *(f"T: {each} in a transaction" for each in sorted(self.waited))]


@pytest.fixture
def oracle(
    request: pytest.FixtureRequest, transactional_db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Oracle]:
    """Listens from the start of the test; at its end, before database and settings go, says what is violated."""
    marker = request.node.get_closest_marker("oracle")
    found = Oracle(**(marker.kwargs if marker else {}))
    handler = logging.StreamHandler(found.log)
    _remember_secrets(found, monkeypatch)
    _watch_calls(found, monkeypatch)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield found
        violations = found.violations()
        assert {each.partition(":")[0] for each in violations} == found.finds, "\n".join(violations)
    finally:
        root.removeHandler(handler)


@pytest.fixture
def judged(oracle: Oracle, provider: Rotating) -> Oracle:
    """The oracle, with the vault tests' own token endpoint as its witness."""
    oracle.witness(lambda: provider.ledger.as_json(provider.living()))
    return oracle


def _remember_secrets(found: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every token that passes through this process, also one that is replaced later, is a Secret once."""
    construct = Secret.__init__

    def remember(self: Secret, value: str) -> None:
        construct(self, value)
        found.secrets.add(value)

    monkeypatch.setattr(Secret, "__init__", remember)


def _depth() -> int:
    """How many transactions and savepoints this thread is inside."""
    database = connections["default"]
    return database.in_atomic_block + len(database.savepoint_ids)


def _watch_calls(found: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for another machine while he holds rows makes everybody wait. A data key counts whoever holds the KEK:
    a key service is asked at the same places. A test that is in a transaction itself has not begun there."""
    mine, begun = connections["default"], _depth()

    def watched(call: Callable[..., Any], name: str) -> Callable[..., Any]:
        def noted(*args: Any, **kwargs: Any) -> Any:
            if _depth() > (begun if connections["default"] is mine else 0):
                found.waited.add(name)
            return call(*args, **kwargs)

        return noted

    monkeypatch.setattr(http.Session, "request", watched(http.Session.request, "a call"))
    for name, words in (("opened", "a data key was opened"), ("new_row", "a data key was made")):
        monkeypatch.setattr(keys, name, watched(getattr(keys, name), words))
