"""query, queryAll and their next pages. Locators are opaque and belong to the user who asked."""

from dataclasses import dataclass
from typing import Any

from simulators.salesforce.errors import ApiError
from simulators.salesforce.profiles import Access
from simulators.salesforce.rest.call import Answer, Call, whole_number
from simulators.salesforce.soql.aggregates import Aggregation, is_bare_count
from simulators.salesforce.soql.compiler import Plan, is_aggregate
from simulators.salesforce.soql.lexer import SoqlError
from simulators.salesforce.soql.parser import parse
from simulators.salesforce.soql.shape import Shape
from simulators.salesforce.store import Row

_BATCH, _BATCH_WITH_CHILDREN = 2000, 500
_KEPT = 50


@dataclass
class Cursor:
    user_id: str
    rows: list[Row]
    shape: Shape
    batch: int


def query(call: Call) -> Answer:
    if call.method != "GET":
        raise ApiError(405, "METHOD_NOT_ALLOWED", f"HTTP Method '{call.method}' not allowed. Allowed are HEAD,GET")
    if len(call.path) > 1:
        return Answer(body=_next_page(call, call.path[1]))
    if "explain" in call.query and "q" not in call.query:
        raise ApiError(400, "NOT_SUPPORTED", "Query plans are not available here")
    text = call.query.get("q")
    if not text:
        raise ApiError(400, "MALFORMED_QUERY", "A query string has to be specified")
    return Answer(body=run(call, text, everything=call.path[0].lower() == "queryall"))


def run(call: Call, text: str, everything: bool = False) -> dict[str, Any]:
    """The answer to a SOQL text. Raises ApiError as the API words it."""
    try:
        return _run(call, text, everything)
    except SoqlError as error:
        raise ApiError(400, error.code, error.located(text)) from None


def _run(call: Call, text: str, everything: bool) -> dict[str, Any]:
    plan = Plan(parse(text), call.access, call.base, everything)
    if is_bare_count(plan):
        return {"totalSize": len(plan.rows()), "done": True, "records": []}
    if is_aggregate(plan.query):
        records = Aggregation(plan).records()
        return {"totalSize": len(records), "done": True, "records": records}
    shape = plan.shape()
    rows = plan.rows()
    cursor = Cursor(call.access.user.id, rows, shape, _batch_size(call, shape))
    return _page(call, cursor, 0, None)


def _batch_size(call: Call, shape: Shape) -> int:
    """`Sforce-Query-Options: batchSize=n` is a wish between 200 and 2000; child lists make pages smaller."""
    size = _BATCH_WITH_CHILDREN if shape.children else _BATCH
    wish = call.headers.get("sforce-query-options", "").lower().replace(" ", "")
    asked = whole_number(wish.removeprefix("batchsize="))
    if asked is not None:
        size = min(size, max(200, min(2000, asked)))
    return size


def _page(call: Call, cursor: Cursor, start: int, locator: str | None) -> dict[str, Any]:
    end = start + cursor.batch
    records = [cursor.shape.render(row) for row in cursor.rows[start:end]]
    out: dict[str, Any] = {"totalSize": len(cursor.rows), "done": end >= len(cursor.rows)}
    if not out["done"]:
        locator = locator or call.org.keep_cursor(cursor, _KEPT)
        out["nextRecordsUrl"] = f"{call.base}/query/{locator}-{end}"
    return {**out, "records": records}


def _next_page(call: Call, text: str) -> dict[str, Any]:
    locator, _, start = text.rpartition("-")
    cursor = call.org.cursors.get(locator)
    number = whole_number(start)
    if cursor is None or cursor.user_id != call.access.user.id or number is None:
        raise ApiError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    return _page(call, cursor, number, locator)


def recent(access: Access, base: str, limit: int) -> list[dict[str, Any]]:
    """The records this user changed last; the simulator keeps no list of what was merely viewed."""
    mine: list[tuple[str, str, Row]] = []
    for table in access.store.tables.values():
        if table.kind.has("l") and access.reads(table.kind) and table.kind.name != "User":
            mine += [
                (row["LastModifiedDate"], table.kind.name, row)
                for row in table.rows.values()
                if row.get("LastModifiedById") == access.user.id
                and not row.get("IsDeleted")
                and access.sees(table.kind, row)
            ]
    out = []
    for _, name, row in sorted(mine, key=lambda m: m[0], reverse=True)[:limit]:
        label = row.get("Name") or row.get("Subject") or row.get("CaseNumber")
        attributes = {"type": name, "url": f"{base}/sobjects/{name}/{row['Id']}"}
        out.append({"attributes": attributes, "Id": row["Id"], "Name": label})
    return out
