"""Mails that are in Salesforce already, by Message-ID, and were filed by another program. Pure.

Salesforce's own clients keep an id with its <>, other programs without: both are asked for."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from providers.activities import Copy, KeyForm
from providers.salesforce import filing, layout, soql
from providers.salesforce.access import FieldAccess, ObjectAccess
from providers.salesforce.email_values import is_marked
from providers.salesforce.filing import EMAIL
from providers.salesforce.lookup import LONGEST_PART

_ID, _SENDER, _SUBJECT, _SENT = "MessageIdentifier", "FromAddress", "Subject", "MessageDate"
_FIELDS = ("Id", _ID, _SENDER, _SUBJECT, _SENT)
#: Rows of one page of a query's answer.
_MOST_ROWS = 2000


def queries(access: ObjectAccess, message_ids: Iterable[str]) -> list[str]:
    """As few as may be, each short enough for one part of a composite call; none where this person sees no ids."""
    rights = access.queryable(EMAIL)
    if rights is None or not set(_FIELDS) - {"Id"} <= rights.fields.keys():
        return []
    known = [each for each in dict.fromkeys(message_ids) if _is_sayable(each, rights.fields[_ID])]
    ways = filing.ways(access)
    ours = rights.visible([ways.marked_field] if ways.key_form is KeyForm.LOOKUP else [layout.KEY_FIELD])
    return list(_in_parts(known, [*_FIELDS, *ours]))


def taken(rows: Iterable[Mapping[str, Any]], asked: Iterable[str]) -> dict[str, list[Copy]]:
    """By the Message-ID that was asked for, without what bears a key of ours: writing it anew finds it. Salesforce
    compares letters whatever their case, and ids have one."""
    wanted = {_bare(each): each for each in asked}
    found: dict[str, list[Copy]] = {}
    for row in rows:
        message_id = wanted.get(_bare(str(row.get(_ID) or "")))
        if message_id and not (row.get(layout.KEY_FIELD) or is_marked(str(row.get("Headers") or ""))):
            found.setdefault(message_id, []).append(_copy(row))
    return found


def _copy(row: Mapping[str, Any]) -> Copy:
    return Copy(str(row.get(_SENDER) or ""), str(row.get(_SUBJECT) or ""), _moment(row.get(_SENT)))


def _moment(text: object) -> datetime | None:
    """Salesforce writes 2026-11-22T09:12:41.000+0000."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else None


def _in_parts(message_ids: Sequence[str], fields: Sequence[str]) -> Iterator[str]:
    if not message_ids:
        return
    forms = soql.literals(form for each in message_ids for form in (each, _bare(each)))
    query = soql.select(EMAIL, fields, where=f"{_ID} IN {forms}", limit=_MOST_ROWS)
    if len(message_ids) == 1 or len(soql.query_resource(query)) <= LONGEST_PART:
        yield query
        return
    half = len(message_ids) // 2
    yield from _in_parts(message_ids[:half], fields)
    yield from _in_parts(message_ids[half:], fields)


def _bare(message_id: str) -> str:
    return message_id.removeprefix("<").removesuffix(">")


def _is_sayable(message_id: str, field: FieldAccess) -> bool:
    """No longer than what the field could hold."""
    return 2 < len(message_id) <= field.length and soql.is_sayable(message_id)
