"""Every failure case V1 to V24 has its tests, they exist, and docs/vault.md names them."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

PAGE = Path("docs/vault.md")
CASES = [f"V{number}" for number in range(1, 25)]
_CITED = re.compile(r"`((?:tests/[\w/]+/)?test_\w+\.py)?(?:::)?(test_\w+)?(\.\.\.)?`")
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
