"""The syntax tree of a SOQL query: plain data, positions kept for error messages."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Path:
    """`Account.Owner.Name` as names, with its offset in the text."""

    names: tuple[str, ...]
    at: int

    @property
    def text(self) -> str:
        return ".".join(self.names)


@dataclass(frozen=True, slots=True)
class Call:
    """A function over a field, or over another function; COUNT() has no argument."""

    name: str
    argument: "Path | Call | None"
    at: int


Expression = Path | Call


@dataclass(frozen=True, slots=True)
class Selected:
    expression: Expression
    alias: str | None


@dataclass(frozen=True, slots=True)
class FieldsOf:
    """FIELDS(ALL | STANDARD | CUSTOM)."""

    group: str
    at: int


@dataclass(frozen=True, slots=True)
class TypeOf:
    """TYPEOF What WHEN Account THEN Phone ELSE Name END."""

    relationship: str
    branches: tuple[tuple[str, tuple[Path, ...]], ...]
    otherwise: tuple[Path, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Literal:
    """kind: string, number, boolean, null, date, datetime, relative (a date literal: TODAY, LAST_N_DAYS:3)."""

    kind: str
    value: str | float | bool | None
    at: int
    raw: str = ""
    count: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    left: Expression
    operator: str  # = != < <= > >= LIKE IN NOT IN INCLUDES EXCLUDES
    values: tuple[Literal, ...]
    at: int


@dataclass(frozen=True, slots=True)
class SemiJoin:
    left: Expression
    negated: bool
    query: "Query"
    at: int


@dataclass(frozen=True, slots=True)
class Combined:
    operator: str  # AND, OR
    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Negated:
    part: "Condition"


Condition = Comparison | SemiJoin | Combined | Negated


@dataclass(frozen=True, slots=True)
class Ordering:
    expression: Expression
    descending: bool
    nulls_last: bool


@dataclass(slots=True)
class Query:
    select: "list[Selected | FieldsOf | TypeOf | Query]" = field(default_factory=list)
    source: str = ""
    source_at: int = 0
    alias: str | None = None
    scope: str | None = None
    where: Condition | None = None
    group_by: list[Expression] = field(default_factory=list)
    having: Condition | None = None
    order_by: list[Ordering] = field(default_factory=list)
    limit: int | None = None
    offset: int = 0
