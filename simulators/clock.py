"""The provider's clock, which a test may put forward or set wrong. Nothing waits."""

import time
from email.utils import formatdate
from typing import Any


class Clock:
    """`ahead`: by so many seconds tokens and grants age; `skew`: by so many the times in answers are off."""

    def __init__(self) -> None:
        self.ahead = self.skew = 0.0

    def now(self) -> float:
        """For the life of tokens and grants."""
        return time.time() + self.ahead

    def told(self) -> float:
        """What an answer says: its Date, when an id token was issued."""
        return time.time() + self.skew

    def date(self) -> str:
        return formatdate(self.told(), usegmt=True)

    def change(self, body: dict[str, Any]) -> dict[str, float]:
        """POST /_sim/clock: `advance` adds to `ahead`, `skew` sets it. Raises ValueError for anything else."""
        if unknown := set(body) - {"advance", "skew"}:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        self.ahead += float(body.get("advance", 0))
        self.skew = float(body.get("skew", self.skew))
        return {"ahead": self.ahead, "skew": self.skew}

    def reset(self) -> None:
        self.ahead = self.skew = 0.0
