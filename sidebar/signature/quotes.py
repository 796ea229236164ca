"""Tells what a mail's author wrote from what he quotes. Linear in the text; knows nothing of signatures."""

import re
from collections.abc import Sequence

from sidebar.signature.words import FROM, HEADERS, WROTE, folded

FROM_OR_OTHER = FROM | HEADERS
#: Lines and characters of one that a header of a quotation takes at most.
MOST_JOINED = 3
LONGEST_HEADER = 300
_QUOTED = re.compile(r"\s{0,8}(?:>|\|\s?>|&gt;)")
_FORWARDED_BY = re.compile(
    r"\s*-{5,}\s{0,3}[^\W\d_][^\d]{2,80}\d"
)  # "------ Forwarded by Jo/NY on 03/14/2000 10:02 AM ------"
_RULE_WITH_WORDS = re.compile(r"\s*[-_=*\u2010-\u2015]{2,}\s*([^\W\d_][^-_=*:]{2,40}?)\s*[-_=*\u2010-\u2015]{2,}\s*")
_HEADER = re.compile(r"[\s*]{0,12}([^\W\d_][^:<@]{0,24}?)\s{0,3}\*?\s?[:\uff1a]")
_LONG_RULE = re.compile(r"\s*[_=-]{10,}\s*")
_OF_A_LIST = re.compile(r"mailing list|/listinfo/|unsubscribe", re.IGNORECASE)
_NUMBERS = re.compile(r"\d+")
_TIME = re.compile(r"\d{1,2}[:.]\d{2}")
_FORWARDED = re.compile(
    r"(begin forwarded message|anfang der weitergeleiteten|début du message|inizio messaggio)", re.IGNORECASE
)


def own_segments(lines: Sequence[str]) -> list[tuple[int, int]]:
    """(start, stop) of each run of lines between quotations that holds more than blank lines."""
    quoted = _quoted(lines)
    segments: list[tuple[int, int]] = []
    start = None
    for number, is_quoted in enumerate([*quoted, True]):
        if not is_quoted and start is None:
            start = number
        elif is_quoted and start is not None:
            if any(line.strip() for line in lines[start:number]):
                segments.append((start, number))
            start = None
    return segments


def _quoted(lines: Sequence[str]) -> list[bool]:
    """For each line whether somebody else wrote it. After a header without marked lines, all the rest."""
    found = [False] * len(lines)
    number = 0
    while number < len(lines):
        if _QUOTED.match(lines[number]):
            found[number] = True
        elif _opens_the_rest(lines, number):
            return found[:number] + [True] * (len(lines) - number)
        elif length := _attribution(lines, number):
            if not _marked_below(lines, number + length):
                return found[:number] + [True] * (len(lines) - number)
            found[number : number + length] = [True] * length
            number += length - 1
        number += 1
    return found


def _opens_the_rest(lines: Sequence[str], number: int) -> bool:
    """ "-----Original Message-----", a block From:, Sent:, To:, Subject: in one of many languages, or what a list adds
    below a rule."""
    line = lines[number][:LONGEST_HEADER]
    if _LONG_RULE.fullmatch(line):
        return any(_OF_A_LIST.search(below[:LONGEST_HEADER]) for below in lines[number + 1 : number + 4])
    rule = _RULE_WITH_WORDS.fullmatch(line)
    if rule and len(rule[1].split()) <= 5:
        return any(line.strip() for line in lines[:number])
    if _FORWARDED.match(line.strip()) or (_FORWARDED_BY.match(line) and len(_NUMBERS.findall(line)) >= 3):
        return True
    if _header_name(line) in FROM_OR_OTHER:
        names = [_header_name(line) for line in lines[number : number + 5]]
        return bool(FROM.intersection(names)) and len(_known(names)) >= 2
    return number > 0 and _is_notes_header(lines, number)


def _is_notes_header(lines: Sequence[str], number: int) -> bool:
    """Lotus Notes: a name, a time, and only then To:, cc:, Subject:."""
    told = _joined(lines[number : number + 2])[:LONGEST_HEADER]
    if not _TIME.search(told) or len(_NUMBERS.findall(told)) < 4:
        return False
    after = [name for name in map(_header_name, lines[number + 1 : number + 6]) if name]
    return len(_known(after)) >= 2 and after[0] in HEADERS


def _known(names: Sequence[str]) -> frozenset[str]:
    return FROM_OR_OTHER.intersection(names)


def _header_name(line: str) -> str:
    """The first word before a line's colon, folded; "" where it is no header."""
    match = _HEADER.match(line[:LONGEST_HEADER])
    return (folded(match[1]).split() or [""])[0] if match else ""


def _attribution(lines: Sequence[str], number: int) -> int:
    """How many lines from here say who wrote what follows, and when; 0 for none."""
    for length in range(1, MOST_JOINED + 1):
        part = lines[number : number + length]
        if len(part) < length or not part[-1].strip() or _QUOTED.match(part[-1]):
            return 0
        if _is_attribution(_joined(part)):
            return 0 if _is_dated(_joined(part[1:])) else length
        if part[-1].rstrip().endswith((".", "!", "?", ";")) and not part[-1].rstrip()[-2:].isdigit():
            return 0
    return 0


def _joined(lines: Sequence[str]) -> str:
    return " ".join(line.strip() for line in lines)


def _is_attribution(text: str) -> bool:
    if not text or len(text) > LONGEST_HEADER:
        return False
    numbers, end = len(_NUMBERS.findall(text)), folded(text[-24:]).split()[-2:]
    if WROTE & set(end) and (text.endswith(":") or numbers >= 3):
        return "@" in text or numbers >= 2
    return text.endswith((":", ":>")) and "@" in text and numbers >= 3


def _is_dated(text: str) -> bool:
    return _is_attribution(text) and len(_NUMBERS.findall(text)) >= 2


def _marked_below(lines: Sequence[str], number: int) -> bool:
    """Whether the next line that is not blank carries a quotation mark."""
    for line in lines[number : number + 4]:
        if line.strip():
            return bool(_QUOTED.match(line))
    return False
