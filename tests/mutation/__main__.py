"""`make mutate`, or `python -m tests.mutation [MODULE ...]`: how many small faults in the vault do its tests notice?

Fails below 90% in all, and where a fault survives that docs/mutation.md does not give a reason for."""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.mutation.worker import TESTS

WANTED = 0.90
REASONS = Path("docs/mutation.md")
_PROCESSES = max(1, (os.cpu_count() or 2) // 2)


def verdicts(modules: list[str], folder: Path) -> Iterable[dict[str, Any]]:
    """Each mutant's verdict as it comes, from worker processes that share the work."""
    workers = [_start(modules, part, folder) for part in range(_PROCESSES)]
    for worker in workers:
        assert worker.stdout is not None
        for line in worker.stdout:
            if line.startswith("{"):
                yield json.loads(line)
        if worker.wait() != 0:
            sys.exit(f"a worker ended with {worker.returncode}")


def _start(modules: list[str], part: int, folder: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.mutation.worker", ",".join(modules), str(part), str(_PROCESSES)]
    return subprocess.Popen([*command, str(folder / f"{part}.json")], stdout=subprocess.PIPE, text=True)


def name_of(told: dict[str, Any]) -> str:
    """Without line numbers, which move."""
    return f"{told['module']}.{told['owner']}: {told['what']}"


def explained() -> set[str]:
    """Survivors with a reason: the first, quoted column of the table in docs/mutation.md."""
    rows = (line.split("|") for line in REASONS.read_text().splitlines() if line.startswith("| `"))
    return {row[1].strip().strip("`") for row in rows}


def main(modules: list[str]) -> int:
    killed, total, survivors = Counter[str](), Counter[str](), []
    with tempfile.TemporaryDirectory() as folder:
        for told in verdicts(modules, Path(folder)):
            total[told["module"]] += 1
            killed[told["module"]] += told["verdict"].startswith("killed")
            if not told["verdict"].startswith("killed"):
                survivors.append(name_of(told))
                sys.stdout.write(f"survived  vault/{told['module']}.py:{told['line']}  {survivors[-1]}\n")
    for module in modules:
        sys.stdout.write(f"{module:10} {killed[module]:4} of {total[module]:4} killed\n")
    score = killed.total() / max(1, total.total())
    new = sorted(set(survivors) - explained())
    sys.stdout.write(f"{score:.1%} of {total.total()} killed; survivors without a reason: {len(new)}\n")
    return 0 if score >= WANTED and not new else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(TESTS)))
