"""Keeps the figures of a run: a table for people, `bench/results.json` for machines."""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = Path(__file__).parent / "results.json"


@dataclass(frozen=True, slots=True)
class Result:
    """One figure. `against` says what `ratio` compares it to; both empty for a figure that stands alone."""

    name: str
    value: float
    unit: str
    against: str = ""
    ratio: float | None = None
    target: str = ""


class Results:
    def __init__(self) -> None:
        self.all: list[Result] = []

    def add(
        self, name: str, value: float, unit: str, against: str = "", ratio: float | None = None, target: str = ""
    ) -> None:
        result = Result(name, round(value, 4), unit, against, None if ratio is None else round(ratio, 4), target)
        self.all.append(result)
        shown = "" if result.ratio is None else f"{result.ratio:8.3f} of {against}"
        print(f"{name:<62} {result.value:>12,.3f} {unit:<10} {shown:<34} {target}", flush=True)

    def save(self) -> None:
        FILE.write_text(json.dumps([asdict(result) for result in self.all], indent=1) + "\n", encoding="utf-8")
        print(f"written: {FILE.name}", file=sys.stderr)
