"""Use cases of `prove_privacy`: send canaries on all journeys and look everywhere, or look for somebody's texts.

Decides what is good; prints and signs nothing."""

import subprocess
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


def prove(stage: Stage, say: Say) -> Proof:
    """With everything that goes through a product made for it."""
    began, visitor = _now(), Visitor(stage)
    stores, looked = places.of_stage(stage), list[Looked]()
    journeys, failed = list[str](), ""
    try:
        for name, journey in privacy_journeys:
            say(f"{name} ...")
            for moment in journey(visitor):
                looked += _look(stores, visitor, moment, say)
            journeys.append(name)
    except JourneyFailed as reason:
        failed = f"{name}: {reason}"
    looked += _look(stores, visitor, "at the end", say)
    controls = [control for store in stores for control in _controlled(store)]
    return Proof(
        "a product made for it", began, _now(), _commit(), len(visitor.canaries.given),
        journeys, visitor.confirmed, looked, controls, failed,
    )  # fmt: skip


def examine(stores: Iterable[Store], texts: Sequence[str], say: Say) -> Proof:
    """A running product, for texts that somebody sent on their way before. Raises TooShort."""
    began, needles = _now(), needles_for(texts)
    looked = list[Looked]()
    for store in stores:
        say(f"{store.name} ...")
        looked += look([store], needles, "now")
    return Proof("a running product", began, _now(), _commit(), len(texts), (), (), looked, ())


def _look(stores: Sequence[Store], visitor: Visitor, moment: str, say: Say) -> list[Looked]:
    places.settle()
    found = look(stores, visitor.canaries.needles(), moment)
    say(f"  {moment}: {sum(each.size for each in found):,} bytes, {sum(len(each.found) for each in found)} findings")
    return found


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
