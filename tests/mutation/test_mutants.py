"""The faults that `make mutate` makes: each changes the program, each is one change, what is for people stays."""

import ast
from pathlib import Path

import pytest

from tests.mutation import worker
from tests.mutation.mutants import mutants_of
from tests.mutation.worker import apply, believed, function_named, source_of


def changed(source: str) -> set[str]:
    return {ast.unparse(each.tree) for each in mutants_of(source)}


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("def f(a, b):\n    return a == b", {"def f(a, b):\n    return a != b", "def f(a, b):\n    return None"}),
        ("def f(a):\n    a.b()", {"def f(a):\n    None"}),
        ("def f(a):\n    a.b = c", {"def f(a):\n    None"}),
        ("N = 3", {"N = 4"}),
        ("def f(a):\n    g(x=a)", {"def f(a):\n    None", "def f(a):\n    g()"}),
        ("def f(a):\n    raise E('words')", {"def f(a):\n    None"}),
        ("def f(a):\n    'a docstring'\n    log.info('words')", set()),
        ("class P(Protocol):\n    def f(self): return 1", set()),
    ],
)
def test_what_is_changed(source: str, wanted: set[str]) -> None:
    assert changed(source) == wanted


def test_a_fault_reaches_who_already_holds_the_function() -> None:
    """Also behind a decorator, and in a method."""
    from vault import flights

    held = flights.Flights.run
    wanted = ("Flights.run", "returns None")
    found = [each for each in mutants_of(source_of("flights")) if (each.owner, each.what) == wanted]
    mutant = found[-1]
    before = held.__code__
    try:
        apply(mutant, flights)
        assert function_named(flights, "Flights.run") is held
        assert held.__code__ is not before
        assert flights.Flights[str, str](1).run("key", lambda: "done") is None
    finally:
        held.__code__ = before


@pytest.mark.parametrize(("fails_anyway", "verdict"), [(0, "killed"), (1, "survived")])
def test_a_test_that_fails_without_a_fault_too_has_noticed_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fails_anyway: int, verdict: str
) -> None:
    note = tmp_path / "note"

    def ask(tests: list[str]) -> str:
        note.write_text("broken" if "broken" in tests else "")
        return "killed" if "broken" in tests else "survived"

    monkeypatch.setattr(worker, "in_a_fork", lambda *_: fails_anyway)
    assert believed(ask, ["broken", "fine"], note, set()) == verdict
