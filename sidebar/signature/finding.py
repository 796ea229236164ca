"""Finds the lines of the signature: the run of lines near the end that looks most like one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from sidebar.signature.cues import Cue, Mark, cue_of, is_company, is_rule
from sidebar.signature.quotes import own_segments
from sidebar.signature.sender import Sender
from sidebar.signature.words import GREETINGS, NOT_NAMES, PROSE

#: Lines that are not blank: looked at from the end of what the author wrote, and in a signature.
MOST_LOOKED_AT = 60
LONGEST_BLOCK = 24
#: Where nothing in it is known to be the sender's.
LONGEST_UNKNOWN = 3
LONGEST_MOTTO, LONGEST_MOTTO_LINE = 3, 120  # lines, characters
#: From here on a run of lines is a signature.
ENOUGH = 2.4
_NO_SIGN_OFF = PROSE | NOT_NAMES | GREETINGS
_REACH = (Mark.PHONE, Mark.EMAIL, Mark.LINK, Mark.ADDRESS)
_OPENERS = (Mark.DELIMITER, Mark.DASHED, Mark.CLOSING, Mark.THANKS, Mark.SENDER, Mark.SENT_FROM, Mark.RULE)


@dataclass(frozen=True, slots=True, repr=False)
class Block:
    """A signature's lines, and how much speaks for them (above `ENOUGH`)."""

    cues: tuple[Cue, ...]
    weight: float


def find_blocks(lines: Sequence[str], sender: Sender) -> list[Block]:
    """What ends the author's last words and, in an answer around a quotation, his first; the surer first."""
    segments = own_segments(lines)
    ends = dict.fromkeys((*segments[-1:], *segments[:1]))
    found = [block for start, stop in ends if (block := _best(_cues(lines, start, stop, sender), sender))]
    return sorted(found, key=lambda block: -block.weight)


def _cues(lines: Sequence[str], start: int, stop: int, sender: Sender) -> list[Cue]:
    """Of the last lines of a segment, in order; rules at the very end belong to the quotation below."""
    taken: list[int] = []
    for number in range(stop - 1, start - 1, -1):
        if lines[number].strip() and (taken or stop == len(lines) or not is_rule(lines[number])):
            taken.append(number)
            if len(taken) > MOST_LOOKED_AT:
                break
    taken.reverse()
    before = [start - 1, *taken]
    return [cue_of(here, lines[here], here - last - 1, sender) for last, here in zip(before, taken, strict=False)]


def _best(cues: Sequence[Cue], sender: Sender) -> Block | None:
    if not cues:
        return None
    if (hard := _after_delimiter(cues, sender)) is not None:
        return hard
    sums = [0.0, *accumulate(cue.weight for cue in cues)]
    runs = (
        (sums[stop] - sums[start] + _edges(cues, start, stop, sender), -start, stop)
        for start in range(len(cues))
        for stop in range(start + 1, min(len(cues), start + LONGEST_BLOCK) + 1)
        if _may_be(cues[start:stop]) and _may_be_his(cues, start, stop, sender)
    )
    weight, start, stop = max(runs, default=(0.0, 0, 0))
    while stop + start > 1 and cues[stop - 1].has(Mark.RULE) and cues[stop - 1].gap:
        stop -= 1
    return Block((*cues[-start:stop], *_motto(cues[-start:stop], cues[stop:])), weight) if weight >= ENOUGH else None


def _motto(run: Sequence[Cue], rest: Sequence[Cue]) -> Sequence[Cue]:
    """What stands at the very end below names and numbers: opening hours, a quotation. Not what lawyers add."""
    is_whole = _is_own(run) and sum(cue.has(*_REACH, Mark.TITLE, Mark.COMPANY) for cue in run) >= 2
    rest = _before(rest, _is_no_motto)
    return rest if is_whole and len(rest) <= LONGEST_MOTTO else ()


def _before(cues: Sequence[Cue], ends: Callable[[Cue], bool]) -> Sequence[Cue]:
    """Those that come before the first which `ends` them."""
    return cues[: next((place for place, cue in enumerate(cues) if ends(cue)), len(cues))]


def _is_no_motto(cue: Cue) -> bool:
    return _is_postscript(cue) or cue.has(Mark.LEGAL, Mark.GREETING) or len(cue.text) > LONGEST_MOTTO_LINE


def _after_delimiter(cues: Sequence[Cue], sender: Sender) -> Block | None:
    """All below the last delimiter, which RFC 3676 gives no other meaning, with the closing above it."""
    marked = [place for place, cue in enumerate(cues) if cue.has(Mark.DELIMITER)]
    if not marked or not 0 < len(cues) - marked[-1] - 1 <= LONGEST_BLOCK:
        return None
    start = marked[-1]
    below = (cues[start + 1], *_before(cues[start + 2 :], _is_postscript))
    if below[0].has(Mark.PROSE) and sender.address and not _is_own(below):  # what a program writes
        return None
    if sum(cue.has(Mark.PROSE) and not cue.has(Mark.LEGAL) for cue in below) * 2 > len(below) + 1:
        return None
    above = _best_above(cues[:start])
    return Block((*above, cues[start], *below), 6.0)


def _best_above(cues: Sequence[Cue]) -> tuple[Cue, ...]:
    """ "Best regards, John" before the delimiter, at most three lines."""
    for length in (3, 2, 1):
        run = cues[-length:]
        if len(run) == length and run[0].has(Mark.CLOSING, Mark.THANKS) and _may_be(run[1:]):
            return tuple(run)
    last = cues[-1:]
    return tuple(last) if last and last[0].has(Mark.SENDER, Mark.SENT_FROM, Mark.DASHED) else ()


def _may_be(run: Sequence[Cue]) -> bool:
    """No signature greets, goes on after a sentence, or takes its leave below somebody else's address; thanks alone are
    an answer."""
    if any(cue.has(Mark.GREETING) and not cue.has(Mark.SENDER) for cue in run):
        return False
    if any(cue.has(Mark.CLOSING) and cue.gap and not _is_own(run[:place]) for place, cue in enumerate(run) if place):
        return False
    prose = [cue.has(Mark.PROSE) for cue in run]
    if prose[:1] == [True] or any(
        one and not cue.has(Mark.LEGAL) for one, cue in zip(prose[:-1], run[:-1], strict=True)
    ):
        return False
    return not (len(run) == 1 and run[0].has(Mark.THANKS) and not run[0].has(Mark.SENDER))


def _may_be_his(cues: Sequence[Cue], start: int, stop: int, sender: Sender) -> bool:
    """People, places and meetings that a mail is about look like signatures. Where it is known who sent it, what names
    him nowhere has to open as one, or with one word and below all else: what his friends call him."""
    first, run = cues[start], cues[start:stop]
    if _is_own(run) or not (sender.words or sender.address):
        return True
    if first.has(*_OPENERS):  # below a rule may stand a table as well
        return not first.has(Mark.RULE) or any(cue.has(Mark.NAME, Mark.EMAIL, Mark.PHONE) for cue in run[1:5])
    is_short = len(run) <= LONGEST_UNKNOWN or any(is_company(cue.words, sender) for cue in run)
    is_nickname = first.has(Mark.NAME) and is_short and (len(first.words) == 1 or not sender.words)
    return is_nickname and start > 0 and first.gap > 0 and not run[-1].has(Mark.PROSE) and _left_over(cues[stop:]) == 0


def _edges(cues: Sequence[Cue], start: int, stop: int, sender: Sender) -> float:
    """What speaks for a beginning here and an end there."""
    first, run = cues[start], cues[start:stop]
    weight = 0.7 if first.gap or not start else -1.2
    if first.has(*_OPENERS):
        weight = max(weight, 1.2 if first.has(Mark.RULE) else 0.5)
    if start and cues[start - 1].text.endswith(":") and not first.gap:
        weight -= 4.0  # "Our address is:"
    weight -= 0.5 * max(0, sum(cue.gap > 1 for cue in run[1:]) - 1)
    if not run[-1].has(Mark.SENT_FROM):  # below what a program adds stands what it quotes
        weight -= _left_over(cues[stop:]) * (1 if _is_own(run) else 2)
    if not start:
        weight -= 1.0  # a mail that is nothing but a signature is rare
    return weight + _whose(run, sender) + _signs_off(cues, start, stop, sender)


def _whose(run: Sequence[Cue], sender: Sender) -> float:
    """Names and numbers that are not the sender's may be what the mail is about."""
    if _is_own(run):
        return 0.0
    weight = 0.0 if run[0].has(*_OPENERS, Mark.NAME) else -1.0
    return weight - (1.5 if sender.words else 0.0)


def _is_own(run: Sequence[Cue]) -> bool:
    return any(cue.has(Mark.SENDER, Mark.CLOSING, Mark.SENT_FROM, Mark.DASHED) for cue in run)


def _left_over(rest: Sequence[Cue]) -> float:
    """What follows a signature speaks against it, save what lawyers, lists and programs add, and a postscript."""
    weight = 0.0
    for cue in rest:
        if _is_postscript(cue):
            break
        if not cue.has(Mark.LEGAL, Mark.RULE, Mark.DELIMITER, Mark.SENT_FROM):
            weight += 1.5 if cue.has(Mark.PROSE) else 0.6
    return min(4.0, weight)


def _is_postscript(cue: Cue) -> bool:
    return cue.words[:1] == ("ps",) or cue.words[:2] == ("p", "s")


def _is_signed(cue: Cue, *, is_last: bool) -> bool:
    """A name; below thanks and above nothing, one word in small letters too."""
    if cue.has(Mark.NAME, Mark.SENDER, Mark.DASHED):
        return True
    return is_last and len(cue.words) == 1 and cue.text.isalpha() and not cue.has(Mark.PROSE)


def _is_lone_word(run: Sequence[Cue]) -> bool:
    """A paragraph of one word in small letters: "keith"."""
    word = run[0].words[0] if run[0].words else ""
    plain = word.isascii() and word.isalpha() and 2 <= len(word) <= 12 and word not in _NO_SIGN_OFF
    return len(run) == len(run[0].words) == 1 and bool(run[0].gap) and plain and not run[0].marks


def _signs_off(cues: Sequence[Cue], start: int, stop: int, sender: Sender) -> float:
    """A name alone below a text is how most short mails end."""
    run = cues[start:stop]
    first = run[0]
    is_last = stop == len(cues) or _left_over(cues[stop:]) == 0
    closes = len(run) > 1 and first.has(Mark.CLOSING, Mark.THANKS)
    if closes and _is_signed(run[1], is_last=is_last and len(run) == 2):
        return 1.5
    if start and is_last and first.has(Mark.NAME, Mark.SENDER, Mark.DASHED) and len(first.words) <= 3:
        return 1.0 if len(run) == 1 or any(cue.has(*_REACH, Mark.TITLE) for cue in run[1:]) else 0.5
    if not sender.words and start and is_last and _is_lone_word(run):
        return 3.5
    return 0.0
