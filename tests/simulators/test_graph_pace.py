"""What the simulated Graph makes of addresses that take their notices slowly: a clock and an address of our own."""

import asyncio
from collections import deque
from typing import Any

import pytest

from simulators.microsoft.mail.calling import Answer, Caller
from simulators.microsoft.mail.notices import Notices
from simulators.microsoft.mail.subscriptions import Subscription, Subscriptions

ALICE = Subscription("alice", "app", "me/messages", "", frozenset({"created"}), "https://us.example/a", "", "s")
BOB = Subscription("bob", "app", "me/messages", "", frozenset({"created"}), "https://us.example/b", "", "s")
NOTICE = {"changeType": "created"}


class Clock:
    def __init__(self) -> None:
        self.at = 1_000_000.0

    def now(self) -> float:
        return self.at


class Address(Caller):
    """Takes everything, as slowly as it is told: 0.1 s where nothing is said."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: deque[float] = deque()
        self.heard: list[str] = []

    async def post(self, url: str, body: Any, kind: str, seconds: float) -> Answer:
        self.heard.append(url)
        return Answer(202, seconds=self.seconds.popleft() if self.seconds else 0.1)


class Desk:
    def __init__(self) -> None:
        self.clock, self.address = Clock(), Address()
        self.notices = Notices(Subscriptions(self.clock.now), self.clock.now, self.address)

    async def tell(self, slow: int = 0, quick: int = 0, to: Subscription = ALICE) -> int:
        """How many of them have come by now."""
        before = len(self.address.heard)
        self.address.seconds.extend([3.0] * slow + [2.8] * quick)
        for _ in range(slow + quick):
            self.notices._post(to, to.url, dict(NOTICE))
        return await self.come() - before

    async def come(self) -> int:
        await asyncio.sleep(0.3)  # longer than it takes to look at the clock again
        return len(self.address.heard)


@pytest.mark.parametrize(("slow", "quick"), [(9, 91), (90, 9)])
def test_some_slow_answers_or_few_in_all_change_nothing(slow: int, quick: int) -> None:
    async def story() -> None:
        desk = Desk()
        await desk.tell(slow, quick)
        assert await desk.tell(quick=1) == 1

    asyncio.run(story())


def test_with_a_tenth_of_a_hundred_slow_the_next_come_ten_minutes_late() -> None:
    async def story() -> None:
        desk = Desk()
        assert await desk.tell(slow=10, quick=90) == 100
        assert await desk.tell(quick=1) == 0
        assert await desk.tell(quick=1, to=BOB) == 1, "another address"
        desk.clock.at += 599
        assert await desk.come() == 101
        desk.clock.at += 2
        assert await desk.come() == 102
        assert await desk.tell(quick=1) == 1, "what was counted is forgotten"

    asyncio.run(story())


def test_with_more_they_never_come_until_ten_minutes_later() -> None:
    async def story() -> None:
        desk = Desk()
        await desk.tell(slow=15, quick=85)
        assert await desk.tell(quick=1) == 0
        desk.clock.at += 601
        assert await desk.come() == 100
        assert await desk.tell(quick=1) == 1

    asyncio.run(story())
