"""Every failure case V1 to V24 has its tests, they exist, docs/vault.md names them, and the oracle judges them."""

import ast
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

PAGE = Path("docs/vault.md")
CASES = [f"V{number}" for number in range(1, 25)]
_CITED = re.compile(r"`((?:tests/[\w/]+/)?test_\w+\.py)?(?:::)?(test_\w+)?(\.\.\.)?`")
#: Cited tests, by the beginning of their id, that leave nothing behind for the oracle to look at, and why.
NOT_JUDGED = {
    "tests/vault/test_cipher.py::": "sealing alone: no database, no grant",
    "tests/providers/test_oauth.py::": "the HTTP layer alone: no database, no grant",
    "tests/organizations/test_audit.py::test_nothing_is_recorded_": "the audit log alone: no grant",
    "tests/config/test_run.py::": "products that do not start, or whole ones with databases of their own",
    "tests/vault/test_life_ahead.py::test_no_decision_": "reads the source",
    "tests/vault/test_life_drain.py::test_nothing_begins_": "a counter in RAM",
}
_UNFINISHED = re.compile(r"not built|not tested|no test|not enforced", re.IGNORECASE)


def row_of(case: str) -> str:
    (row,) = [line for line in PAGE.read_text().splitlines() if line.startswith(f"| {case} ")]
    return row


def cited(row: str) -> list[tuple[str, str]]:
    """(file, beginning of a test's name) of each citation; a name alone belongs to the file cited before it."""
    found, file = [], ""
    for path, name, _ in _CITED.findall(row):
        file = (path if "/" in path else f"tests/vault/{path}") if path else file
        if path or name:
            found.append((file, name.rstrip("_")))
    return found


@dataclass(frozen=True)
class Told:
    """What a test says of itself, and whether it can fail."""

    docstring: str
    asserts: bool


@cache
def defined_in(file: str) -> dict[str, Told]:
    return told_by(Path(file).read_text())


def told_by(text: str) -> dict[str, Told]:
    """By name; what the module's docstring says counts for none of them."""
    functions = {node.name: node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)}
    tests = {name: node for name, node in functions.items() if name.startswith("test_")}
    return {name: Told(ast.get_docstring(node) or "", _asserts(node, functions)) for name, node in tests.items()}


def _asserts(function: ast.FunctionDef, helpers: dict[str, ast.FunctionDef]) -> bool:
    """In its body, or in a helper of its module that it names, or that such a one does."""
    met, names = set[str](), {function.name}
    while new := names & helpers.keys() - met:
        nodes = [node for name in new for each in helpers[name].body for node in ast.walk(each)]
        if any(map(_can_fail, nodes)):
            return True
        met |= new
        names = {getattr(node, "attr", getattr(node, "id", "")) for node in nodes}
    return False


def _can_fail(node: ast.AST) -> bool:
    """An `assert` of more than a constant, or `pytest.raises`."""
    if isinstance(node, ast.Assert):
        return not isinstance(node.test, ast.Constant)
    return isinstance(node, ast.Attribute) and ast.unparse(node) == "pytest.raises"


def meant(file: str, beginning: str) -> dict[str, Told]:
    """The tests that a citation is about: of a file alone, all that are there."""
    return {name: told for name, told in defined_in(file).items() if name.startswith(beginning)}


@pytest.mark.parametrize("case", CASES)
def test_every_case_names_tests_that_exist(case: str) -> None:
    row = row_of(case)
    names = cited(row)
    assert names, row
    assert not _UNFINISHED.search(row), row
    for file, name in names:
        assert Path(file).exists(), f"{case} cites {file}"
        assert meant(file, name), f"{case} cites {file}::{name}"


@pytest.mark.parametrize("case", CASES)
def test_every_cited_test_can_fail(case: str) -> None:
    for file, name in cited(row_of(case)):
        assert [test for test, told in meant(file, name).items() if not told.asserts] == [], f"{case} cites {file}"


@pytest.mark.parametrize("case", CASES)
def test_every_citation_says_which_test_shows_the_case(case: str) -> None:
    """By the test's name, or else one in the file says in its own docstring that it is the one."""
    word = re.compile(rf"\b{case}\b")
    for file, name in cited(row_of(case)):
        assert name or any(word.search(told.docstring) for told in meant(file, name).values()), f"{case} cites {file}"


@cache
def verdicts() -> dict[str, bool]:
    """Node id of every test in the cited files -> whether the oracle judges it, as pytest collects them."""
    files = sorted({file for case in CASES for file, _ in cited(row_of(case))})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-o", "addopts=", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "-p", "tests.faults.collected", *files], capture_output=True, text=True, check=True, timeout=150
    )
    told = (line.rpartition("\t") for line in done.stdout.splitlines() if line.endswith("judged"))
    return {node: verdict == "judged" for node, _, verdict in told}


@pytest.mark.parametrize("case", CASES)
def test_every_case_is_judged_by_the_oracle(case: str) -> None:
    """Whatever leaves a grant, a ledger or a log behind; the exceptions have their reason."""
    ids = [node for file, name in cited(row_of(case)) for node in verdicts() if node.startswith(f"{file}::{name}")]
    assert ids, case
    assert [node for node in ids if not verdicts()[node] and not node.startswith(tuple(NOT_JUDGED))] == []


def test_each_exception_is_needed() -> None:
    """One that is judged by now, or that nobody cites, is struck out."""
    for start in NOT_JUDGED:
        assert any(node.startswith(start) and not judged for node, judged in verdicts().items()), start


def test_the_reader_finds_what_is_cited() -> None:
    """The tests above can fail."""
    row = "| V0 x | y | `test_a.py::test_one_...`, `test_two`; `tests/config/test_run.py` |"
    first, second = ("tests/vault/test_a.py", "test_one"), ("tests/vault/test_a.py", "test_two")
    assert cited(row) == [first, second, ("tests/config/test_run.py", "")]
    assert _UNFINISHED.search("a full disk: not tested")


@pytest.mark.parametrize(
    "body", ["...", '"""V1, and says so."""', "work()", "assert True", "quiet()", "pass  # assert"]
)
def test_an_emptied_test_is_seen(body: str) -> None:
    told = told_by(f'"""V1."""\ndef quiet():\n    work()\n\ndef test_one():\n    {body}\n')
    assert told == {"test_one": Told("V1, and says so." if "says" in body else "", asserts=False)}


@pytest.mark.parametrize("body", ["assert work()", "check()", "with pytest.raises(E):\n        work()", "run(deeper)"])
def test_a_test_that_can_fail_is_seen(body: str) -> None:
    helpers = "def check():\n    assert x == 1\n\ndef deeper():\n    check()\n"
    assert told_by(f"{helpers}\ndef test_one():\n    {body}\n") == {"test_one": Told("", asserts=True)}
