"""Kills parts of the product while mail is under way: the worker often in the midst of a mail."""

import random
import time
from contextlib import suppress

import psycopg

from tests.sync.soak.way import Way
from tests.tracking.killing import POSTGRES, VALKEY, WORKER, Killer

#: The worker as often as the two servers together: it is what holds mails.
PARTS = (WORKER, VALKEY, WORKER, POSTGRES)


class MailKiller(Killer):
    def __init__(self, way: Way, seed: int) -> None:
        super().__init__(way.stack, seed)
        self._way, self._draws = way, random.Random(seed)

    def await_work(self) -> None:
        """Until a ledger's entry is claimed: its record is being written just then, or was."""
        until = time.monotonic() + 3
        while time.monotonic() < until:
            with suppress(psycopg.Error):
                if self._way.execute("SELECT 1 FROM sync_ledgerentry WHERE claimed_until > now() LIMIT 1"):
                    break
            time.sleep(0.05)
        time.sleep(self._draws.random() * 0.05)

    def kill_at_times(self, kills: int, seconds: float) -> None:
        """So many within about so long, in any order."""
        parts = [*PARTS * (kills // len(PARTS)), *PARTS[: kills % len(PARTS)]]
        self._draws.shuffle(parts)
        moments = sorted(self._draws.uniform(0.05, 1.0) * seconds for _ in parts)
        began = time.monotonic()
        for part, at in zip(parts, moments, strict=True):
            time.sleep(max(0.0, began + at - time.monotonic()))
            self.kill(part)
