"""The API budget: background work stops in time, a person's click never does."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import Priority
from providers.errors import RateLimited
from providers.salesforce.budget import PROBE_AFTER, ApiBudget, Budgets, parse_limit_info


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("api-usage=10018/100000; api-bursts=1/750", (10018, 100000)),
        ("per-app-api-usage=17/250(appName=x); api-usage=25/5000", (25, 5000)),
        ("api-usage=25/5000;per-app-api-usage=17/250(appName=sample)", (25, 5000)),
        ("per-app-api-usage=17/250(appName=x)", None),
        ("api-usage=1/0", None),
        ("api-usage=x/y", None),
        ("", None),
    ],
)
def test_limit_info(header: str, expected: tuple[int, int] | None) -> None:
    assert parse_limit_info(header) == expected


@pytest.mark.parametrize("priority", [Priority.PREFETCH, Priority.POLLING, Priority.BACKGROUND])
def test_each_kind_stops_at_its_share(priority: Priority) -> None:
    """docs/hardening.md, row 30: with a limit of 1,000 a day, background work never passes 800."""
    budget, used = ApiBudget(), 0
    while True:
        try:
            with budget.call(priority):
                used += 1
                budget.saw(f"api-usage={used}/1000")
        except RateLimited:
            break
    assert used == priority.value * 1000


def test_a_click_is_never_shed() -> None:
    budget = ApiBudget()
    budget.saw("api-usage=2000/1000")
    with budget.call(Priority.INTERACTIVE):
        pass
    budget.exhausted()
    with budget.call(Priority.INTERACTIVE):
        pass


def test_calls_under_way_count() -> None:
    budget = ApiBudget()
    budget.saw("api-usage=698/1000")
    with budget.call(Priority.PREFETCH), budget.call(Priority.PREFETCH), pytest.raises(RateLimited):
        budget.call(Priority.PREFETCH).__enter__()


def test_one_probe_after_five_minutes() -> None:
    clock = Clock()
    budget = ApiBudget(clock)
    budget.saw("api-usage=1000/1000")
    with pytest.raises(RateLimited) as shed, budget.call(Priority.BACKGROUND):
        pass
    assert shed.value.retry_after == PROBE_AFTER
    clock.now += PROBE_AFTER
    with budget.call(Priority.BACKGROUND):
        budget.saw("api-usage=1000/1000")
    with pytest.raises(RateLimited), budget.call(Priority.BACKGROUND):
        pass
    clock.now += PROBE_AFTER
    with budget.call(Priority.BACKGROUND):
        budget.saw("api-usage=3/1000")
    with budget.call(Priority.BACKGROUND):
        pass


def test_a_probe_without_news_holds_the_others_back() -> None:
    clock = Clock()
    budget = ApiBudget(clock)
    budget.exhausted()
    clock.now += PROBE_AFTER
    with budget.call(Priority.POLLING):
        pass
    with pytest.raises(RateLimited), budget.call(Priority.POLLING):
        pass


def test_what_salesforce_says_counts_and_nothing_before() -> None:
    budget = ApiBudget()
    for header in (None, "", "per-app-api-usage=9/10(appName=x)"):
        budget.saw(header)
        with budget.call(Priority.PREFETCH):
            pass
    budget.saw("api-usage=8/10")
    with pytest.raises(RateLimited), budget.call(Priority.PREFETCH):
        pass


@given(st.lists(st.sampled_from([Priority.PREFETCH, Priority.POLLING, Priority.BACKGROUND]), max_size=60))
def test_no_order_of_calls_passes_eighty_percent(calls: list[Priority]) -> None:
    budget, used = ApiBudget(), 0
    budget.saw("api-usage=0/40")
    for priority in calls:
        try:
            with budget.call(priority):
                used += 1
                budget.saw(f"api-usage={used}/40")
        except RateLimited:
            assert used >= priority.value * 40
    assert used <= 32


def test_organizations_do_not_share() -> None:
    budgets = Budgets()
    budgets.of("a").exhausted()
    with budgets.of("b").call(Priority.PREFETCH):
        pass
    assert budgets.of("a") is budgets.of("a")


def test_threads_do_not_overdraw() -> None:
    budget = ApiBudget()
    budget.saw("api-usage=0/100")
    gate, passed = threading.Barrier(50), []

    def one() -> None:
        gate.wait()
        try:
            with budget.call(Priority.PREFETCH):
                passed.append(1)
                release.wait()
        except RateLimited:
            pass

    release = threading.Event()
    budget.saw("api-usage=60/100")
    threads = [threading.Thread(target=one) for _ in range(50)]
    for thread in threads:
        thread.start()
    threading.Timer(0.3, release.set).start()
    for thread in threads:
        thread.join()
    assert len(passed) == 10
