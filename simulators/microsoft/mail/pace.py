"""How slowly addresses take their notices, and what Graph makes of that. Sends nothing.

Source: learn.microsoft.com/graph/change-notifications-delivery-webhooks, "Throttling", as of 2023 (docs-contrib
01c641ac): slow beyond 2.9 s; from a hundred answers on, with 10 % slow ones everything to this address waits ten
minutes, with 15 % it is dropped; what was counted is forgotten every ten minutes."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

SLOW = 2.9
ENOUGH = 100
LATE, DROPPED = 0.10, 0.15
SPAN = DELAY = 600.0


@dataclass
class _Count:
    since: float = 0.0
    answers: int = 0
    slow: int = 0


class Pace:
    """By address: all subscriptions with the same one are slow together."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self._counts: dict[str, _Count] = defaultdict(_Count)

    def note(self, url: str, seconds: float) -> None:
        count = self._count(url)
        count.answers += 1
        count.slow += seconds > SLOW

    def delay(self, url: str) -> float:
        """Seconds that a notice has to wait before it is sent."""
        return DELAY if self._share(url) >= LATE else 0.0

    def is_cut_off(self, url: str) -> bool:
        return self._share(url) >= DROPPED

    def _share(self, url: str) -> float:
        count = self._count(url)
        return count.slow / count.answers if count.answers >= ENOUGH else 0.0

    def _count(self, url: str) -> _Count:
        if self.now() - self._counts[url].since >= SPAN:
            self._counts[url] = _Count(self.now())
        return self._counts[url]
