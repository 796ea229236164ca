"""Compiles a parsed query against the schema and one user's rights, and runs it to rendered records."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from simulators.salesforce.errors import unsupported_type
from simulators.salesforce.profiles import Access
from simulators.salesforce.schema import FieldType, ObjectType
from simulators.salesforce.soql.conditions import check_joins, compile_condition
from simulators.salesforce.soql.lexer import SoqlError
from simulators.salesforce.soql.shape import Child, Shape
from simulators.salesforce.soql.tree import (
    Call,
    Expression,
    FieldsOf,
    Ordering,
    Path,
    Query,
    Selected,
    SemiJoin,
    TypeOf,
)
from simulators.salesforce.soql.values import Column, Resolver
from simulators.salesforce.store import Row

AGGREGATES = frozenset({"COUNT", "COUNT_DISTINCT", "SUM", "AVG", "MIN", "MAX"})
_WRAPPERS = frozenset({"TOLABEL", "FORMAT", "CONVERTCURRENCY", "CALENDAR_YEAR", "CALENDAR_MONTH", "DAY_ONLY"})


class Plan:
    """One SELECT ready to run. `everything` also finds deleted records (queryAll)."""

    def __init__(self, query: Query, access: Access, base: str, everything: bool = False) -> None:
        self.query, self.access, self.base, self.everything = query, access, base, everything
        self.kind = _source(query, access)
        self.object_name = self.kind.name
        self.resolver = Resolver(self.kind, access, query.alias)
        self.zone = str((access.store.get(access.user.id) or {}).get("TimeZoneSidKey") or "UTC")
        self.today: date = datetime.now(UTC).astimezone(ZoneInfo(self.zone)).date()
        self._keys: list[tuple[Callable[[Row], Any], bool]] | None = None
        check_joins(query.where)
        self.condition = compile_condition(query.where, self) if query.where else None
        if query.offset > 2000:
            raise SoqlError("Maximum SOQL offset allowed is 2000", None, "NUMBER_OUTSIDE_VALID_RANGE")

    # -- what conditions ask ------------------------------------------------------------------------------------

    def column_of(self, expression: Expression) -> Column:
        if isinstance(expression, Path):
            return self.resolver.column(expression)
        if expression.name not in _WRAPPERS or expression.argument is None:
            raise SoqlError(f"Unknown or misplaced function: {expression.name}", expression.at)
        return _wrapped(expression.name, self.column_of(expression.argument))

    def joined_ids(self, join: SemiJoin, column: Column) -> set[Any]:
        """The ids a semi-join's inner query selects, under Salesforce's rules for both sides."""
        inner, left = join.query, column.field
        if left.type not in ("id", "reference"):
            raise SoqlError(
                "The left operand field in the where expression for outer query should be an id field, "
                f"cannot use: '{left.name}'",
                join.at,
            )
        only = inner.select[0]
        if len(inner.select) != 1 or not isinstance(only, Selected) or inner.order_by or inner.limit is not None:
            raise SoqlError("Semi join sub-selects must select exactly one field, without ORDER BY or LIMIT", join.at)
        plan = Plan(inner, self.access, self.base)
        chosen = plan.column_of(only.expression)
        if chosen.field.type not in ("id", "reference"):
            raise SoqlError(
                f"The inner select field must be an id or reference field, cannot use: '{chosen.field.name}'",
                join.at,
            )
        _same_target(chosen, column, join)
        return {chosen.get(row) for row in plan.rows()} - {None}

    # -- running ------------------------------------------------------------------------------------------------

    def rows(self, within: Iterable[str] | None = None) -> list[Row]:
        """Matching rows this user sees, ordered, with LIMIT and OFFSET applied. `within` narrows to these ids."""
        found = self.matching(within)
        for key, reverse in reversed(self._sort_keys()):
            found.sort(key=key, reverse=reverse)
        end = None if self.query.limit is None else self.query.offset + self.query.limit
        return found[self.query.offset : end]

    def matching(self, within: Iterable[str] | None = None) -> list[Row]:
        table = self.access.store.tables[self.object_name].rows
        test = self.condition.test if self.condition else None
        ids = within
        if ids is None and self.condition and self.condition.candidates:
            ids = sorted(self.condition.candidates())
        pool = table.values() if ids is None else (table[i] for i in ids if i in table)
        return [row for row in pool if self._visible(row) and (test is None or test(row))]

    def _visible(self, row: Row) -> bool:
        if row.get("IsDeleted") and not self.everything:
            return False
        if self.query.scope == "mine" and row.get("OwnerId") != self.access.user.id:
            return False
        return self.access.sees(self.kind, row)

    def _sort_keys(self) -> list[tuple[Callable[[Row], Any], bool]]:
        if self._keys is None:
            self._keys = [self._sort_key(ordering) for ordering in self.query.order_by]
        return self._keys

    def _sort_key(self, ordering: Ordering) -> tuple[Callable[[Row], Any], bool]:
        column = self.column_of(ordering.expression)
        if not column.field.has("s"):
            raise SoqlError(
                f"field '{column.field.name}' can not be sorted in a query call",
                ordering.expression.at,
                "INVALID_FIELD",
            )
        return sort_key(column.get, column.field, ordering)

    def shape(self) -> Shape:
        """What each record looks like in the answer."""
        shape = Shape(self.kind, self.base)
        seen: set[tuple[str, ...]] = set()
        for item in self.query.select:
            if isinstance(item, Query):
                shape.children.append(self._child(item, len(shape.children)))
            elif isinstance(item, FieldsOf):
                self._add_group(item, shape)
            elif isinstance(item, TypeOf):
                self._add_typeof(item, shape)
            else:
                self._add(item, shape, seen)
        return shape

    def _add(self, item: Selected, shape: Shape, seen: set[tuple[str, ...]]) -> None:
        column = self.column_of(item.expression)
        name = item.alias or column.field.name
        if isinstance(item.expression, Path) and item.alias:
            raise SoqlError("only aggregate expressions use field aliasing", item.expression.at)
        if (*column.hops, name) in seen:
            raise SoqlError(
                f"duplicate field selected: {item.expression.text}"
                if isinstance(item.expression, Path)
                else f"duplicate alias: {name}"
            )
        seen.add((*column.hops, name))
        shape.add(column, name, self.resolver)

    def _add_group(self, item: FieldsOf, shape: Shape) -> None:
        if item.group != "STANDARD" and (self.query.limit is None or self.query.limit > 200):
            raise SoqlError("The SOQL FIELDS function must have a LIMIT of at most 200", item.at)
        for each in self.kind.fields.values():
            if self.access.shows(self.kind, each) and (item.group == "ALL" or each.custom == (item.group == "CUSTOM")):
                shape.add(self.resolver.column(Path((each.name,), item.at)), each.name, self.resolver)

    def _add_typeof(self, item: TypeOf, shape: Shape) -> None:
        link = self.resolver.link(self.kind, item.relationship, Path((item.relationship,), item.at))
        branches: dict[str, Shape] = {}
        for name, paths in item.branches:
            branches[name.lower()] = self._branch(name, paths, item)
        shape.add_typeof(
            link, branches, self._branch("User", item.otherwise, item) if item.otherwise else None, self.resolver
        )

    def _branch(self, name: str, paths: tuple[Path, ...], item: TypeOf) -> Shape:
        kind = self.access.store.schema.get(name)
        if kind is None or not self.access.reads(kind):
            raise SoqlError(unsupported_type(name), item.at, "INVALID_TYPE")
        resolver, shape = Resolver(kind, self.access, None), Shape(kind, self.base)
        for path in paths:
            column = resolver.column(path)
            shape.add(column, column.field.name, resolver)
        return shape

    def _child(self, inner: Query, number: int) -> Child:
        if number >= 20:
            raise SoqlError("Maximum number of child relationship sub-selects in a query is 20", inner.source_at)
        relation = self.kind.children.get(inner.source.lower())
        target = self.access.store.schema.get(relation.object) if relation else None
        if relation is None or target is None or not self.access.reads(target):
            raise SoqlError(
                f"Didn't understand relationship '{inner.source}' in FROM part of query call. If you are attempting to "
                "use a custom relationship, be sure to append the '__r' after the custom relationship name. Please "
                "reference your WSDL or the describe call for the appropriate names.",
                inner.source_at,
                "INVALID_TYPE",
            )
        inner.source = relation.object
        plan = Plan(inner, self.access, self.base, self.everything)
        table = self.access.store.tables[relation.object]
        shape = plan.shape()

        def of(row: Row) -> list[dict[str, Any]]:
            return [shape.render(r) for r in plan.rows(sorted(table.where(relation.field, row["Id"])))]

        return Child(relation.name, of)


def sort_key(get: Callable[[Row], Any], each: FieldType, ordering: Ordering) -> tuple[Callable[[Row], Any], bool]:
    """Nulls come first unless NULLS LAST, in either direction; picklists sort in the order they are set up."""
    order = {pick.value: i for i, pick in enumerate(each.picks)}
    null_rank = 1 if ordering.nulls_last is not ordering.descending else -1

    def key(row: Row) -> Any:
        value = get(row)
        if value is None:
            return (null_rank, 0, "")
        if order:
            return (0, order.get(value, len(order)), str(value))
        return (0, 0, value.casefold()) if isinstance(value, str) else (0, value, "")

    return key, ordering.descending


def _source(query: Query, access: Access) -> ObjectType:
    kind = access.store.schema.get(query.source)
    if kind is None or not access.reads(kind):
        raise SoqlError(unsupported_type(query.source), query.source_at, "INVALID_TYPE")
    return kind


def _same_target(chosen: Column, left: Column, join: SemiJoin) -> None:
    def targets(column: Column) -> set[str]:
        if column.field.type == "id":
            return {column.kind.name} if column.kind else set()
        return set(column.field.refers_to)

    if not targets(chosen) & targets(left):
        raise SoqlError(
            f"The selected field '{chosen.field.name}' in the subquery and the left operand field in the where "
            f"expression in the outer query '{left.field.name}' should point to the same object type",
            join.at,
        )


def _wrapped(name: str, column: Column) -> Column:
    get = column.get
    labels = {pick.value: pick.label for pick in column.field.picks}
    wrapped: dict[str, Callable[[Any], Any]] = {
        "TOLABEL": lambda v: labels.get(v, v),
        "FORMAT": str,
        "CONVERTCURRENCY": lambda v: v,
        "CALENDAR_YEAR": lambda v: int(v[:4]),
        "CALENDAR_MONTH": lambda v: int(v[5:7]),
        "DAY_ONLY": lambda v: v[:10],
    }
    convert = wrapped[name]
    each = column.field
    if name.startswith("CALENDAR"):
        each = FieldType(each.name, "int", 0, 0, 0, 8, "sgf", each.label)
    return Column(column.hops, each, column.kind, lambda r: None if (v := get(r)) is None else convert(v), False)


def is_aggregate(query: Query) -> bool:
    return bool(query.group_by) or any(
        isinstance(item, Selected) and isinstance(item.expression, Call) and item.expression.name in AGGREGATES
        for item in query.select
    )
