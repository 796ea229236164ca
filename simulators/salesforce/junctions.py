"""Lists of ids (JunctionIdList) among the values of a record: each id becomes a record of its own. Stores nothing."""

from typing import Any

from simulators.salesforce.errors import ApiError
from simulators.salesforce.ids import full_id
from simulators.salesforce.profiles import Access
from simulators.salesforce.schema import Child, ObjectType

Lists = dict[str, list[str]]


def taken(access: Access, kind: ObjectType, values: dict[str, Any]) -> tuple[Lists, dict[str, Any]]:
    """The lists, checked, and the other values. A list that this org does not offer stays among the others."""
    offered = _offered(access, kind)
    plain = {name: value for name, value in values.items() if name.lower() not in offered}
    lists: Lists = {}
    for name, value in values.items():
        if name.lower() in offered:
            child, real = offered[name.lower()]
            lists[real] = _ids(access, child, real, value)
    return lists, plain


def _offered(access: Access, kind: ObjectType) -> dict[str, tuple[Child, str]]:
    found: dict[str, tuple[Child, str]] = {}
    for child in kind.children.values():
        target = access.store.schema.get(child.object)
        if target and access.reads(target):
            found |= {name.lower(): (child, name) for name in child.lists}
    return found


def _ids(access: Access, child: Child, name: str, value: Any) -> list[str]:
    if not isinstance(value, list):
        raise ApiError(400, "JSON_PARSER_ERROR", f"{name} must be a list of ids")
    return [_person(access, child, name, each) for each in value]


def _person(access: Access, child: Child, name: str, value: Any) -> str:
    whole = full_id(value) if isinstance(value, str) else None
    kind = access.store.schema.of_id(whole) if whole else None
    if whole is None or kind is None or kind.name not in child.listed:
        raise ApiError(400, "MALFORMED_ID", f"{name}: id value of incorrect type: {value}", [name])
    row = access.store.get(whole)
    if row is None or not access.sees(kind, row):
        message = f"insufficient access rights on cross-reference id: {whole}"
        raise ApiError(400, "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", message, [])
    if row.get("IsDeleted"):
        raise ApiError(400, "ENTITY_IS_DELETED", "entity is deleted", [])
    return whole
