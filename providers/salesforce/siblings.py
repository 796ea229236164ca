"""The further tasks of one mail: a lead has his own, and whoever takes the mail back may know the first one only."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from providers.activities import KeyForm
from providers.salesforce import ids, layout, lookups, soql
from providers.salesforce.filing import TASK, Ways
from providers.salesforce.transport import Wire

_MOST_ROWS = 2000
_ABOUT = timedelta(minutes=1)


def of(wire: Wire, ways: Ways, task_id: str, key: str) -> list[str]:
    """Their resources, as far as this person sees them."""
    if ways.key_form is KeyForm.LEDGER:
        return [f"{TASK}/{row[layout.LEDGER_RECORD]}" for row in _noted(wire, key) if row.get(layout.LEDGER_RECORD)]
    if ways.key_form is KeyForm.FIELD:
        return [f"{TASK}/{row['Id']}" for row in _rows(wire, TASK, ["Id"], _below(layout.KEY_FIELD, key))]
    made = _rows(wire, TASK, ["CreatedDate"], f"Id = {soql.literal(ids.record_id(task_id))}")
    return [each for row in made for each in _marked(wire, ways, str(row["CreatedDate"]), key)]


def _marked(wire: Wire, ways: Ways, created: str, key: str) -> list[str]:
    """Written in one call, so about the same moment."""
    first, last = wire.call(lambda _: _around(created), is_write=False)
    where = f"CreatedDate >= {first} AND CreatedDate <= {last} AND TaskSubtype = 'Email'"
    rows = _rows(wire, TASK, ["Id", ways.marked_field], where)
    return [f"{TASK}/{each}" for each in lookups.matching(ways, rows, key)]


def _around(created: str) -> tuple[str, str]:
    """`2026-03-01T10:00:00.000+0000`, as Salesforce writes it. Raises ValueError."""
    moment = datetime.strptime(created, "%Y-%m-%dT%H:%M:%S.%f%z").astimezone(UTC)
    first, last = (f"{each:%Y-%m-%dT%H:%M:%SZ}" for each in (moment - _ABOUT, moment + _ABOUT))
    return first, last


def keys(wire: Wire, key: str) -> list[str]:
    """Those that the ledger holds of one mail; its own comes last, since the others are found while it stands."""
    return [*(str(row[layout.LEDGER_KEY]) for row in _noted(wire, key)), key]


def _noted(wire: Wire, key: str) -> list[Mapping[str, Any]]:
    names = [layout.LEDGER_KEY, layout.LEDGER_RECORD]
    return _rows(wire, layout.LEDGER, names, _below(layout.LEDGER_KEY, key))


def _below(field: str, key: str) -> str:
    escaped = key.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"{field} LIKE {soql.literal(escaped + '.%')}"


def _rows(wire: Wire, name: str, fields: list[str], where: str) -> list[Mapping[str, Any]]:
    query = soql.select(name, fields, where=where, limit=_MOST_ROWS)
    return lookups.rows_of(wire, {"rows": query})["rows"]
