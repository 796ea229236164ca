"""The one use case: a mail's text or HTML and its From header in, a Signature out. Bounded, pure, never raises."""

from sidebar.signature.finding import find_blocks
from sidebar.signature.sender import read_sender
from sidebar.signature.shapes import Signature

LARGEST = 256 * 1024  # characters


def read(text: str, sender: str = "") -> Signature:
    """`sender`: the From header's value, or what is known of it. Nothing found: an empty Signature."""
    lines = text[:LARGEST].splitlines()
    blocks = find_blocks(lines, read_sender(sender))
    if not blocks:
        return Signature()
    numbers = tuple(sorted(cue.number for block in blocks for cue in block.cues))
    return Signature(lines=tuple(lines[n] for n in numbers), line_numbers=numbers)
