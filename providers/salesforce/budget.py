"""The API allowance of one Salesforce organization, from what its answers say. Sheds background work, never a click.

Must not call anybody: it only counts what passes."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from providers.base import Priority
from providers.errors import RateLimited

PROBE_AFTER = 300.0  # seconds; then one shed call may look whether the rolling day has moved on
_API_USAGE = re.compile(r"(?<![\w-])api-usage=(\d{1,12})/(\d{1,12})")


def parse_limit_info(header: str) -> tuple[int, int] | None:
    """`Sforce-Limit-Info: api-usage=10018/100000; api-bursts=1/750` -> (10018, 100000)."""
    match = _API_USAGE.search(header)
    return (int(match[1]), int(match[2])) if match and int(match[2]) > 0 else None


class ApiBudget:
    """Calls of one organization in its rolling 24 hours. Thread-safe; one per organization and process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._used = self._limit = self._in_flight = 0
        self._seen: float | None = None

    @contextmanager
    def call(self, priority: Priority) -> Iterator[None]:
        """Count one call while it runs. Raises RateLimited(daily) where `priority` has used up its share."""
        with self._lock:
            self._admit(priority)
            self._in_flight += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_flight -= 1

    def saw(self, header: str | None) -> None:
        """Take note of one answer's `Sforce-Limit-Info`, also of an error's."""
        parsed = parse_limit_info(header or "")
        if parsed:
            with self._lock:
                self._note(*parsed)

    def exhausted(self) -> None:
        """Salesforce answered REQUEST_LIMIT_EXCEEDED; its header may be missing then."""
        with self._lock:
            limit = max(self._limit, 1)
            self._note(max(self._used, limit), limit)

    def _note(self, used: int, limit: int) -> None:
        self._used, self._limit = used, limit
        self._seen = self._clock()

    def _admit(self, priority: Priority) -> None:
        if priority is Priority.INTERACTIVE or self._seen is None:
            return
        if self._used + self._in_flight + 1 <= priority.value * self._limit:
            return
        waited = self._clock() - self._seen
        if waited < PROBE_AFTER:
            raise RateLimited(
                "The organization's Salesforce API allowance is nearly used up; background work waits.",
                provider="salesforce",
                retry_after=PROBE_AFTER - waited,
                daily=True,
            )
        self._seen = self._clock()  # this call is the probe; the next waits for what it learns


class Budgets:
    """The budgets of all organizations this process serves, by Salesforce organization id."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._budgets: dict[str, ApiBudget] = {}

    def of(self, salesforce_org_id: str) -> ApiBudget:
        with self._lock:
            return self._budgets.setdefault(salesforce_org_id, ApiBudget())
