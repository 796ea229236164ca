"""Asks tests about a fault, in a fork that it cannot leave, and says what may be believed of what they answer.

Makes no fault and chooses no test."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django
import pytest
from django.core.management import call_command
from django.db import connections
from django.test import utils

#: pytest's exit code where tests ran and one failed: the only one that says that a fault was noticed. With any other
#: (docs.pytest.org/en/stable/reference/exit-codes.html) nobody was asked: a file that does not load, a crash.
_FAILED = 1
#: What `in_a_fork` says of a child that it had to end.
TIMED_OUT = 124
#: What a child says where the changed module would not even load.
_DOES_NOT_LOAD = 98


class DoesNotLoad(Exception):
    """With this fault no process gets as far as to run anything."""


OPTIONS: tuple[str, ...] = (
    "-q",
    "-x",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:randomly",
    "-p",
    "no:unraisableexception",  # it collects garbage, twice, for warnings that nobody here reads
    "--reuse-db",
    "--no-header",
    "--tb=no",
)
OPTIONS += ("-o", "addopts=", "-o", "timeout=60", "-m", "not soak", "--strict-markers")


#: How many of the likeliest tests are asked before all the others: to load the files of those takes longer.
_FIRST = 6
ALIASES = ("default", "keys")


def in_a_fork(work: Callable[[], int], seconds: float) -> int:
    """Exit code of `work` in a child; TIMED_OUT where it took too long."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        _silence()
        try:
            os._exit(work())
        except BaseException:  # noqa: BLE001  a fork must not come back here
            os._exit(99)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return TIMED_OUT


def _silence() -> None:
    sink = os.open(os.environ.get("MUTATION_LOG", os.devnull), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(sink, 1)
    os.dup2(sink, 2)


class Killer:
    """Writes down which test noticed the fault: it is asked earlier next time. `uncollected`: a file of tests did not
    load, which says nothing about the fault."""

    def __init__(self, note: Path) -> None:
        self.note, self.uncollected = note, False

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.uncollected |= report.failed

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.note.write_text(report.nodeid)


def tested(tests: list[str], seconds: float) -> int:
    """How pytest ends with these tests, and no fault."""
    return in_a_fork(lambda: int(pytest.main([*tests, *OPTIONS])), seconds)


def judge(change: Callable[[], None], tests: list[str], seconds: float, note: Path) -> str:
    """What becomes of these tests, for so many seconds, where `change` has made a fault."""
    note.write_text("")
    verdict = "survived: no test runs it"
    for some in filter(None, (tests[:_FIRST], tests[_FIRST:])):
        verdict = _judged(change, some, seconds, note)
        if verdict != "survived":
            break
    return verdict


def _judged(change: Callable[[], None], tests: list[str], seconds: float, note: Path) -> str:
    def work() -> int:
        try:
            change()
        except DoesNotLoad:
            return _DOES_NOT_LOAD
        _take_databases_as_made()
        killer = Killer(note)
        code = int(pytest.main([*tests, *OPTIONS], plugins=[killer]))
        return int(pytest.ExitCode.USAGE_ERROR) if killer.uncollected else code

    code = in_a_fork(work, seconds)
    if code == TIMED_OUT:
        empty_databases()
    return verdict_of(code, note.read_text())


def verdict_of(code: int, noticed_by: str) -> str:
    """`code`: what the child ended with; `noticed_by`: the test that failed in it."""
    if code == _FAILED and noticed_by:
        return "killed"
    known = {0: "survived", TIMED_OUT: "killed: timeout", _DOES_NOT_LOAD: "killed: does not load"}
    return known.get(code, f"error: ended with {code}")


def believed(
    ask: Callable[[list[str]], str], without: Callable[[list[str]], int], tests: list[str], note: Path, sound: set[str]
) -> str:
    """The verdict of `ask(tests)`, but for tests that fail where there is no fault too. `without(tests)`: how these end
    where there is none; `sound`: tests known to pass then."""
    while True:
        verdict, noticed_by = ask(tests), note.read_text()
        if verdict == "killed: timeout":
            return "error: as slow without the fault" if without(tests) == TIMED_OUT else verdict
        if not noticed_by or noticed_by in sound:
            return verdict
        if without([noticed_by]) == 0:
            sound.add(noticed_by)
            return verdict
        tests = [test for test in tests if test != noticed_by]


def empty_databases() -> None:
    """After a test that was cut off in its middle."""

    def work() -> int:
        django.setup()
        _use_databases()
        for alias in ALIASES:
            call_command("flush", database=alias, interactive=False, verbosity=0)
        return 0

    in_a_fork(work, 60)


def _take_databases_as_made() -> None:
    """To look each time whether there is something to migrate takes longer than most tests."""

    def made(*_: Any, **__: Any) -> list[Any]:
        _use_databases()
        return []

    utils.setup_databases = made


def _use_databases() -> None:
    """As Django's create_test_db does, in a child of ours only."""
    for alias in ALIASES:
        name = connections[alias].settings_dict["NAME"].removeprefix("test_")
        connections[alias].settings_dict["NAME"] = connections.settings[alias]["NAME"] = f"test_{name}"
