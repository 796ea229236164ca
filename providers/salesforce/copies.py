"""Mails that are in Salesforce already, by Message-ID, whoever has filed them: another program may have. Pure.

Salesforce's own clients keep an id with its <>, other programs without: both are asked for."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from providers.activities import Copy
from providers.salesforce import soql
from providers.salesforce.access import FieldAccess, ObjectAccess
from providers.salesforce.filing import EMAIL
from providers.salesforce.lookup import LONGEST_PART

_ID, _SENDER = "MessageIdentifier", "FromAddress"
#: Rows of one page of a query's answer.
_MOST_ROWS = 2000


def queries(access: ObjectAccess, message_ids: Iterable[str]) -> list[str]:
    """As few as may be, each short enough for one part of a composite call; none where this person sees no ids."""
    rights = access.queryable(EMAIL)
    if rights is None or not {_ID, _SENDER} <= rights.fields.keys():
        return []
    known = [each for each in dict.fromkeys(message_ids) if _is_sayable(each, rights.fields[_ID])]
    return list(_in_parts(known))


def taken(rows: Iterable[Mapping[str, Any]], asked: Iterable[str]) -> dict[str, list[Copy]]:
    """By the Message-ID that was asked for. Salesforce compares letters whatever their case, and ids have one."""
    wanted = {_bare(each): each for each in asked}
    found: dict[str, list[Copy]] = {}
    for row in rows:
        message_id = wanted.get(_bare(str(row.get(_ID) or "")))
        if message_id:
            found.setdefault(message_id, []).append(Copy(str(row["Id"]), str(row.get(_SENDER) or "")))
    return found


def _in_parts(message_ids: Sequence[str]) -> Iterator[str]:
    if not message_ids:
        return
    forms = soql.literals(form for each in message_ids for form in (each, _bare(each)))
    query = soql.select(EMAIL, ["Id", _ID, _SENDER], where=f"{_ID} IN {forms}", limit=_MOST_ROWS)
    if len(message_ids) == 1 or len(soql.query_resource(query)) <= LONGEST_PART:
        yield query
        return
    half = len(message_ids) // 2
    yield from _in_parts(message_ids[:half])
    yield from _in_parts(message_ids[half:])


def _bare(message_id: str) -> str:
    return message_id.removeprefix("<").removesuffix(">")


def _is_sayable(message_id: str, field: FieldAccess) -> bool:
    """No longer than what the field could hold."""
    if not 2 < len(message_id) <= field.length:
        return False
    try:
        soql.literal(message_id)
    except ValueError:
        return False
    return True
