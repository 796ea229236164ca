"""composite/sobjects: up to 200 records in one call, with an outcome for each, together or one by one."""

from typing import Any

from simulators.salesforce import writes
from simulators.salesforce.errors import ApiError, not_found
from simulators.salesforce.rest.call import Answer, Call, names_in
from simulators.salesforce.rest.sobjects import allows_duplicates, render, values_of

_MOST = 200
_ROLLED_BACK = {
    "statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "fields": [],
    "message": "Record rolled back because not all records were valid and the request was using AllOrNone header",
}


def handle(call: Call) -> Answer:
    rest = call.path[2:]
    if call.method == "GET" or (call.method == "POST" and len(rest) == 1):
        return _retrieve(call, rest)
    if call.method == "DELETE" and not rest:
        ids = [i for i in call.query.get("ids", "").split(",") if i]
        return _each(call, [{"id": i} for i in ids], _delete, call.query.get("allOrNone", "") == "true")
    body = values_of(call.body)
    records = body.get("records")
    if not isinstance(records, list) or not records:
        raise ApiError(400, "INVALID_INPUT", "The records list is empty or missing")
    together = bool(body.get("allOrNone", False))
    if call.method == "POST" and not rest:
        return _each(call, records, _create, together)
    if call.method == "PATCH" and not rest:
        return _each(call, records, _update, together)
    if call.method == "PATCH" and len(rest) == 2:
        return _each(call, records, lambda c, r: _upsert(c, r, rest[0], rest[1]), together)
    raise not_found()


def _each(call: Call, records: list[Any], work: Any, together: bool) -> Answer:
    if len(records) > _MOST:
        raise ApiError(
            400, "EXCEEDED_ID_LIMIT", f"record limit reached. cannot submit more than {_MOST} records into this call"
        )
    start = call.access.store.begin()
    results = [_one(call, record, work) for record in records]
    if together and not all(result["success"] for result in results):
        call.access.store.rollback(start)
        results = [
            result if not result["success"] else {"success": False, "errors": [_ROLLED_BACK]} for result in results
        ]
    return Answer(body=results)


def _one(call: Call, record: Any, work: Any) -> dict[str, Any]:
    try:
        return {**work(call, values_of(record)), "success": True, "errors": []}
    except ApiError as error:
        return {"success": False, "errors": [error.save_error()]}
    except writes.SeveralError as several:
        message = f"{len(several.paths)} records match the external id"
        return {"success": False, "errors": [{"statusCode": "DUPLICATE_EXTERNAL_ID", "message": message, "fields": []}]}


def _kind_name(record: dict[str, Any]) -> str:
    attributes = record.get("attributes")
    name = attributes.get("type") if isinstance(attributes, dict) else None
    if not isinstance(name, str):
        raise ApiError(400, "INVALID_INPUT", "Please specify the type of the record in attributes")
    return name


def _create(call: Call, record: dict[str, Any]) -> dict[str, Any]:
    kind = writes.find_kind(call.access, _kind_name(record))
    return {"id": writes.create(call.access, kind, record, allows_duplicates(call))}


def _update(call: Call, record: dict[str, Any]) -> dict[str, Any]:
    kind = writes.find_kind(call.access, _kind_name(record))
    record_id = str(record.get("id") or record.get("Id") or "")
    if not record_id:
        raise ApiError(400, "MISSING_ARGUMENT", "Id not specified in an update call", [])
    row = _row(call, kind, record_id)
    writes.update(call.access, kind, row, {k: v for k, v in record.items() if k.lower() != "id"})
    return {"id": row["Id"]}


def _row(call: Call, kind: Any, record_id: str) -> Any:
    try:
        return writes.find_row(call.access, kind, record_id)
    except ApiError as error:
        if error.code == "NOT_FOUND":
            raise ApiError(404, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", []) from None
        raise


def _delete(call: Call, record: dict[str, Any]) -> dict[str, Any]:
    kind = call.access.store.schema.of_id(record["id"])
    if kind is None or not call.access.reads(kind):
        raise ApiError(400, "MALFORMED_ID", f"malformed id {record['id']}", [])
    row = _row(call, kind, record["id"])
    writes.delete(call.access, kind, row)
    return {"id": row["Id"]}


def _upsert(call: Call, record: dict[str, Any], object_name: str, field_name: str) -> dict[str, Any]:
    kind = writes.find_kind(call.access, object_name)
    key = next((k for k in record if k.lower() == field_name.lower()), None)
    if key is None or record[key] in (None, ""):
        raise ApiError(400, "MISSING_ARGUMENT", f"{field_name} not specified", [])
    values = {k: v for k, v in record.items() if k not in (key, "attributes")}
    record_id, created = writes.upsert(call.access, kind, field_name, str(record[key]), values)
    return {"id": record_id, "created": created}


def _retrieve(call: Call, rest: list[str]) -> Answer:
    if len(rest) != 1:
        raise not_found()
    kind = writes.find_kind(call.access, rest[0])
    source = values_of(call.body) if call.method == "POST" else call.query
    ids = names_in(source.get("ids", ""), "ids")
    fields = ",".join(names_in(source.get("fields", ""), "fields"))
    if len(ids) > (2000 if call.method == "POST" else 800):
        raise ApiError(400, "EXCEEDED_ID_LIMIT", "record limit reached. cannot submit more ids into this call")
    out: list[Any] = []
    for record_id in ids:
        try:
            out.append(render(call, kind, writes.find_row(call.access, kind, record_id), fields))
        except ApiError as error:
            if error.code not in ("NOT_FOUND", "ENTITY_IS_DELETED"):
                raise
            out.append(None)
    return Answer(body=out)
