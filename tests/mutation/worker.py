"""Runs mutants one by one, each in a fork of a process that has imported everything: `python -m tests.mutation.worker`.

Starts servers of its own, so several may run at once. Prints one JSON line per mutant; changes no file."""

import ast
import functools
import gc
import importlib
import json
import sys
import threading
import time
import types
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests import servers
from tests.mutation.mutants import Mutant, mutants_of, readers_of
from tests.mutation.verdicts import OPTIONS, DoesNotLoad, believed, in_a_fork, judge, tested

#: The tests that matter, of each module; a process that a test starts would run without the fault.
_USES = ("test_renewal", "test_ending")
_DOUBTS = ("test_api_in_trouble", "test_seal_broken")
TESTS: dict[str, tuple[str, ...]] = {
    "answers": ("test_answers", "test_keeping", "test_late_answers", "test_settling", *_USES, "test_upkeep"),
    "cipher": ("test_cipher", "test_vectors", "test_sealing", "test_keys"),
    "flights": ("test_flights", *_USES),
    "grants": ("test_grants", "test_moved", *_USES, "test_keys"),
    "heartbeat": ("test_heartbeat_steps", "test_heartbeat"),
    "holders": ("test_holders", "test_heartbeat", "test_rotation"),
    "kek": ("test_kek", "test_keys", "test_kms", "test_commands"),
    "keys": ("test_keys", "test_kms", "test_sealed", "test_ending", "test_heartbeat"),
    "kms": ("test_kms_steps", "test_kms"),
    "leases": ("test_leases", *_USES, "test_watched", "test_life_proof"),
    "renewal": (
        "test_renewal_steps",
        "test_renewal_loop",
        *_USES,
        "test_upkeep",
        "test_life_ahead",
        "test_life_drain",
        "test_life_restore",
    ),
    "rotation": ("test_rotation_steps", "test_rotation", "test_keys"),
    "sealing": ("test_sealing", "test_cipher", "test_keys", *_USES),
    "settling": ("test_late_answers", "test_settling", "test_answers", *_USES, "test_upkeep"),
    "spool": ("test_spool", "test_keeping", "test_answers", "test_settling", "test_late_answers"),
    "states": ("test_states", *_DOUBTS, *_USES, "test_watched", "test_upkeep", "test_life_ahead", "test_life_proof"),
    "tokens": ("test_tokens", *_DOUBTS, *_USES, "test_life_ahead"),
}
#: How many tests one mutant is given: the likeliest to notice come first, then the quickest. Counted, not timed: on a
#: busy machine each takes longer, and a score must not hang on that.
PATIENCE = 30
#: Tests of timing that a busy machine may fail at first.
_MAY_FAIL = 3
Covering = dict[str, list[str]]


class Watcher:
    """Which functions of the modules each test runs, in any thread, and how long it takes."""

    def __init__(self, files: set[str]) -> None:
        self.files = files
        self.functions: dict[str, set[str]] = defaultdict(set)
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()
        self._current = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.add(report.nodeid)

    def _profile(self, frame: types.FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename in self.files:
            module = Path(frame.f_code.co_filename).stem
            self.functions[self._current].add(f"{module}:{frame.f_code.co_qualname.split('.<locals>')[0]}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        self._current, began = item.nodeid, time.monotonic()
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)
        try:
            return (yield)
        finally:
            sys.setprofile(None)
            self.seconds[item.nodeid] = time.monotonic() - began


def chosen_tests(modules: list[str]) -> list[str]:
    names = dict.fromkeys(f"tests/vault/{name}.py" for module in modules for name in TESTS[module])
    return [name for name in names if Path(name).exists()]


def baseline(modules: list[str], answer: Path) -> None:
    """Once, without a fault: makes the databases, and finds which tests run which function."""

    def work() -> int:
        watcher = Watcher({str(Path(f"vault/{name}.py").resolve()) for name in modules})
        pytest.main([*chosen_tests(modules), *(each for each in OPTIONS if each != "-x")], plugins=[watcher])
        order = sorted(set(watcher.seconds) - watcher.failed, key=lambda test: watcher.seconds[test])
        covering: Covering = defaultdict(list)
        for test in order:
            for function in watcher.functions[test]:
                covering[function].append(test)
        facts = {"covering": covering, "seconds": watcher.seconds, "failed": sorted(watcher.failed)}
        answer.write_text(json.dumps(facts))
        return 0

    if in_a_fork(work, 1200):
        sys.exit("the tests could not be run without a fault")
    failed = json.loads(answer.read_text())["failed"]
    if failed:
        sys.stderr.write(f"left out, as they do not pass without a fault: {', '.join(failed)}\n")
    if len(failed) > _MAY_FAIL:
        answer.unlink()
        sys.exit("too many")


def apply(mutant: Mutant, module: types.ModuleType) -> None:
    """Put the changed code into the function object that everybody already holds. Raises DoesNotLoad where the changed
    statement of a module raises."""
    code = compile(mutant.tree, str(module.__file__), "exec")
    if not mutant.is_function:
        fresh = dict(module.__dict__)
        statement = next(node for node in mutant.tree.body if _names(node) == mutant.owner)
        try:
            exec(compile(_only(statement), str(module.__file__), "exec"), fresh)  # noqa: S102  our own source
        except Exception as error:
            raise DoesNotLoad from error
        setattr(module, mutant.owner, fresh[mutant.owner])
        return
    for part in mutant.owner.split("."):
        code = next(each for each in code.co_consts if isinstance(each, types.CodeType) and each.co_name == part)
    function_named(module, mutant.owner).__code__ = code


def _names(node: Any) -> str:
    target = getattr(node, "target", None) or (getattr(node, "targets", None) or [None])[0]
    return str(getattr(target, "id", ""))


def _only(statement: Any) -> ast.Module:
    return ast.Module([statement], [])


def function_named(module: types.ModuleType, owner: str) -> types.FunctionType:
    found: Any = module
    for part in owner.split("."):
        found = found.__dict__[part]
    found = getattr(found, "__func__", getattr(found, "fget", found))
    while not isinstance(found, types.FunctionType) or hasattr(found, "__wrapped__"):
        found = found.__wrapped__
    return found


def run(modules: list[str], part: int, of: int, answer: Path, only: set[str]) -> None:
    """`answer`: which tests run what; found out where the file is not there yet. `only`: ids of mutants to look at
    again; empty means all."""
    servers.prepare_environment()
    pytest.main([*chosen_tests(modules), "--collect-only", *OPTIONS])
    if answer.exists():
        tested(["tests/vault/test_holders.py"], 300)  # makes the databases
    else:
        baseline(modules, answer)
    gc.freeze()  # a child that collected garbage would copy all that it shares with us
    facts = json.loads(answer.read_text())
    numbered = [(n, name, mutant) for name in modules for n, mutant in enumerate(mutants_of(source_of(name)))]
    note, kills, sound = answer.with_suffix(".killer"), Counter[tuple[str, str]](), set[str]()
    for number, (n, name, mutant) in enumerate(numbered):
        if number % of != part or (only and f"{name}:{n}" not in only):
            continue
        module = importlib.import_module(f"vault.{name}")
        tests = likeliest(facts, name, mutant, kills)
        began = time.monotonic()
        longest = 20 + 5 * sum(facts["seconds"][test] for test in tests)
        change = functools.partial(apply, mutant, module)
        ask = functools.partial(judge, change, seconds=longest, note=note)
        without = functools.partial(tested, seconds=longest)
        verdict = believed(ask, without, tests, note, sound)
        kills[mutant.owner, note.read_text()] += 1
        told = {"id": f"{name}:{n}", "module": name, "owner": mutant.owner, "line": mutant.line, "what": mutant.what}
        seconds = round(time.monotonic() - began, 1)
        sys.stdout.write(json.dumps({**told, "verdict": verdict, "tests": len(tests), "seconds": seconds}) + "\n")
        sys.stdout.flush()


def likeliest(facts: dict[str, Any], name: str, mutant: Mutant, kills: Counter[tuple[str, str]]) -> list[str]:
    """The tests that a mutant is given: first who noticed another fault of its function, then its module's own, of
    these first who runs the fewest of its functions, and is quick."""
    breadth = Counter(
        test for key in facts["covering"] if key.startswith(f"{name}:") for test in facts["covering"][key]
    )
    runs = {mutant.owner} if mutant.is_function else readers_of(source_of(name), mutant.owner)
    found = {test for owner in runs for test in facts["covering"].get(f"{name}:{owner}", [])} or breadth.keys()
    found = {test for test in found if Path(test.partition(".py")[0]).name in TESTS[name]}

    def place(test: str) -> tuple[int, bool, int, float]:
        return -kills[mutant.owner, test], f"/test_{name}" not in test, breadth[test], facts["seconds"][test]

    return sorted(found, key=place)[:PATIENCE]


def source_of(name: str) -> str:
    return Path(f"vault/{name}.py").read_text()


if __name__ == "__main__":
    chosen, part, of, answer = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    run(chosen.split(","), part, of, answer, set(sys.argv[5:]))
