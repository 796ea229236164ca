"""Whatever is killed: every hit that was answered while the stream was up is in the table exactly once."""

import os
import secrets
from collections.abc import Iterator

import pytest

from tests import running
from tests.running import Stack
from tests.tracking.asking import Load, switched_on, tickets
from tests.tracking.killing import (
    VALKEY,
    Killer,
    Outcome,
    await_drained,
    judge,
    stored,
    tell,
    watched,
)
from tests.tracking.own_valkey import beside, own_valkey

#: The same kills again: KILL_SEED=... make soak
SEED = int(os.environ.get("KILL_SEED") or secrets.randbelow(1_000_000))


@pytest.fixture
def own() -> Iterator[Stack]:
    """A stack of this test's own: it is killed in parts."""
    with running.whole_stack() as stack:
        yield stack


def killed_at_random(
    stack: Stack, killer: Killer, load: Load, kills: int, pause: tuple[float, float] = (1.0, 6.0), grace: float = 0.0
) -> Outcome:
    load.start()
    with watched(stack, killer.killed):
        killer.kill_at_random(load, kills, pause)
        load.await_answers(100, 60)
        ledger = load.stop()
        drained = await_drained(stack, 300)
    outcome = judge(ledger, stored(stack), killer.killed, grace)
    tell(SEED, killer.killed, outcome, drained)
    return outcome


@pytest.mark.timeout(400)
def test_nothing_answered_is_lost_and_nothing_doubled(own: Stack) -> None:
    """One kill of each part, while the others are still coming back."""
    load = Load(own, tickets(own, switched_on(own), 6_000), rate=250.0)
    outcome = killed_at_random(own, Killer(own, SEED), load, 4, pause=(0.5, 1.5))
    assert outcome.answered > 500


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_fifty_kills_with_a_file_that_is_always_synced(own: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    """As `make run` has it: `appendfsync always`."""
    load = Load(own, tickets(own, switched_on(own), 120_000), rate=300.0)
    with capsys.disabled():
        outcome = killed_at_random(own, Killer(own, SEED), load, 50)
    assert outcome.answered > 20_000


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_fifty_kills_with_a_file_that_is_synced_each_second(capsys: pytest.CaptureFixture[str]) -> None:
    """`appendfsync everysec`: at most what was answered within the last second before Valkey went is missing.

    kill -9 alone loses nothing there either, since what Valkey has written is the operating system's by then. So here
    its power is cut: what was written within the last second, and need not be on the disk, is cut off its file. What
    was acknowledged within that second is therefore waiting again, and must not be counted twice."""
    with own_valkey("everysec", "everysec") as valkey, beside(valkey) as own:
        cut: list[int] = []

        def cut_power() -> float:
            at, gone = valkey.cut_power()
            cut.append(gone)
            valkey.start()
            return at

        load = Load(own, tickets(own, switched_on(own), 120_000), rate=300.0)
        with capsys.disabled():
            outcome = killed_at_random(own, Killer(own, SEED, {VALKEY: cut_power}), load, 50, grace=1.1)
        assert sum(cut) > 0
    assert outcome.answered > 20_000
