"""The faults that `make mutate` makes: each changes the program, each is one change, what is for people stays."""

import ast
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test.utils import teardown_test_environment

from tests.mutation import verdicts
from tests.mutation.mutants import Mutant, mutants_of, readers_of
from tests.mutation.verdicts import believed, judge, verdict_of
from tests.mutation.worker import apply, function_named, likeliest, source_of


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


def test_who_reads_a_constant() -> None:
    source = "N = 1\ndef f(): return N\ndef g(): return 2\nclass C:\n    def h(self): return [N for _ in self]"
    assert readers_of(source, "N") == {"f", "C.h"}


def test_who_is_asked_first() -> None:
    """Who noticed a fault there before, then the module's own tests, the narrow ones first; for a constant, who runs
    its readers."""
    covering = {"spool:_path": ["tests/vault/test_answers.py::a", "tests/vault/test_spool.py::wide"]}
    covering["spool:folder"] = [*covering["spool:_path"], "tests/vault/test_spool.py::narrow"]
    facts = {"covering": covering, "seconds": Counter()}

    def asked(owner: str, is_function: bool, kills: Counter[tuple[str, str]]) -> list[str]:
        mutant = Mutant(owner, is_function, 1, "", ast.Module([], []))
        return [test.rpartition("::")[2] for test in likeliest(facts, "spool", mutant, kills)]

    assert asked("folder", True, Counter()) == ["narrow", "wide", "a"]
    assert asked("folder", True, Counter({("folder", "tests/vault/test_answers.py::a"): 1})) == ["a", "narrow", "wide"]
    assert asked("_SUFFIX", False, Counter()) == ["wide", "a"]


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
    tmp_path: Path, fails_anyway: int, verdict: str
) -> None:
    note = tmp_path / "note"

    def ask(tests: list[str]) -> str:
        note.write_text("broken" if "broken" in tests else "")
        return "killed" if "broken" in tests else "survived"

    assert believed(ask, lambda _: fails_anyway, ["broken", "fine"], note, set()) == verdict


@pytest.mark.parametrize(("without", "is_killed"), [(0, True), (1, True), (verdicts.TIMED_OUT, False)])
def test_who_is_as_slow_without_the_fault_was_not_stopped_by_it(tmp_path: Path, without: int, is_killed: bool) -> None:
    note = tmp_path / "note"
    note.write_text("")
    found = believed(lambda _: "killed: timeout", lambda _: without, ["slow"], note, set())
    assert found.startswith("killed") == is_killed


@pytest.mark.parametrize(
    ("code", "noticed_by", "is_killed"),
    [
        (0, "", False),
        (1, "a test", True),
        (1, "", False),
        (verdicts.TIMED_OUT, "", True),
        *((code, "a test", False) for code in (2, 3, 4, 5, 99, -9, -11)),
    ],
)
def test_only_a_test_that_failed_has_noticed(code: int, noticed_by: str, is_killed: bool) -> None:
    """Not a run that was broken off, could not be understood, found no test, or crashed."""
    assert verdict_of(code, noticed_by).startswith("killed") == is_killed


@pytest.mark.parametrize(
    ("file", "change", "verdict"),
    [
        ("def test_a():\n    assert True\n", teardown_test_environment, "survived"),
        ("def test_a():\n    assert False\n", teardown_test_environment, "killed"),
        ("import nothing_of_this_name\n", teardown_test_environment, "error: ended with 4"),
        ("", teardown_test_environment, "error: ended with 5"),
        ("def test_a():\n    import os\n    os.abort()\n", teardown_test_environment, "error: ended with -6"),
        ("def test_a():\n    assert True\n", apply, "error: ended with 99"),
        ("def test_a():\n    import time\n    time.sleep(60)\n", teardown_test_environment, "killed: timeout"),
    ],
)
def test_what_a_real_run_is_taken_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: str, change: Callable[[], None], verdict: str
) -> None:
    """Here the fork comes from a test, so Django's test environment is there already; pytest-django makes it anew."""
    monkeypatch.setattr(verdicts, "empty_databases", lambda: None)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = soak\n")
    (tmp_path / "test_it.py").write_text(file)
    seconds = 1.5 if "timeout" in verdict else 30
    assert judge(change, [str(tmp_path / "test_it.py")], seconds, tmp_path / "note") == verdict
