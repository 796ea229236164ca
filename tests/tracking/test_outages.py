"""Valkey is away: everybody is answered as fast as ever; what comes in waits on disk within its bound, and is in the
table afterwards; what found no room there is counted and shown."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis

from bench.burst import backlog, by_ourselves
from tests.tracking.asking import Hit, Load, await_true, percentile, switched_on, tickets
from tests.tracking.killing import WORKER, Killed, await_drained, facts, judge, stored
from tests.tracking.own_valkey import OwnValkey, beside, own_valkey
from tracking.hot.stream import PATIENCE

pytestmark = pytest.mark.soak
#: Seconds.
AWAY = 60.0
#: Bytes, for some ten thousand hits.
ROOM = 8_000_000
#: Bytes: room for some dozens of hits.
TINY = "20000"


@pytest.fixture
def valkey(request: pytest.FixtureRequest) -> Iterator[OwnValkey]:
    with own_valkey(request.node.name) as server:
        yield server


def without(leave: Callable[[], None], come_back: Callable[[], None], load: Load) -> list[Hit]:
    """What was asked for while Valkey was away."""
    load.await_answers(500, 120)
    leave()
    began = time.monotonic()
    time.sleep(AWAY)
    meanwhile = [hit for hit in load.ledger if hit.at > began]
    come_back()
    load.await_answers(500, 120)
    return meanwhile


@pytest.mark.timeout(900)
@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_nothing_is_lost_in_a_minute_without_valkey(
    valkey: OwnValkey, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Frozen it takes connections and says nothing: each second a batch waits for it, and at worst the next as well."""
    leave, come_back = {"killed": (valkey.kill, valkey.start), "frozen": (valkey.freeze, valkey.thaw)}[how]
    with beside(valkey) as own:
        load = Load(own, tickets(own, switched_on(own), 40_000), rate=300.0)
        load.start()
        meanwhile = without(leave, come_back, load)
        ledger = load.stop()
        drained = await_drained(own, 300)
        outcome, lost = judge(ledger, stored(own), Killed()), backlog(own)["lost"]
    before = [hit for hit in ledger if hit.at < meanwhile[0].at]
    with capsys.disabled():
        sys.stdout.write(
            f"\n{how} for {AWAY:.0f} s: {len(meanwhile)} asked meanwhile, p99 {percentile(meanwhile, 0.99):.0f} ms"
            f" (before: {percentile(before, 0.99):.0f}); {outcome}; drained after {drained:.0f} s\n"
        )
    assert (outcome.unanswered, outcome.stored, lost) == (0, outcome.answered, 0)
    assert len(meanwhile) > 2_000
    assert percentile(meanwhile, 0.99) < (PATIENCE * 2 + 0.25) * 1_000


@pytest.mark.timeout(600)
def test_what_finds_no_room_is_counted_and_shown(valkey: OwnValkey) -> None:
    """To the hit: nothing is under way when Valkey goes."""
    with beside(valkey, TRACKING_SPOOL_BYTES=TINY) as own:
        person = switched_on(own)
        load = Load(own, tickets(own, person, 4_000), rate=300.0)
        load.start()
        load.await_answers(200, 60)
        load.hold()
        valkey.kill()
        before = len(load.ledger)
        load.go_on()
        load.await_answers(1_000, 60)
        load.hold()
        valkey.start()
        load.go_on()
        load.await_answers(200, 60)
        ledger = load.stop()
        await_drained(own, 120)
        found = stored(own)
        missing = [hit for hit in ledger if hit.is_answered and hit.copy_id not in found]
        await_true(lambda: backlog(own)["lost"] == len(missing), 30)
        page = person.browser.session.get(f"{own.public_url}/dashboard/analytics/", timeout=30).text
    kept = [hit for hit in ledger[before:] if hit.copy_id in found]
    assert len(missing) > 500
    assert kept, "nothing was kept"
    assert f'Lost for want of room</dt><dd><span class="tag bad">{len(missing)}</span>' in page


@pytest.mark.timeout(600)
def test_a_full_valkey_leaves_room_for_the_queue(valkey: OwnValkey) -> None:
    """Else no worker could be told to drain what fills it, nor even start."""
    with beside(valkey) as own, Redis.from_url(valkey.url) as client:
        asked = tickets(own, switched_on(own), 1_000)
        os.killpg(facts(own)["pids"][WORKER], signal.SIGSTOP)
        info: Any = client.info("memory")
        client.config_set("maxmemory", info["used_memory"] + ROOM)
        answered, _, _ = by_ourselves(own.facts["tracking_url"], asked, 25)
        assert backlog(own)["spooled"] > 0
        os.killpg(facts(own)["pids"][WORKER], signal.SIGKILL)
        await_drained(own, 180)
        assert sum(stored(own).values()) == answered
        assert backlog(own)["lost"] == 0
