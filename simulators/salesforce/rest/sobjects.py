"""sobjects/...: describe, single records, external ids, updated and deleted, recent items of one object."""

from datetime import UTC, datetime, timedelta
from typing import Any

from simulators.salesforce import describe, writes
from simulators.salesforce.errors import ApiError, not_found
from simulators.salesforce.rest.call import Answer, Call
from simulators.salesforce.rest.queries import run
from simulators.salesforce.schema import ObjectType
from simulators.salesforce.soql.dates import moment_of, stamp
from simulators.salesforce.soql.parser import select
from simulators.salesforce.soql.values import reader
from simulators.salesforce.store import Row


def handle(call: Call) -> Answer:
    rest = call.path[1:]
    if not rest:
        _only(call, "GET")
        return Answer(body=_global(call))
    kind = writes.find_kind(call.access, rest[0])
    if len(rest) == 1:
        return _object(call, kind)
    if rest[1] == "describe":
        if len(rest) > 2:
            return Answer(body=_layouts(kind, rest[2]))
        return Answer(body=describe.full(kind, call.access, call.base, call.org.pages_url))
    if rest[1] in ("updated", "deleted") and len(rest) == 2:
        return Answer(body=_changes(call, kind, deleted=rest[1] == "deleted"))
    if len(rest) == 2:
        return _record(call, kind, rest[1])
    if len(rest) == 3:
        return _external(call, kind, rest[1], rest[2])
    raise not_found()


def _only(call: Call, *methods: str) -> None:
    if call.method not in methods:
        raise ApiError(
            405,
            "METHOD_NOT_ALLOWED",
            f"HTTP Method '{call.method}' not allowed. Allowed are {','.join(methods)}",
        )


def _global(call: Call) -> dict[str, Any]:
    kinds = call.access.store.schema.objects.values()
    entries = [describe.brief(kind, call.access, call.base) for kind in kinds if call.access.reads(kind)]
    return {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": sorted(entries, key=lambda e: str(e["name"]))}


def _object(call: Call, kind: ObjectType) -> Answer:
    if call.method == "POST":
        record_id = writes.create(call.access, kind, values_of(call.body), allows_duplicates(call))
        location = f"{call.base}/sobjects/{kind.name}/{record_id}"
        return Answer(201, {"id": record_id, "success": True, "errors": []}, {"Location": location})
    _only(call, "GET", "POST", "HEAD")
    order = "LastModifiedDate" if kind.field("LastModifiedDate") else "Id"
    name = kind.name_field
    columns = f"Id, {name.name}" if name else "Id"
    recent = run(call, select(columns, kind.name, f"ORDER BY {order} DESC LIMIT 10"))
    return Answer(
        body={"objectDescribe": describe.brief(kind, call.access, call.base), "recentItems": recent["records"]}
    )


def values_of(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise ApiError(
            400, "JSON_PARSER_ERROR", "The HTTP entity body is required, but this request has no entity body."
        )
    return body


def allows_duplicates(call: Call) -> bool:
    return "allowsave=true" in call.headers.get("sforce-duplicate-rule-header", "").lower().replace(" ", "")


def _record(call: Call, kind: ObjectType, record_id: str) -> Answer:
    row = writes.find_row(call.access, kind, record_id)
    if call.method in ("GET", "HEAD"):
        return Answer(body=render(call, kind, row, call.query.get("fields")))
    _only(call, "GET", "PATCH", "DELETE", "HEAD")
    if call.method == "PATCH":
        writes.update(call.access, kind, row, values_of(call.body))
    else:
        writes.delete(call.access, kind, row)
    return Answer(204)


def render(call: Call, kind: ObjectType, row: Row, fields: str | None) -> dict[str, Any]:
    """All fields this user may see, or the ones named."""
    out: dict[str, Any] = {"attributes": {"type": kind.name, "url": f"{call.base}/sobjects/{kind.name}/{row['Id']}"}}
    if fields:
        for name in (n.strip() for n in fields.split(",")):
            each = kind.field(name)
            if each is None or not call.access.shows(kind, each):
                raise ApiError(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {kind.name}")
            out[each.name] = reader(kind, each, call.access)(row)
        out.setdefault("Id", row["Id"])
        return out
    for each in kind.fields.values():
        if call.access.shows(kind, each):
            out[each.name] = reader(kind, each, call.access)(row)
    return out


def _external(call: Call, kind: ObjectType, field_name: str, key: str) -> Answer:
    if call.method == "PATCH":
        record_id, created = writes.upsert(call.access, kind, field_name, key, values_of(call.body))
        body = {"id": record_id, "success": True, "errors": [], "created": created}
        return Answer(201 if created else 200, body)
    each = kind.field(field_name)
    if each is None or not call.access.shows(kind, each) or not (each.has("x") or each.has("i")):
        return _relationship(call, kind, field_name, key)
    row = writes.matching(call.access, kind, each, key)
    if row is None:
        raise not_found()
    if call.method == "DELETE":
        writes.delete(call.access, kind, row)
        return Answer(204)
    _only(call, "GET", "PATCH", "DELETE", "HEAD")
    return Answer(body=render(call, kind, row, call.query.get("fields")))


def _relationship(call: Call, kind: ObjectType, record_id: str, name: str) -> Answer:
    """`sobjects/Contact/003.../Account` follows a relationship; children come as a query answer."""
    row = writes.find_row(call.access, kind, record_id)
    child = kind.children.get(name.lower())
    if child:
        target = writes.find_kind(call.access, child.object)
        wanted = call.query.get("fields") or ", ".join(
            f.name for f in target.fields.values() if call.access.shows(target, f)
        )
        return Answer(body=run(call, select(wanted, child.object, f"WHERE {child.field} = '{row['Id']}'")))
    link = kind.relationships.get(name.lower())
    parent = call.access.store.get(row.get(link.name)) if link else None
    parent_kind = call.access.store.schema.of_id(parent["Id"]) if parent else None
    if parent is None or parent_kind is None or not call.access.sees(parent_kind, parent):
        raise not_found()
    return Answer(body=render(call, parent_kind, parent, call.query.get("fields")))


def _layouts(kind: ObjectType, which: str) -> dict[str, Any]:
    if which != "compactLayouts":
        raise not_found()
    return {
        "compactLayouts": [],
        "defaultCompactLayoutId": None,
        "recordTypeCompactLayoutMappings": [],
        "urls": {"primary": f"/sobjects/{kind.name}/describe/compactLayouts/primary"},
    }


def _changes(call: Call, kind: ObjectType, deleted: bool) -> dict[str, Any]:
    """`updated` reaches 30 days back, `deleted` 15."""
    _only(call, "GET")
    start, end = _window(call, 15 if deleted else 30)
    table = call.access.store.tables[kind.name].rows.values()
    found = [
        row
        for row in table
        if start <= row.get("SystemModstamp", "") <= end
        and bool(row.get("IsDeleted")) == deleted
        and call.access.sees(kind, row)
    ]
    if deleted:
        records = [{"id": row["Id"], "deletedDate": row["SystemModstamp"]} for row in found]
        return {"deletedRecords": records, "earliestDateAvailable": start, "latestDateCovered": end}
    return {"ids": [row["Id"] for row in found], "latestDateCovered": end}


def _window(call: Call, days: int) -> tuple[str, str]:
    try:
        start, end = moment_of(call.query["start"].replace(" ", "+")), moment_of(call.query["end"].replace(" ", "+"))
    except (KeyError, ValueError):
        raise ApiError(400, "MALFORMED_QUERY", "start and end are required date times") from None
    if start >= end:
        raise ApiError(400, "INVALID_REPLICATION_DATE", "startDate and endDate must be at least one minute apart")
    if start < datetime.now(UTC) - timedelta(days=days):
        raise ApiError(400, "INVALID_REPLICATION_DATE", f"startDate cannot be more than {days} days ago")
    return stamp(start), stamp(min(end, datetime.now(UTC)))
