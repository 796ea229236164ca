"""What one line looks like: a closing, a name, a way to reach somebody, or a sentence. Weights, no decision.

A line's weight is above 0 where it looks more like a signature than like a sentence. Lines are cut before they are
looked at, and no pattern looks twice at a character: time is linear whatever is sent."""

import re
from dataclasses import dataclass
from enum import Enum, auto

from sidebar.signature.reach import EMAIL, HANDLE, URL, is_address, label_kind, phone_places
from sidebar.signature.sender import Sender
from sidebar.signature.words import (
    AND,
    CLOSINGS,
    COMPANY_WORDS,
    GREETINGS,
    LEGAL,
    NOT_NAMES,
    PARTICLES,
    PROSE,
    SENT_FROM,
    SLOGANS,
    SUFFIXES,
    TEAM,
    THANKS,
    TITLE_WORDS,
    UPPER,
    WORD,
    folded,
)

LONGEST_LINE = 300  # characters looked at
LONGEST_PHRASE = 6  # words of a closing
_DEVICES = frozenset({"blackberry", "iphone", "ipad", "android", "smartphone", "galaxy", "network"})
_BOX = re.compile(r"\s*\W?[-_=*~#+|\u2500-\u257f]{5,}\s*")
_RULE = re.compile(r"[\s>]*([-_=*~#+.\u2010-\u2015\u2500\u2501•·])(?:\s?\1){1,99}\s*")
_ONE_DASH = re.compile(r"\s*[\u2013\u2014\u2015]\s*")
_BULLET = re.compile(r"\s*(?:[*•·\u2022\u25cf]\s+|-{1,2}\s+|\(?\d{1,2}[.)]\s|[a-z][.)]\s)")
_BEFORE_A_NAME = re.compile(r"^\s*(?:[-\u2013\u2014~/*_|.>\"'\u2026]+\s?)+")
_DASHED = re.compile(r"^\s*(?:-{1,2}|[\u2013\u2014~/])\s?\w")  # "-Bob", "/Bob"
_INITIALS = re.compile(r"(?:[^\W\d_]\.){1,4}")
_ON_BEHALF = re.compile(r"^\s*(?:i\.\s?[AV]\.|ppa\.?|p\.\s?[pP]\.)\s", re.IGNORECASE)
_SEPARATOR = re.compile(r"\s[|•·\u2022/\u2013\u2014]\s|\s{3,}|\t|\s::\s")
_NOT_IN_NAMES = re.compile(r"[@:?!#=<>\[\]{}\\0-9\t]|\s{4}")
_CODE = re.compile(r"[{};]\s*$|^```|^\s*(?://|/\*|#include|import |def |return )|[=!]=|\(\)")
_EAST_ASIAN_STOP = re.compile(r"[\u3001\u3002\uff01\uff0c\uff1f]")
_FULL_STOP = re.compile(r"[a-z\d)][.!?]\s*$")
#: "(she/her)", "| they/them", and the address that a mail program writes behind words.
_ASIDES = re.compile(
    r"[(\[|]\s?[^\W\d_]{2,6}(?:\s?/\s?[^\W\d_]{2,6}){1,3}\s?(?:[)\]]|$)|(?<=\S)<(?:mailto:|https?://)[^<>\s]{1,200}>"
)
_EXTENSION = re.compile(r"(?:x|ext\.?|extension|durchwahl|poste|int\.)\s?\d[\d-]{1,6}", re.IGNORECASE)  # "x3-5871"
_IMAGE = re.compile(r"\[(?:cid:|image|logo|bild|imagen|immagine)[^\[\]]{0,120}\]", re.IGNORECASE)
_RIGHTS = re.compile(r"(?:copyright|©|\(c\))\s", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?;,:\u2026\u3002\uff01\uff1f]['\")\]\u201d]?\s*$")


class Mark(Enum):
    """What a line is, as far as one line can tell."""

    DELIMITER = auto()
    RULE = auto()
    CLOSING = auto()
    THANKS = auto()
    SENDER = auto()
    NAME = auto()
    DASHED = auto()
    PHONE = auto()
    EMAIL = auto()
    LINK = auto()
    ADDRESS = auto()
    TITLE = auto()
    COMPANY = auto()
    SENT_FROM = auto()
    GREETING = auto()
    LEGAL = auto()
    SLOGAN = auto()
    PROSE = auto()


_WEIGHTS = {
    Mark.DELIMITER: 3.0,
    Mark.RULE: 0.4,
    Mark.CLOSING: 3.0,
    Mark.THANKS: 1.3,
    Mark.SENDER: 2.6,
    Mark.NAME: 0.9,
    Mark.DASHED: 1.2,
    Mark.PHONE: 2.4,
    Mark.EMAIL: 1.8,
    Mark.LINK: 1.3,
    Mark.ADDRESS: 1.6,
    Mark.TITLE: 1.4,
    Mark.COMPANY: 1.2,
    Mark.SENT_FROM: 3.5,
    Mark.GREETING: -5.0,
    Mark.LEGAL: -2.0,
    Mark.SLOGAN: 1.0,
    Mark.PROSE: -2.2,
}


@dataclass(frozen=True, slots=True, repr=False)
class Cue:
    """One line that is not blank. `gap`: blank lines before it. `weight`: see the module."""

    number: int
    text: str
    gap: int
    words: tuple[str, ...]
    marks: frozenset[Mark]
    weight: float

    def has(self, *marks: Mark) -> bool:
        return not self.marks.isdisjoint(marks)


def cue_of(number: int, line: str, gap: int, sender: Sender) -> Cue:
    """What this line looks like, given who sent it."""
    text = line.strip()[:LONGEST_LINE]
    bare = _ASIDES.sub("", text).strip() or text
    words = tuple(folded(bare).split())
    marks = _marks(bare, words, sender)
    return Cue(number, text, gap, words, marks, sum(map(_WEIGHTS.__getitem__, marks)) + _shape(bare, words, marks))


def _marks(text: str, words: tuple[str, ...], sender: Sender) -> frozenset[Mark]:
    if not words:
        return frozenset({Mark.DELIMITER} if is_delimiter(text) else {Mark.RULE})
    if _RIGHTS.match(text):
        return frozenset({Mark.LEGAL})
    if len(SLOGANS.intersection(words)) >= 2 or _IMAGE.fullmatch(text):
        return frozenset({Mark.SLOGAN})
    if is_sent_from(text, words):
        return frozenset({Mark.SENT_FROM})
    if closing := _closing(text, words):
        return frozenset({closing, Mark.SENDER} if len(words) > 1 and _names(words, sender) else {closing})
    reach = set(_reach(text, words))
    found = reach | set(_person(text, words, sender))
    if _is_prose(text, words, bool(reach)):
        found = (found & {Mark.EMAIL, Mark.LINK, Mark.GREETING} - {Mark.LINK}) | {Mark.PROSE}
    if len(LEGAL.intersection(words)) > (len(words) > 6):
        found.add(Mark.LEGAL)
    return frozenset(found)


def is_delimiter(text: str) -> bool:
    """ "-- " of RFC 3676 4.3 (the space often lost), what lists and phones write for it: two underscores, one dash."""
    return text.strip() in ("--", "__") or bool(_ONE_DASH.fullmatch(text))


def is_rule(text: str) -> bool:
    return bool(_RULE.fullmatch(text) or _BOX.fullmatch(text))


def is_sent_from(text: str, words: tuple[str, ...]) -> bool:
    """What a mail program adds by itself. "Sent from my desk, is much easier than my phone." is a sentence."""
    is_sentence = text.endswith((".", ":", "!", ";")) and len(words) > 6 and not _DEVICES.intersection(words)
    if len(words) > 14 or not UPPER.match(text.lstrip("*_[(<")) or is_sentence:
        return False
    return " ".join(words).startswith(SENT_FROM) and len(PROSE.intersection(words)) <= 1 + ("my" in words)


def _closing(text: str, words: tuple[str, ...]) -> Mark | None:
    """CLOSING, or THANKS where only thanks are said; None where the line holds more than that and a name."""
    rest, found = list(words), None
    for _ in range(3):
        phrase = _opening(rest)
        if not phrase:
            break
        found = Mark.CLOSING if " ".join(rest[:phrase]) in CLOSINGS else found or Mark.THANKS
        rest = rest[phrase:]
        if rest and rest[0] in AND:
            rest = rest[1:]
    if found is None or len(rest) > 4 or text.rstrip().endswith("?"):
        return None
    return found if not rest or _rest_is_name(text, rest) else None


def _opening(words: list[str]) -> int:
    """How many words of a closing these begin with, the longest that fits; 0 for none."""
    for length in range(min(LONGEST_PHRASE, len(words)), 0, -1):
        phrase = " ".join(words[:length])
        if phrase in CLOSINGS or phrase in THANKS:
            return length
    return 0


def _rest_is_name(text: str, rest: list[str]) -> bool:
    """ "Thanks, Bob": what follows the closing begins with capitals, and is no sentence."""
    tail = WORD.findall(text)[-len(rest) :]
    return not PROSE.intersection(rest) and all(
        UPPER.match(word) or folded(word) in PARTICLES or not folded(word) for word in tail
    )


def _person(text: str, words: tuple[str, ...], sender: Sender) -> list[Mark]:
    found = []
    if words[0] in GREETINGS:
        found.append(Mark.GREETING)
    if (len(words) <= 10 and _names(words, sender)) or _is_team(words):
        found.append(Mark.SENDER)
    if is_name(text):
        found.append(Mark.NAME)
    if _DASHED.match(text) and (Mark.NAME in found or (len(words) == 1 and words[0] not in PROSE)):
        found.append(Mark.DASHED)
    if len(words) <= 12 and any(word in TITLE_WORDS for word in words):
        found.append(Mark.TITLE)
    if len(words) <= 12 and (any(word in COMPANY_WORDS for word in words) or is_company(words, sender)):
        found.append(Mark.COMPANY)
    return found


def _is_team(words: tuple[str, ...]) -> bool:
    """ "Ihr Praxisteam", "The Support Team"."""
    return 2 <= len(words) <= 4 and words[0] in TEAM and words[-1].endswith(("team", "equipe", "equipo"))


def _names(words: tuple[str, ...], sender: Sender) -> bool:
    """Whether a short line repeats the sender's name, one word of it standing first, or his initials."""
    known = [word for word in (*sender.words, *sender.local) if len(word) > 1]
    hits = sum(word in known for word in dict.fromkeys(words))
    first_hits = any(word in known for word in words[:2])
    if hits >= 2 or (hits and first_hits and len(words) <= 4):
        return True
    together = "".join(words)
    if len(together) == 1:
        return bool(sender.words) and together == sender.words[0][0]
    return len(words) <= 3 and (together in sender.local or _is_short_for(together, sender) or _cuts(words, sender))


def _cuts(words: tuple[str, ...], sender: Sender) -> bool:
    """ "dan r." of D. Rasmusson."""
    names = sender.words
    return len(words) == len(names) == 2 and all(
        len(word) + len(name) > 2 and (word.startswith(name) or name.startswith(word))
        for word, name in zip(words, names, strict=True)
    )


def _is_short_for(word: str, sender: Sender) -> bool:
    """ "Ste" of Stefano; "sms" of Susan Scott, whose middle name the header leaves out."""
    names = sender.words or sender.local
    if len(word) >= 3 and any(name.startswith(word) for name in names[:1]):
        return True
    return len(names) >= 2 and len(word) in (2, 3) and word[0] + word[-1] == names[0][0] + names[-1][0]


def is_company(words: tuple[str, ...], sender: Sender) -> bool:
    company = sender.company.split()
    return bool(company) and (company[0] in words[:3] or "".join(words[:3]).startswith("".join(company)))


def is_name(text: str) -> bool:
    """One to five words that begin with a capital, particles aside, and nothing else; an initial may have its dot."""
    bare = _ON_BEHALF.sub("", _BEFORE_A_NAME.sub("", text, count=1), count=1).strip().rstrip("*_,")
    words = WORD.findall(bare)
    if not 1 <= len(words) <= 5 or len(bare) > 60 or _NOT_IN_NAMES.search(bare):
        return False
    if bare.endswith(".") and not _INITIALS.fullmatch(words[-1]) and folded(words[-1]).replace(" ", "") not in SUFFIXES:
        return False
    if len(words) == 1 and folded(bare) in NOT_NAMES:
        return False
    capitals = sum(bool(UPPER.match(word)) for word in words)
    small = [word for word in words if not UPPER.match(word)]
    if not capitals or PROSE.intersection(folded(bare).split()):
        return False
    return all(folded(word) in PARTICLES or (word.endswith(".") and len(word) <= 5) for word in small)


def _reach(text: str, words: tuple[str, ...]) -> list[Mark]:
    """The ways to reach somebody that this line names."""
    found = []
    if phone_places(text) or _EXTENSION.fullmatch(text):
        found.append(Mark.PHONE)
    if EMAIL.search(text):
        found.append(Mark.EMAIL)
    if URL.search(text) or HANDLE.search(text) or label_kind(text) == "other":
        found.append(Mark.LINK)
    if is_address(text, words):
        found.append(Mark.ADDRESS)
    return found


def _is_prose(text: str, words: tuple[str, ...], reaches: bool) -> bool:
    """Long, or with the small words of a sentence, or ending as one does."""
    small = sum(word in PROSE for word in words)
    if _CODE.search(text) or _EAST_ASIAN_STOP.search(text):
        return True
    if small >= 2 and len(words) >= 9 and _FULL_STOP.search(text):
        return True
    if len(text) > 100 or (len(text) > 64 and not (reaches or _SEPARATOR.search(text))):
        return True
    if small >= 2 and small * (2 if reaches else 6) >= len(words):
        return True
    return len(words) > 4 and bool(small) and bool(_SENTENCE_END.search(text)) and not reaches


def _shape(text: str, words: tuple[str, ...], marks: frozenset[Mark]) -> float:
    """What length, first letter and last sign add."""
    if not words or marks & {Mark.CLOSING, Mark.THANKS, Mark.SENT_FROM, Mark.SLOGAN}:
        return 0.0
    weight = 0.3 if len(text) <= 40 else 0.0 if len(text) <= 60 else -0.5 if len(text) <= 75 else -1.5
    if _SEPARATOR.search(text) and len(text) <= 100:
        weight += 0.6
    if _BULLET.match(text) and not marks & {Mark.SENDER, Mark.PHONE, Mark.EMAIL}:
        weight -= 1.5
    if _SENTENCE_END.search(text) and not marks & {Mark.SENDER, Mark.PHONE, Mark.EMAIL, Mark.ADDRESS}:
        weight -= 0.3 if text.endswith((",", ".")) and len(words) <= 4 else 1.2
    if text[0].islower() and not marks & {Mark.LINK, Mark.EMAIL, Mark.PHONE, Mark.SENDER}:
        weight -= 1.0
    return weight
