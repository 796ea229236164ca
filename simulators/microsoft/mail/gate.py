"""How much Outlook lets one app read of one mailbox: counts, and what a test adds. Knows no HTTP.

Source: learn.microsoft.com/graph/throttling-limits#outlook-service-limits, by app and mailbox: 10,000 requests in ten
minutes, four at once."""

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from simulators.microsoft.mail.failures import throttled

MOST, SPAN = 10_000, 600.0
AT_ONCE = 4
Key = tuple[str, str]


@dataclass
class Gate:
    """`asked`: by person, the Retry-After of refusals that a test wants next."""

    now: Callable[[], float]
    asked: dict[str, deque[int]] = field(default_factory=lambda: defaultdict(deque))
    seen: dict[Key, deque[float]] = field(default_factory=lambda: defaultdict(deque))
    spent: dict[str, deque[float]] = field(default_factory=dict)
    inside: dict[Key, int] = field(default_factory=lambda: defaultdict(int))

    def enter(self, app: str, person: str) -> None:
        """Raises Refusal 429. Who came in must `leave`."""
        self.inside[app, person] += 1
        if self.inside[app, person] > AT_ONCE:
            raise throttled(1)

    def leave(self, app: str, person: str) -> None:
        self.inside[app, person] -= 1

    def spend(self, person: str, number: int) -> dict[str, int]:
        """As if the next app that asks had asked so often just now."""
        self.spent[person] = deque([self.now()] * number)
        return {"spent": number}

    def count(self, app: str, person: str) -> None:
        """Each request, also each one of a batch. Raises Refusal 429."""
        if self.asked[person]:
            raise throttled(self.asked[person].popleft(), "MailboxConcurrency")
        now, seen = self.now(), self.seen[app, person]
        if person in self.spent:
            seen.clear()
            seen.extend(self.spent.pop(person))
        while seen and seen[0] <= now - SPAN:
            seen.popleft()
        if len(seen) >= MOST:
            raise throttled(int(seen[0] + SPAN - now) + 1, "RequestRate")
        seen.append(now)
