"""COUNT(), GROUP BY and the aggregate functions: answers made of AggregateResult records."""

from collections.abc import Callable
from typing import Any

from simulators.salesforce.soql.compiler import AGGREGATES, Plan, sort_key
from simulators.salesforce.soql.conditions import compile_condition
from simulators.salesforce.soql.lexer import SoqlError
from simulators.salesforce.soql.tree import Call, Expression, Path, Selected
from simulators.salesforce.soql.values import Column
from simulators.salesforce.store import Row

Measure = Callable[[list[Row]], Any]


def is_bare_count(plan: Plan) -> bool:
    """SELECT COUNT() alone: the answer is only a totalSize."""
    items = plan.query.select
    first = items[0]
    return (
        len(items) == 1
        and isinstance(first, Selected)
        and isinstance(first.expression, Call)
        and first.expression.name == "COUNT"
        and first.expression.argument is None
    )


class Aggregation:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.keys = [(_text(e), plan.column_of(e)) for e in plan.query.group_by]
        for expression, (_, column) in zip(plan.query.group_by, self.keys, strict=True):
            if not column.field.has("g"):
                raise SoqlError(
                    f"field '{column.field.name}' can not be grouped in a query call", expression.at, "INVALID_FIELD"
                )
        self.outputs = self._outputs()

    def _outputs(self) -> list[tuple[str, Measure]]:
        out: list[tuple[str, Measure]] = []
        unnamed = 0
        for item in self.plan.query.select:
            if not isinstance(item, Selected):
                raise SoqlError("sub-selects and FIELDS() cannot be used with aggregates")
            name = item.alias
            if name is None and isinstance(item.expression, Call):
                name = f"expr{unnamed}"
                unnamed += 1
            measure, field_name = self._measure(item.expression)
            out.append((name or field_name, measure))
        return out

    def _measure(self, expression: Expression) -> tuple[Measure, str]:
        if isinstance(expression, Call) and expression.name in AGGREGATES:
            return self.aggregate(expression), ""
        text = _text(expression)
        column = self.plan.column_of(expression)
        if text not in [key for key, _ in self.keys]:
            raise SoqlError(f"Field must be grouped or aggregated: {column.field.name}", expression.at)
        return (lambda rows: column.get(rows[0])), column.field.name

    def aggregate(self, call: Call) -> Measure:
        if call.argument is None:
            return len
        column = self.plan.column_of(call.argument)
        if not column.field.has("a") and call.name not in ("COUNT", "COUNT_DISTINCT"):
            raise SoqlError(f"field {column.field.name} does not support aggregate operator {call.name}", call.at)
        return lambda rows: _reduce(call.name, [v for row in rows if (v := column.get(row)) is not None])

    def records(self) -> list[dict[str, Any]]:
        plan, query = self.plan, self.plan.query
        groups: dict[tuple[Any, ...], list[Row]] = {}
        for row in plan.matching():
            groups.setdefault(tuple(_fold(column, row) for _, column in self.keys), []).append(row)
        if not self.keys and not groups:
            groups[()] = []
        found = [members for members in groups.values() if self._having(members)]
        self._sort(found)
        end = None if query.limit is None else query.offset + query.limit
        return [self._render(members) for members in found[query.offset : end]]

    def _render(self, members: list[Row]) -> dict[str, Any]:
        out: dict[str, Any] = {"attributes": {"type": "AggregateResult"}}
        for name, measure in self.outputs:
            out[name] = measure(members)
        return out

    def _sort(self, groups: list[list[Row]]) -> None:
        for ordering in reversed(self.plan.query.order_by):
            measure, _ = self._measure(ordering.expression)
            key, reverse = _group_key(measure, ordering)
            groups.sort(key=key, reverse=reverse)

    def _having(self, members: list[Row]) -> bool:
        if self.plan.query.having is None:
            return True
        return compile_condition(self.plan.query.having, _Group(self, members)).test(members[0] if members else {})


class _Group:
    """A group seen as a row, so that HAVING can be compiled as WHERE is."""

    def __init__(self, aggregation: Aggregation, members: list[Row]) -> None:
        plan = aggregation.plan
        self.access, self.today, self.zone, self.object_name = plan.access, plan.today, plan.zone, plan.object_name
        self._aggregation, self._members = aggregation, members

    def column_of(self, expression: Expression) -> Column:
        from simulators.salesforce.schema import FieldType

        if isinstance(expression, Call) and expression.name in AGGREGATES:
            value = self._aggregation.aggregate(expression)(self._members)
            kind = "string" if isinstance(value, str) else "double"
            each = FieldType(expression.name, kind, 0, 18, 2, 0, "sgaf", expression.name)
            return Column((), each, None, lambda _: value, False)
        return self._aggregation.plan.column_of(expression)

    def joined_ids(self, join: Any, column: Column) -> set[Any]:  # noqa: ARG002 - the protocol has it
        raise SoqlError("Semi join sub-selects are not allowed in HAVING", join.at)


def _group_key(measure: Measure, ordering: Any) -> tuple[Callable[[list[Row]], Any], bool]:
    from simulators.salesforce.schema import FieldType

    plain = FieldType("", "string", 0, 0, 0, 0, "s", "")
    key, reverse = sort_key(lambda row: row["value"], plain, ordering)
    return (lambda rows: key({"value": measure(rows)})), reverse


def _fold(column: Column, row: Row) -> Any:
    value = column.get(row)
    return value.casefold() if isinstance(value, str) else value


def _text(expression: Expression) -> str:
    if isinstance(expression, Path):
        return expression.text.lower()
    return f"{expression.name}({_text(expression.argument) if expression.argument else ''})"


def _reduce(name: str, values: list[Any]) -> Any:
    if name == "COUNT":
        return len(values)
    if name == "COUNT_DISTINCT":
        return len({v.casefold() if isinstance(v, str) else v for v in values})
    if not values:
        return None
    if name == "AVG":
        return sum(values) / len(values)
    if name == "SUM":
        return sum(values)
    return min(values) if name == "MIN" else max(values)
