"""Where an operator's own program can take the place of ours: an outside reader of signatures (C68). None is built in.

It gets the signature's lines alone, never the mail, and only for organizations whose administrators switched it on."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from organizations import policy
from organizations.models import Member
from organizations.policy import Merge, Scope, Toggle, Type
from sidebar.signature.shapes import Signature

log = logging.getLogger("sidebar.extractors")
KEY = "signature.outside"


class Extractor(Protocol):
    """`name` says to administrators where the lines go."""

    name: str

    def extract(self, lines: Sequence[str], sender: str) -> Signature:
        """The fields; `lines` and `confidence` of the answer are ours. Has to keep its own time limit; may raise."""
        ...


_plugged: Extractor | None = None


def plug(extractor: Extractor | None) -> None:
    """Called by a plug-in, once, at start (`AppConfig.ready`); its toggle is off until an administrator has it on.

    None takes it out again."""
    global _plugged
    _plugged = extractor
    if extractor is not None:
        policy.declare(_toggle(extractor.name))


def read_outside(member: Member, found: Signature, sender: str) -> Signature:
    """What the plug-in reads, where there is one and it is on; else, and where it fails, `found`."""
    if _plugged is None or not found.lines or not policy.value_of(KEY, member):
        return found
    try:
        told = _plugged.extract(found.lines, sender)
        return replace(told, lines=found.lines, line_numbers=found.line_numbers, confidence=found.confidence)
    except Exception as error:  # noqa: BLE001  whatever somebody else's program does, the form opens
        log.warning("the outside reader of signatures failed: %s", type(error).__name__)
        return found


def _toggle(name: str) -> Toggle:
    return Toggle(
        key=KEY,
        kind=Merge.CAP,
        type=Type.BOOL,
        default=False,
        scope=Scope.ORGANIZATION,
        users_can_modify=False,
        label=f"Let {name} read signatures",
        help=f"The lines of a signature, and who sent it, go to {name} instead of being read by this server alone.",
    )
