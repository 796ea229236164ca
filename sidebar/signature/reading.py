"""The one use case: a mail's text or HTML and its From header in, a Signature out. Bounded, pure, never raises."""

import math
from dataclasses import replace

from sidebar.signature.fields import read_fields
from sidebar.signature.finding import find_blocks
from sidebar.signature.markup import lines_of
from sidebar.signature.sender import read_sender
from sidebar.signature.shapes import Signature

LARGEST = 256 * 1024  # characters looked at
MOST_LINES = 20_000


def read(text: str = "", sender: str = "", *, html: str = "") -> Signature:
    """Of `text`, or where that is blank of `html`. `sender`: the From header's value, or what is known of it.

    Nothing found: an empty Signature."""
    given = text if text.strip() else lines_of(html[:LARGEST])
    lines, author = given[:LARGEST].splitlines()[:MOST_LINES], read_sender(sender)
    blocks = find_blocks(lines, author)
    if not blocks:
        return Signature()
    cues = [cue for block in blocks for cue in block.cues]
    numbers = tuple(sorted(cue.number for cue in cues))
    return replace(
        read_fields(cues, author),
        lines=tuple(lines[number] for number in numbers),
        line_numbers=numbers,
        confidence=round(1 - math.exp(-blocks[0].weight / 6), 2),
    )
