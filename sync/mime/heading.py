"""What the headers of a message say: who, when, what about, and whether a program wrote it. Judges nothing."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from providers.addresses import parse_addresses
from sync.letters import Address, Problem
from sync.mime.bounds import LONGEST_ID, LONGEST_SUBJECT, MOST_ADDRESSES, MOST_REFERENCES
from sync.mime.fields import Fields
from sync.mime.source import GAP
from sync.mime.words import normal, unfolded, with_words

_ID = re.compile(rb"<[!-;=?-~]{1,%d}>" % (LONGEST_ID - 2))
_BARE_ID = re.compile(rb"[!-;=?-~]{1,120}@[!-;=?-~]{1,120}")
_LONGEST_DATE = 100
_COMMENT = re.compile(r"\([^()]*+\)")
_PEOPLE = frozenset({"from", "to", "cc", "bcc", "reply-to"})
_FIRST_MAIL = datetime(1982, 1, 1, tzinfo=UTC)
#: Clocks of senders are wrong; those wrong by more than a day say nothing.
_AHEAD = timedelta(days=1)


def message_id(fields: Fields) -> str:
    """ "" where there is none, more than one, or one that is malformed or too long (BI-E4)."""
    given = fields.found("message-id")
    if len(given) != 1:
        return ""
    if _BARE_ID.fullmatch(given[0]):
        return f"<{given[0].decode('ascii')}>"
    return given[0].decode("ascii") if _ID.fullmatch(given[0]) else ""


def ids(fields: Fields, name: str) -> tuple[str, ...]:
    """In order, each once; of many the first and the last ones."""
    given = b" ".join(fields.found(name))
    found = list(dict.fromkeys(match.group().decode("ascii") for match in _ID.finditer(given)))
    if len(found) > 2 * MOST_REFERENCES:
        return (*found[:MOST_REFERENCES], *found[-MOST_REFERENCES:])
    return tuple(found)


def addresses(fields: Fields, name: str, problems: set[Problem]) -> tuple[Address, ...]:
    """Every mailbox of a header, or of several of that name. What is no address is left out."""
    given = [_whole(value) for value in fields.found(name)]
    found, invalid = parse_addresses([unfolded(value) for value in given if value])
    if invalid:
        problems.add(Problem.BAD_ADDRESS)
    if len(found) > MOST_ADDRESSES:
        problems.add(Problem.TOO_MANY_ADDRESSES)
    return tuple(Address(one.display_name, one.address) for one in found[:MOST_ADDRESSES])


def _whole(value: bytes) -> bytes:
    """Without the address that a gap cut in two, and what is behind the gap."""
    head, gap, _ = value.partition(b"\x00")
    return head.rpartition(b",")[0] if gap else head


def sender(fields: Fields, problems: set[Problem]) -> Address | None:
    """Of several in From (RFC 5322 3.6.2) the one that Sender would name is not known: the first."""
    found = addresses(Fields([("from", fields.first("from"))], set()), "from", problems)
    return found[0] if found else None


def subject(fields: Fields) -> str:
    return normal(with_words(unfolded(fields.first("subject")[: 4 * LONGEST_SUBJECT])))[:LONGEST_SUBJECT]


def sent_at(fields: Fields, received_at: datetime | None, problems: set[Problem]) -> datetime | None:
    """`received_at` where Date is missing, cannot be, or does not know its zone (-0000)."""
    raw = fields.first("date")
    found = _date(raw[:_LONGEST_DATE].decode("ascii", "replace"))
    if found is not None and _FIRST_MAIL <= found <= (received_at or datetime.now(UTC)) + _AHEAD:
        return found
    if raw:
        problems.add(Problem.BAD_DATE)
    return received_at


def instant(text: str) -> datetime | None:
    """The instant that a Date names, be it as odd as it may; None where it names none. Of a zone that is unknown
    (-0000) or missing it is UTC (RFC 5322 3.3, 4.3): what a program makes of it that writes the header anew."""
    found = _parsed(_COMMENT.sub(" ", text[:_LONGEST_DATE]))
    return _in_utc(found if found is None or found.tzinfo else found.replace(tzinfo=UTC))


def _date(text: str) -> datetime | None:
    found = _parsed(text)
    return _in_utc(found) if found and found.tzinfo else None


def _parsed(text: str) -> datetime | None:
    """Without a zone where it is unknown."""
    try:
        return parsedate_to_datetime(text)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _in_utc(moment: datetime | None) -> datetime | None:
    try:
        return moment.astimezone(UTC) if moment else None
    except OverflowError:  # the last hours of the year 9999
        return None


def is_automatic(fields: Fields, media_type: str) -> bool:
    """RFC 3834 5, RFC 3464, and what programs wrote before (Precedence: auto_reply, X-Autoreply)."""
    submitted = fields.first("auto-submitted").partition(b";")[0].strip().lower()
    return (
        submitted not in {b"", b"no"}
        or media_type == "multipart/report"
        or fields.first("return-path") == b"<>"
        or fields.first("precedence").lower() == b"auto_reply"
        or any(fields.has(name) for name in ("x-autoreply", "x-autorespond"))
    )


def is_list(fields: Fields) -> bool:
    """RFC 2919, 2369. List-Unsubscribe alone is a newsletter's."""
    named = any(fields.has(name) for name in ("list-id", "list-post", "list-unsubscribe"))
    return named or fields.first("precedence").lower() in {b"list", b"bulk"}


def repeated(fields: Fields) -> bool:
    return any(len(fields.found(name)) > 1 for name in ("from", "date", "subject", "message-id"))


def raw_heading(headings: Sequence[tuple[str, bytes]]) -> tuple[tuple[str, str], ...]:
    """Of a list of people whose middle was left out, the halves at the gap become nobody's address: `<>` is none."""
    return tuple(
        (name, unfolded(value.replace(GAP, b" <> ") if name in _PEOPLE else value)) for name, value in headings
    )
