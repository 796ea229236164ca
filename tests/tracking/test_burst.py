"""A short burst at full load: each answer that was given is in the table once, and what waits is shown meanwhile."""

from bench.burst import burst, by_ourselves
from tests.running import Stack
from tests.tracking.asking import switched_on


def test_a_burst_is_counted_to_the_last_hit(stack: Stack) -> None:
    found = burst(stack, switched_on(stack), 3, 500, by_ourselves)
    assert found.answered > 1_000
    assert found.stored == found.answered
    assert found.seen.entries > 0
    assert found.seen.is_on_page
    assert found.seen.lost == 0
