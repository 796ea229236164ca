"""Use cases of `prove_privacy`: send canaries on all journeys and look everywhere, or look for somebody's texts.

Decides what is good; prints and signs nothing."""

import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from config.embedded.product import ROOT
from config.privacy import places
from config.privacy.throw_away import Stage
from config.privacy.visitor import Visitor
from organizations.privacy.canaries import Canaries, needles_for
from organizations.privacy.report import Control, Proof
from organizations.privacy.search import Looked, look
from organizations.privacy.stores import Store
from organizations.privacy.visits import JourneyFailed
from organizations.registries import privacy_journeys

Say = Callable[[str], object]
#: Seconds by which the time of a file's last change may be behind.
_COARSE = 2.0


def prove(stage: Stage, say: Say) -> Proof:
    """With everything that goes through a product made for it."""
    began, looking = _now(), _Looking(stage, say)
    journeys, failed = list[str](), ""
    try:
        for name, journey in privacy_journeys:
            say(f"{name} ...")
            for moment in journey(looking.visitor):
                looking.at(moment)
            journeys.append(name)
    except JourneyFailed as reason:
        failed = f"{name}: {reason}"
    looking.at("at the end", whole=True)
    stores = places.of_stage(stage, time.time() - _COARSE)
    controls = [control for store in stores for control in _controlled(store)]
    return Proof(
        "a product made for it",
        began,
        _now(),
        _commit(),
        canaries=len(looking.visitor.canaries.given),
        journeys=journeys,
        confirmed=looking.visitor.confirmed,
        looked=looking.looked,
        controls=controls,
        failed=failed,
    )


class _Looking:
    """One moment after the other; at the last, everything is read once more."""

    def __init__(self, stage: Stage, say: Say) -> None:
        self._stage, self._say, self._last = stage, say, 0.0
        self.visitor, self.looked = Visitor(stage), list[Looked]()

    def at(self, moment: str, *, whole: bool = False) -> None:
        places.settle()
        since, self._last = 0.0 if whole else self._last, time.time() - _COARSE
        stores = places.of_stage(self._stage, since, machines=whole)
        found = look(stores, self.visitor.canaries.needles(), moment)
        self.looked += found
        size, findings = sum(each.size for each in found), sum(len(each.found) for each in found)
        self._say(f"  {moment}: {size:,} bytes, {findings} findings")


def examine(stores: Iterable[Store], texts: Sequence[str], say: Say) -> Proof:
    """A running product, for texts that somebody sent on their way before. Raises TooShort."""
    began, needles = _now(), needles_for(texts)
    looked = list[Looked]()
    for store in stores:
        say(f"{store.name} ...")
        looked += look([store], needles, "now")
    return Proof("a running product", began, _now(), _commit(), canaries=len(texts), looked=looked)


def _controlled(store: Store) -> Iterable[Control]:
    """Nothing where a store takes no planting."""
    canaries = Canaries()
    undo = store.plant(canaries.new("a leak made on purpose"))
    if undo is None:
        return
    try:
        (looked,) = look([store], canaries.needles(), "control")
    finally:
        undo()
    yield Control(store.name, bool(looked.found))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _commit() -> str:
    """Of the source, with a mark where it was changed since; "" outside a checkout."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError:
        return ""
    return done.stdout.strip()
