"""The provider's clock, which a test may put forward: tokens age, nothing waits."""

import time


class Clock:
    """Seconds since the epoch. Only the life of grants and tokens follows it, not the times in answers."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return time.time() + self.ahead
