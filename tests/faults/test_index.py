"""Every failure case V1 to V24 has its tests, they exist, docs/vault.md names them, and the oracle judges them."""

import ast
import re
import subprocess
import sys
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


@cache
def defined_in(file: str) -> dict[str, str]:
    """Name of each test -> its docstring with its module's."""
    tree = ast.parse(Path(file).read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    about = ast.get_docstring(tree) or ""
    return {node.name: f"{ast.get_docstring(node) or ''} {about}" for node in functions}


@pytest.mark.parametrize("case", CASES)
def test_every_case_names_tests_that_exist(case: str) -> None:
    row = row_of(case)
    names = cited(row)
    assert names, row
    assert not _UNFINISHED.search(row), row
    for file, name in names:
        assert Path(file).exists(), f"{case} cites {file}"
        assert any(test.startswith(name) for test in defined_in(file)), f"{case} cites {file}::{name}"


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


@pytest.mark.parametrize("case", CASES)
def test_every_case_is_named_by_a_test(case: str) -> None:
    """From the other side: a test that says in its docstring, or its file's, that it shows the case."""
    word = re.compile(rf"\b{case}\b")
    files = [*Path("tests/vault").glob("test_*.py"), *Path("tests/faults").glob("test_*.py")]
    told = [test for file in files for test, text in defined_in(str(file)).items() if word.search(text)]
    assert told, case


def test_the_reader_finds_what_is_cited() -> None:
    """The tests above can fail."""
    row = "| V0 x | y | `test_a.py::test_one_...`, `test_two`; `tests/config/test_run.py` |"
    first, second = ("tests/vault/test_a.py", "test_one"), ("tests/vault/test_a.py", "test_two")
    assert cited(row) == [first, second, ("tests/config/test_run.py", "")]
    assert _UNFINISHED.search("a full disk: not tested")
