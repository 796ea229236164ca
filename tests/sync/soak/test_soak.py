"""Whatever fails, is told twice or is killed: every mail that belongs in Salesforce gets there once, every other one
has its reason, and nothing of any stays with us."""

import os
import secrets
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from tests import running, servers
from tests.sync.soak import remains
from tests.sync.soak.judging import Judge, Outcome
from tests.sync.soak.killing import MailKiller
from tests.sync.soak.plan import Plan
from tests.sync.soak.way import BOXES, Way

pytestmark = pytest.mark.skipif("DATABASE_URL" in servers.GIVEN, reason="servers that are not ours are not killed")
#: The same mails and kills again: SOAK_SEED=... make soak
SEED = int(os.environ.get("SOAK_SEED") or secrets.randbelow(1_000_000))
#: Of all requests to the three providers.
FAILING = 0.05


def soaked(folder: Path, module: str, *, copies: int, kills: int, seconds: float, patience: float) -> Outcome:
    """So many copies of mails arrive and so many kills happen within `seconds`; all is decided `patience` later."""
    sys.stdout.write(f"\nseed {SEED}\n")
    (folder / "tmp").mkdir(parents=True)
    with running.whole_stack(folder / "state", {"TMPDIR": str(folder / "tmp")}, module) as stack:
        way = Way(stack, SEED)
        way.begin()
        plan, judge, killer = Plan(BOXES, way.people(), SEED), Judge(way), MailKiller(way, SEED)
        mails = plan.mails(copies)
        killing = threading.Thread(target=killer.kill_at_times, args=(kills, seconds), daemon=True)
        with way.hurried(), way.failing(FAILING):
            killing.start()
            way.arrive(mails[: len(mails) // 2], seconds / 2)
            way.expire_cursors()
            way.arrive(mails[len(mails) // 2 :], seconds / 2)
            killing.join()
            drained = judge.await_decided(patience)
        outcome = judge.judge(mails)
        given = plan.texts.canaries.given
        looked = remains.judge(remains.searched(stack, folder / "tmp", given, folder / "report.json"), given)
        parts = dict(Counter(part for part, _ in killer.killed.parts))
        sys.stdout.write(
            f"\nseed {SEED}: {outcome}; {len(killer.killed.parts)} kills {parts}; {dict(way.failed)} requests failed; "
            f"decided after {drained:.0f} s; {looked:,} bytes looked at, nothing found\n"
        )
    assert sum(parts.values()) == kills
    assert min(way.failed.values()) > 0  # each provider has failed
    assert outcome.given_up <= 5 + copies // 200
    return outcome


@pytest.mark.timeout(600)
def test_every_mail_gets_there_once_whatever_happens() -> None:
    """A twentieth, with a worker that waits less long for the dead."""
    outcome = soaked(servers.folder() / "way", "tests.sync.soak.hasty", copies=1_000, kills=4, seconds=20, patience=300)
    assert outcome.copies >= 1_000
    assert outcome.records > 400


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
def test_twenty_thousand_mails_and_fifty_kills(capsys: pytest.CaptureFixture[str]) -> None:
    """As it is started: a mail that was twice in a dying worker's hands waits ten minutes, then an hour. With
    SOAK_HASTY=1 as above, in half an hour."""
    module, seconds = ("tests.sync.soak.hasty", 600) if os.environ.get("SOAK_HASTY") else ("config.run", 1_500)
    folder = servers.folder() / "way-whole"
    with capsys.disabled():
        outcome = soaked(folder, module, copies=20_000, kills=50, seconds=seconds, patience=7_200)
    assert outcome.copies >= 20_000
    assert outcome.records > 8_000
