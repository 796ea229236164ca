"""Several processes of tests: what their end says, and where it is read."""

import sys
from pathlib import Path

import pytest

from tests.__main__ import BESIDE, side_by_side
from tests.servers import ROOT

PASSES = "def test_good():\n    pass\n"
FAILS = "def test_bad():\n    assert 6 * 7 == 54\n"
IS_KILLED = "import os\ndef test_ends():\n    os.kill(os.getpid(), 9)\n"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plugins take longer to load than these tests run."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [(PASSES, PASSES, 0), (FAILS, PASSES, 1), (PASSES, IS_KILLED, 1)],
    ids=["both pass", "the first fails", "the second is killed"],
)
def test_both_have_to_pass(first: str, second: str, code: int, tmp_path: Path) -> None:
    assert side_by_side(a_room(tmp_path, "one", first), a_room(tmp_path, "two", second)) == code


def test_what_the_second_says_comes_after_the_first(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    side_by_side(a_room(tmp_path, "one", PASSES), a_room(tmp_path, "two", FAILS))
    sys.stdout.flush()
    told = capfdbinary.readouterr().out
    assert told.index(b"1 passed") < told.index(b"assert (6 * 7) == 54") < told.index(b"1 failed")


def test_each_of_the_others_is_heard(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    rooms = [a_room(tmp_path, "one", PASSES), a_room(tmp_path, "two", PASSES), a_room(tmp_path, "three", FAILS)]
    assert side_by_side(*rooms) == 1
    sys.stdout.flush()
    told = capfdbinary.readouterr().out
    assert (told.count(b"1 passed"), told.count(b"1 failed")) == (2, 1)


def test_each_room_that_is_named_is_there_and_named_once() -> None:
    rooms = [room for each in BESIDE for room in each]
    assert all((ROOT / room).is_dir() for room in rooms)
    assert len(set(rooms)) == len(rooms)


def a_room(folder: Path, name: str, text: str) -> list[str]:
    """A file of tests that needs no server."""
    room = folder / name
    room.mkdir()
    (room / "test_room.py").write_text(text)
    (room / "pytest.ini").write_text("[pytest]\n")
    return ["-c", str(room / "pytest.ini"), "-p", "no:cacheprovider", str(room)]
