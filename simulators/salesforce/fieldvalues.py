"""Checks one value of a JSON body against its field's type, and brings it to its stored form."""

import re
from datetime import date
from typing import Any

from simulators.salesforce.errors import ApiError
from simulators.salesforce.ids import full_id
from simulators.salesforce.profiles import Access
from simulators.salesforce.schema import NUMERIC, FieldType
from simulators.salesforce.soql.dates import moment_of, stamp

#: What Salesforce accepts as an address: one @, no spaces, a dotted domain.
_EMAIL = re.compile(r"^[^\s@<>(),;:\\\"\[\]]+@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)+$")


def checked(access: Access, each: FieldType, value: Any) -> Any:
    """The stored form of `value`, None for empty. Raises ApiError with the field's name."""
    if value is None or value == "":
        return False if each.type == "boolean" else None
    if each.type == "boolean":
        return _boolean(each, value)
    if each.type in NUMERIC:
        return _number(each, value)
    if not isinstance(value, str):
        raise _unreadable(each, value)
    if each.type in ("date", "datetime"):
        return _moment(each, value)
    if each.type in ("id", "reference"):
        return _reference(access, each, value)
    return _text(each, value)


def _unreadable(each: FieldType, value: Any) -> ApiError:
    kind = {
        bool: "VALUE_TRUE",
        int: "VALUE_NUMBER_INT",
        float: "VALUE_NUMBER_FLOAT",
        str: "VALUE_STRING",
        dict: "START_OBJECT",
        list: "START_ARRAY",
    }.get(type(value), "VALUE_NULL")
    return ApiError(
        400,
        "JSON_PARSER_ERROR",
        f"Cannot deserialize instance of {each.type} from {kind} value {value} or request may be missing a required "
        "field at [line:1, column:2]",
    )


def _boolean(each: FieldType, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise _unreadable(each, value)


def _number(each: FieldType, value: Any) -> float | int:
    try:
        number = float(value) if not isinstance(value, (bool, dict, list)) else None
    except ValueError:
        number = None
    if number is None or number != number or abs(number) == float("inf"):
        raise _unreadable(each, value)
    whole = each.digits or max(each.precision - each.scale, 1)
    if abs(number) >= 10**whole:
        raise ApiError(
            400,
            "NUMBER_OUTSIDE_VALID_RANGE",
            f"{each.label}: value outside of valid range on numeric field: {value}",
            [each.name],
        )
    return int(number) if each.type == "int" else round(number, each.scale)


def _moment(each: FieldType, value: str) -> str:
    try:
        return date.fromisoformat(value[:10]).isoformat() if each.type == "date" else stamp(moment_of(value))
    except ValueError:
        raise _unreadable(each, value) from None


def _reference(access: Access, each: FieldType, value: str) -> str:
    whole = full_id(value.strip())
    kind = access.store.schema.of_id(whole) if whole else None
    if whole is None or kind is None or (each.refers_to and kind.name not in each.refers_to):
        raise ApiError(400, "MALFORMED_ID", f"{each.label}: id value of incorrect type: {value}", [each.name])
    row = access.store.get(whole)
    if row is None or not access.sees(kind, row):
        raise ApiError(
            400,
            "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
            f"insufficient access rights on cross-reference id: {whole}",
            [],
        )
    if row.get("IsDeleted"):
        raise ApiError(400, "ENTITY_IS_DELETED", "entity is deleted", [])
    return whole


def _text(each: FieldType, value: str) -> str | None:
    text = value.strip()
    if not text:
        return None
    if len(text) > each.length:
        raise ApiError(
            400,
            "STRING_TOO_LONG",
            f"{each.label}: data value too large: {text} (max length={each.length})",
            [each.name],
        )
    if each.type == "email" and not _EMAIL.match(text):
        raise ApiError(400, "INVALID_EMAIL_ADDRESS", f"{each.label}: invalid email address: {text}", [each.name])
    if each.has("R") and text not in [pick.value for pick in each.picks]:
        raise ApiError(
            400,
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            f"{each.label}: bad value for restricted picklist field: {text}",
            [each.name],
        )
    return text
