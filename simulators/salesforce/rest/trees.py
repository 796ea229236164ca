"""composite/tree: records with their children in one body, all or nothing, at most 200."""

from typing import Any

from simulators.salesforce import writes
from simulators.salesforce.errors import ApiError
from simulators.salesforce.rest.call import Answer, Call, mapping
from simulators.salesforce.rest.sobjects import values_of
from simulators.salesforce.schema import ObjectType


def handle(call: Call) -> Answer:
    kind = writes.find_kind(call.access, call.path[2])
    records = values_of(call.body).get("records")
    if call.method != "POST" or not isinstance(records, list):
        raise ApiError(400, "INVALID_INPUT", "The request must hold a records list")
    results: list[dict[str, Any]] = []
    failures: list[dict[str, Any]] = []
    start = call.access.store.begin()
    for record in records:
        _plant(call, kind, record, {}, results, failures)
    if len(results) + len(failures) > 200:
        call.access.store.rollback(start)
        raise ApiError(400, "INVALID_INPUT", "The maximum number of records in a tree is 200")
    if failures:
        call.access.store.rollback(start)
        return Answer(400, {"hasErrors": True, "results": failures})
    return Answer(201, {"hasErrors": False, "results": results})


def _plant(
    call: Call, kind: ObjectType, record: Any, parent: dict[str, str], results: list[Any], failures: list[Any]
) -> None:
    values = values_of(record)
    children = {k: v for k, v in values.items() if isinstance(v, dict) and "records" in v}
    reference = mapping(values.get("attributes") or {}, "attributes").get("referenceId", "")
    own = {k: v for k, v in values.items() if k not in children}
    try:
        record_id = writes.create(call.access, kind, {**own, **parent})
    except ApiError as error:
        failures.append({"referenceId": reference, "errors": [error.save_error()]})
        return
    results.append({"referenceId": reference, "id": record_id})
    for name, below in children.items():
        relation = kind.children.get(name.lower())
        if relation is None:
            failures.append(
                {
                    "referenceId": reference,
                    "errors": [
                        {"statusCode": "INVALID_FIELD", "message": f"No such relationship '{name}'", "fields": []}
                    ],
                }
            )
            continue
        for each in below["records"] if isinstance(below["records"], list) else []:
            child_kind = writes.find_kind(call.access, relation.object)
            _plant(call, child_kind, each, {relation.field: record_id}, results, failures)
