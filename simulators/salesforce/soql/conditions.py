"""Compiles WHERE into a predicate and, where an index helps, the ids that can match."""

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from simulators.salesforce.ids import full_id
from simulators.salesforce.profiles import Access
from simulators.salesforce.schema import NUMERIC, TEXTUAL, FieldType
from simulators.salesforce.soql.dates import midnight, moment_of, range_of, stamp
from simulators.salesforce.soql.lexer import SoqlError, unescape
from simulators.salesforce.soql.tree import Combined, Comparison, Condition, Expression, Literal, Negated, SemiJoin
from simulators.salesforce.soql.values import Column
from simulators.salesforce.store import Row

Test = Callable[[Row], bool]
_ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_IDS = frozenset({"id", "reference"})


@dataclass(frozen=True)
class Compiled:
    test: Test
    candidates: Callable[[], Iterable[str]] | None = None


class Columns(Protocol):
    """What a condition needs of the query round it."""

    access: Access
    today: date
    zone: str
    object_name: str

    def column_of(self, expression: Expression) -> Column: ...

    def joined_ids(self, join: SemiJoin, column: Column) -> set[Any]: ...


def compile_condition(condition: Condition, scope: Columns) -> Compiled:
    if isinstance(condition, Combined):
        parts = [compile_condition(part, scope) for part in condition.parts]
        return _both(parts) if condition.operator == "AND" else _either(parts)
    if isinstance(condition, Negated):
        inner = compile_condition(condition.part, scope).test
        return Compiled(lambda row: not inner(row))
    if isinstance(condition, SemiJoin):
        return _semi_join(condition, scope)
    return _comparison(condition, scope)


def _both(parts: list[Compiled]) -> Compiled:
    tests = [part.test for part in parts]
    found = [part.candidates for part in parts if part.candidates]

    def smallest() -> Iterable[str]:
        return min((list(c()) for c in found), key=len)

    return Compiled(lambda row: all(test(row) for test in tests), smallest if found else None)


def _either(parts: list[Compiled]) -> Compiled:
    tests = [part.test for part in parts]
    found = [part.candidates for part in parts if part.candidates]

    def union() -> Iterable[str]:
        return dict.fromkeys(i for c in found for i in c())

    return Compiled(lambda row: any(test(row) for test in tests), union if len(found) == len(parts) else None)


def check_joins(condition: Condition | None) -> None:
    """Salesforce's limits on semi-joins: at most two, not under OR or NOT, not in a nested condition's OR."""
    joins = _joins(condition, under_or=False)
    if joins > 2:
        raise SoqlError("Maximum 2 semi join sub-selects are allowed", None, "EXCEEDED_MAX_SEMIJOIN_SUBSELECTS")


def _joins(condition: Condition | None, under_or: bool) -> int:
    if isinstance(condition, SemiJoin):
        if under_or:
            raise SoqlError("Semi join sub-selects are not supported with the 'OR' operator", condition.at)
        return 1
    if isinstance(condition, Combined):
        inner = under_or or condition.operator == "OR"
        return sum(_joins(part, inner) for part in condition.parts)
    return _joins(condition.part, under_or) if isinstance(condition, Negated) else 0


def _semi_join(join: SemiJoin, scope: Columns) -> Compiled:
    column = scope.column_of(join.left)
    ids = scope.joined_ids(join, column)
    get = column.get
    if join.negated:
        return Compiled(lambda row: get(row) not in ids)
    candidates = _by_index(column, list(ids), scope) if len(ids) < 500 else None
    return Compiled(lambda row: get(row) in ids, candidates)


def _by_index(column: Column, values: list[Any], scope: Columns) -> Callable[[], Iterable[str]] | None:
    if not column.simple or column.field.type not in TEXTUAL or None in values:
        return None
    table = scope.access.store.tables[scope.object_name]
    if column.field.type == "id":
        return lambda: [v for v in values if v in table.rows]
    return lambda: dict.fromkeys(i for v in values for i in table.where(column.field.name, v))


def _comparison(condition: Comparison, scope: Columns) -> Compiled:
    column = scope.column_of(condition.left)
    each, sign = column.field, condition.operator
    if not each.has("f"):
        raise SoqlError(f"field '{each.name}' can not be filtered in a query call", condition.at, "INVALID_FIELD")
    if sign == "LIKE":
        return _like(condition, column)
    if condition.values[0].kind == "relative":
        return _relative(condition, column, scope)
    values = [_convert(literal, each) for literal in condition.values]
    if sign in _ORDER:
        return _ordered(column, _ORDER[sign], values[0], condition)
    if sign in ("INCLUDES", "EXCLUDES"):
        raise SoqlError(f"invalid operator on field '{each.name}'", condition.at, "INVALID_QUERY_FILTER_OPERATOR")
    negated = sign in ("!=", "NOT IN")
    return _membership(column, values, negated, scope)


def _membership(column: Column, values: list[Any], negated: bool, scope: Columns) -> Compiled:
    fold = column.field.type in TEXTUAL and column.field.type not in _IDS
    wanted = {v.lower() if fold and isinstance(v, str) else v for v in values}
    get = column.get

    def test(row: Row) -> bool:
        value = get(row)
        return ((value.lower() if fold and isinstance(value, str) else value) in wanted) is not negated

    return Compiled(test, None if negated else _by_index(column, values, scope))


def _ordered(column: Column, compare: Callable[[Any, Any], bool], bound: Any, condition: Comparison) -> Compiled:
    each, get = column.field, column.get
    if each.type in _IDS or each.type == "boolean":
        raise SoqlError(
            f"{'ID' if each.type in _IDS else 'boolean'} fields do not support less than or greater than operator: "
            f"{each.name}",
            condition.at,
            "INVALID_QUERY_FILTER_OPERATOR",
        )
    fold = each.type in TEXTUAL
    edge = bound.lower() if fold and isinstance(bound, str) else bound

    def test(row: Row) -> bool:
        value = get(row)
        return value is not None and edge is not None and compare(value.lower() if fold else value, edge)

    return Compiled(test)


def _like(condition: Comparison, column: Column) -> Compiled:
    literal, each = condition.values[0], column.field
    if literal.kind != "string" or each.type not in TEXTUAL or each.type in _IDS:
        raise SoqlError(f"invalid operator on {each.type} field", condition.at, "INVALID_QUERY_FILTER_OPERATOR")
    text, out, i = unescape(literal.raw, literal.at, like=True), "", 0
    while i < len(text):
        if text[i] == "\\" and i + 1 < len(text):
            i += 1
            out += re.escape(text[i])
        else:
            out += {"%": ".*", "_": "."}.get(text[i], re.escape(text[i]))
        i += 1
    pattern, get = re.compile(out, re.IGNORECASE | re.DOTALL), column.get
    return Compiled(lambda row: bool(pattern.fullmatch(get(row) or "")))


def _relative(condition: Comparison, column: Column, scope: Columns) -> Compiled:
    each, sign, get = column.field, condition.operator, column.get
    if each.type not in ("date", "datetime") or len(condition.values) != 1 or sign in ("IN", "NOT IN"):
        raise _mismatch(condition.values[0], each)
    first, after = range_of(condition.values[0], scope.today)
    low, high = (
        (first.isoformat(), after.isoformat())
        if each.type == "date"
        else (midnight(first, scope.zone), midnight(after, scope.zone))
    )
    tests: dict[str, Callable[[str], bool]] = {
        "=": lambda v: low <= v < high,
        "!=": lambda v: not low <= v < high,
        "<": lambda v: v < low,
        "<=": lambda v: v < high,
        ">": lambda v: v >= high,
        ">=": lambda v: v >= low,
    }
    test = tests[sign]
    return Compiled(lambda row: sign == "!=" if (value := get(row)) is None else test(value))


def _convert(literal: Literal, each: FieldType) -> Any:
    """The literal as the field's stored form. Raises SoqlError where the types do not go together."""
    if literal.kind == "null":
        return None
    if each.type in _IDS:
        return _as_id(literal, each)
    if each.type in TEXTUAL and literal.kind == "string":
        return literal.value
    if each.type in NUMERIC and literal.kind == "number":
        return literal.value
    if each.type == "boolean" and literal.kind == "boolean":
        return literal.value
    if each.type in ("date", "datetime") and literal.kind == each.type:
        return _as_moment(literal)
    raise _mismatch(literal, each)


def _as_id(literal: Literal, each: FieldType) -> str | None:
    if literal.kind != "string":
        raise _mismatch(literal, each)
    if literal.value == "":
        return None
    found = full_id(str(literal.value))
    if found is None:
        raise SoqlError(f"invalid ID field: {literal.value}", literal.at, "INVALID_QUERY_FILTER_OPERATOR")
    return found


def _as_moment(literal: Literal) -> str:
    text = str(literal.value)
    try:
        return stamp(moment_of(text)) if literal.kind == "datetime" else date.fromisoformat(text).isoformat()
    except ValueError:
        raise SoqlError(f"invalid date: {text}", literal.at, "INVALID_QUERY_FILTER_OPERATOR") from None


def _mismatch(literal: Literal, each: FieldType) -> SoqlError:
    wanted = {"datetime": "dateTime"}.get(each.type, "string" if each.type in TEXTUAL else each.type)
    quotes = "and should be enclosed in quotes" if wanted == "string" else "and should not be enclosed in quotes"
    return SoqlError(
        f"value of filter criterion for field '{each.name}' must be of type {wanted} {quotes}",
        literal.at,
        "INVALID_FIELD",
    )
