"""Whatever is killed: every hit that was answered is in the table exactly once."""

import sys
import time
from collections.abc import Iterator

import pytest

from tests import running
from tests.journeys.people import AddIn, sign_in_anew
from tests.running import Stack
from tests.tracking.killing import PARTS, Load, await_drained, judge, kill_at_random, stored, tickets


@pytest.fixture
def own() -> Iterator[Stack]:
    """A stack of this test's own: it is killed in parts."""
    with running.whole_stack() as stack:
        yield stack


@pytest.fixture
def sender(own: Stack) -> AddIn:
    alice = sign_in_anew(own, "acme", "alice")
    values = {"track.opens": True, "track.clicks": True}
    assert alice.call("PATCH", "policy/?level=organization", json={"values": values}).status_code == 200
    return alice


def run(stack: Stack, sender: AddIn, hits: int, kills: int, *, rate: float, pause: tuple[float, float]) -> Load:
    load = Load(stack, tickets(stack, sender, hits), threads=16, rate=rate)
    load.start()
    kill_at_random(stack, load, kills, PARTS, pause)
    while not load.is_over():
        time.sleep(0.2)
    return load


@pytest.mark.timeout(240)
def test_nothing_answered_is_lost_and_nothing_doubled(own: Stack, sender: AddIn) -> None:
    load = run(own, sender, 4_000, 8, rate=150.0, pause=(1.0, 3.0))
    await_drained(own, 90)
    assert len(load.ledger.kills) >= 6
    assert len(load.ledger.answered) > 2_000
    judge(load.ledger, stored(own))


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_fifty_kills(own: Stack, sender: AddIn, capsys: pytest.CaptureFixture[str]) -> None:
    load = run(own, sender, 100_000, 50, rate=400.0, pause=(2.0, 6.0))
    took = await_drained(own, 300)
    found = stored(own)
    with capsys.disabled():
        told = load.ledger
        sys.stdout.write(
            f"\n{len(told.kills)} kills {sorted(told.kills)}; {len(told.answered)} answered, "
            f"{len(told.unanswered)} not, {sum(found.values())} stored, drained after {took:.0f} s\n"
        )
    judge(load.ledger, found)
