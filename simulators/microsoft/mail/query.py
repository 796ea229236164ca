"""The OData query options that Outlook's part of Graph takes, and its refusals of others. Knows no mailbox.

Sources, at learn.microsoft.com/graph: query-parameters, api/user-list-messages (`$top` from 1 to 1,000, 10 without; a
property in `$orderby` must stand in `$filter` too, before others), api/singlevaluelegacyextendedproperty-get."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from simulators.microsoft.mail.box import Message
from simulators.microsoft.mail.failures import bad

_TIMES = ("receivedDateTime", "sentDateTime")
_CLAUSE = re.compile(r"(\w+) (ge|gt|le|lt|eq) (\S+|'(?:[^']|'')*')")
_EXPAND = re.compile(r"singleValueExtendedProperties\(\$filter=(.+)\)", re.IGNORECASE)
_PROPERTY = re.compile(r"id eq '((?:string|integer|long|boolean) 0x[0-9a-f]{1,4})'", re.IGNORECASE)
_KNOWN = frozenset({"$select", "$filter", "$orderby", "$top", "$skip", "$expand", "$count", "$search"})
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "ge": lambda a, b: a >= b,
    "gt": lambda a, b: a > b,
    "le": lambda a, b: a <= b,
    "lt": lambda a, b: a < b,
    "eq": lambda a, b: a == b,
}
_READ: dict[str, Callable[[Message], Any]] = {
    "receivedDateTime": lambda m: m.received_at,
    "sentDateTime": lambda m: m.received_at,
    "isRead": lambda m: m.is_read,
    "isDraft": lambda m: m.is_draft,
    "conversationId": lambda m: m.conversation,
    "internetMessageId": lambda m: m.content.header("message-id"),
}


@dataclass
class Options:
    """`properties`: ids of extended ones, as they were asked."""

    select: tuple[str, ...] = ()
    clauses: list[tuple[str, str, Any]] = field(default_factory=list)
    order: str = ""
    top: int = 10
    skip: int = 0
    properties: tuple[str, ...] = ()
    count: bool = False

    def passes(self, message: Message) -> bool:
        return all(_OPERATORS[op](_READ[name](message), value) for name, op, value in self.clauses)

    def sorted(self, messages: Iterable[Message]) -> list[Message]:
        """Newest first, or the other way round."""
        found = list(messages)
        return found[::-1] if self.order in ("receivedDateTime", "receivedDateTime asc") else found


def options_of(query: Mapping[str, str], properties: Iterable[str], extra: Iterable[str] = ()) -> Options:
    """`properties`: what may be selected; `extra`: other names that this resource takes. Raises Refusal."""
    unknown = [name for name in query if name not in _KNOWN and name not in extra]
    if unknown:
        raise bad(f"The query parameter '{unknown[0]}' is not supported.")
    if "$search" in query:
        raise bad("$search is not simulated.", "SearchNotSupported")
    made = Options(_select(query.get("$select", ""), properties), _filter(query.get("$filter", "")))
    made.order = query.get("$orderby", "").strip()
    made.top, made.skip = _number(query, "$top", 10, 1, 1000), _number(query, "$skip", 0, 0, 2**31)
    made.properties, made.count = _expand(query.get("$expand", "")), query.get("$count") == "true"
    _check_order(made)
    return made


def _select(said: str, properties: Iterable[str]) -> tuple[str, ...]:
    names = tuple(name.strip() for name in said.split(",") if name.strip())
    known = set(properties)
    for name in names:
        if name not in known:
            raise bad(f"Could not find a property named '{name}' on type 'Microsoft.OutlookServices.Message'.")
    return names


def _filter(said: str) -> list[tuple[str, str, Any]]:
    clauses = []
    for clause in said.split(" and ") if said else ():
        match = _CLAUSE.fullmatch(clause.strip())
        if match is None or match[1] not in _READ:
            raise bad(f"Invalid filter clause: {clause}")
        clauses.append((match[1], match[2], _value(match[1], match[3])))
    return clauses


def _value(name: str, said: str) -> Any:
    if name in _TIMES:
        return instant(said)
    if said in ("true", "false"):
        return said == "true"
    return said.strip("'").replace("''", "'")


def instant(said: str) -> float:
    try:
        found = datetime.fromisoformat(said)
    except ValueError:
        raise bad(f"'{said}' is not a valid date-time.") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _number(query: Mapping[str, str], name: str, otherwise: int, least: int, most: int) -> int:
    said = query.get(name, str(otherwise))
    if not said.isdecimal() or not least <= int(said) <= most:
        raise bad(f"The limit of '{most}' for {name} query has been exceeded, or '{said}' is no number.")
    return int(said)


def _expand(said: str) -> tuple[str, ...]:
    if not said:
        return ()
    match = _EXPAND.fullmatch(said)
    wanted = [_PROPERTY.fullmatch(each.strip()) for each in match[1].split(" or ")] if match else [None]
    if not all(wanted):
        raise bad("Expand is simulated for singleValueExtendedProperties with a filter by id.", "ErrorInvalidRequest")
    return tuple(each[1] for each in wanted if each)


def _check_order(options: Options) -> None:
    if options.order.partition(" ")[0] not in ("", "receivedDateTime"):
        raise bad(f"Could not order by '{options.order}'.")
    if options.order and options.clauses and options.clauses[0][0] != "receivedDateTime":
        raise bad("The restriction or sort order is too complex for this operation.", "InefficientFilter")
