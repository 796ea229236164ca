"""Finding what was filed already: by its key, or, where nothing unique holds one, by looking for the mail itself."""

from collections.abc import Mapping, Sequence
from datetime import UTC, timedelta
from typing import Any
from urllib.parse import quote

from providers.activities import EmailRecord
from providers.errors import ProviderError, Transient
from providers.salesforce import failures, ids, layout, soql
from providers.salesforce.access import FieldAccess
from providers.salesforce.email_values import mark_of
from providers.salesforce.filing import EMAIL, Ways
from providers.salesforce.transport import Wire

#: Queries that one composite call takes, and parts (docs/wire.md W9).
MOST_QUERIES, MOST_PARTS = 5, 25
#: Mails of one person and day that are looked through, the newest: what is repeated was tried a moment ago.
_MOST_ROWS = 200


def by_key(wire: Wire, object_name: str, field: str, keys: Sequence[str], result: str = "Id") -> dict[str, str]:
    """{key: the id that `result` holds} of those records that this person may see. One call for 25 keys."""
    found: dict[str, str] = {}
    for start in range(0, len(keys), MOST_PARTS):
        part = keys[start : start + MOST_PARTS]
        resource = f"sobjects/{object_name}/{field}/"
        asked = [_get(wire, f"{resource}{quote(key, safe='')}?fields={result}", f"k{n}") for n, key in enumerate(part)]
        answers = wire.composite(asked)
        for n, key in enumerate(part):
            status, body = answers[f"k{n}"]
            if status not in {200, 404}:
                raise failures.failure_of(status, body, is_write=False)
            if status == 200:
                found[key] = wire.call(lambda _, body=body: _id_in(body, result), is_write=False)  # type: ignore[misc]
    return found


def _id_in(body: Any, name: str) -> str:
    """ "" where the field is empty. Raises ValueError for what is no id."""
    return ids.made({"id": body[name]}) if body[name] else ""


def _get(wire: Wire, resource: str, reference: str) -> dict[str, Any]:
    return {"method": "GET", "url": wire.path(resource), "referenceId": reference}


def rows_of(wire: Wire, queries: Mapping[str, str]) -> dict[str, list[Mapping[str, Any]]]:
    """The rows of each query, by its name; one call for five."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    names = list(queries)
    for start in range(0, len(names), MOST_QUERIES):
        part = names[start : start + MOST_QUERIES]
        answers = wire.composite([_get(wire, soql.query_resource(queries[name]), name) for name in part])
        for name in part:
            status, body = answers[name]
            if status != 200:
                raise failures.failure_of(status, body, is_write=False)
            found[name] = wire.call(lambda _, body=body: _rows_in(body), is_write=False)  # type: ignore[misc]
    return found


class _Row(dict[str, Any]):
    """What a row lacks that was asked for, the answer lacks."""

    def __missing__(self, name: str) -> Any:
        raise Transient("Salesforce's answer was cut or garbled.", provider="salesforce")


def _rows_in(body: Any) -> list[Mapping[str, Any]]:
    return [_Row(row) for row in body["records"]]


def query_of(ways: Ways, record: EmailRecord, who: str) -> str:
    """Filed mails among which this one would be. `who`: whom its task stands under."""
    rights = ways.target
    if ways.record == EMAIL:
        where = [_identified(record, rights.fields.get("MessageIdentifier")) or f"MessageDate = {_moment(record)}"]
    else:
        day, one = record.sent_at.date(), timedelta(days=1)  # who wrote it may have had another
        where = [f"ActivityDate >= {day - one} AND ActivityDate <= {day + one}", "TaskSubtype = 'Email'"]
        where += [f"WhoId = {soql.literal(ids.record_id(who))}"] if who else []
    fields = rights.visible(["Id", ways.marked_field])
    return soql.select(
        ways.record, fields, where=" AND ".join(where), order="CreatedDate DESC, Id DESC", limit=_MOST_ROWS
    )


def _identified(record: EmailRecord, field: FieldAccess | None) -> str:
    """By Message-ID, which Salesforce has an index of; "" where it holds none. The time does not count along: of a
    mail without a Date that can be it is each copy's own time of receipt."""
    most = field.length if field else 0
    is_known = 0 < len(record.message_id) <= most and soql.is_sayable(record.message_id)
    return f"MessageIdentifier = {soql.literal(record.message_id)}" if is_known else ""


def _moment(record: EmailRecord) -> str:
    return record.sent_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def matching(ways: Ways, rows: Sequence[Mapping[str, Any]], key: str) -> list[str]:
    """Ids of those that are this mail, oldest first."""
    mark = mark_of(key)
    return [str(row["Id"]) for row in reversed(rows) if mark in str(row.get(ways.marked_field) or "").splitlines()]


def delete_each(wire: Wire, resources: Sequence[str]) -> None:
    """Gone afterwards, those that were not there as well. Raises the first refusal, after all were tried."""
    failed: ProviderError | None = None
    for start in range(0, len(resources), MOST_PARTS):
        parts = [
            {"method": "DELETE", "url": wire.path(f"sobjects/{resource}"), "referenceId": f"d{n}"}
            for n, resource in enumerate(resources[start : start + MOST_PARTS])
        ]
        for status, body in wire.composite(parts).values():
            if status not in {200, 204, 404}:
                failed = failed or failures.failure_of(status, body, is_write=True)
    if failed is not None:
        raise failed


def ledger_row(key: str) -> str:
    """The resource of the ledger's row for a key."""
    return f"{layout.LEDGER}/{layout.LEDGER_KEY}/{quote(key, safe='')}"
