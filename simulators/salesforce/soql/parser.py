"""Recursive-descent parser of SOQL. Checks form only: names, rights and types are the compiler's business."""

from simulators.salesforce.soql.conditions_reader import Reader
from simulators.salesforce.soql.lexer import SoqlError, tokens_of
from simulators.salesforce.soql.tree import (
    Condition,
    Expression,
    FieldsOf,
    Ordering,
    Path,
    Query,
    Selected,
    TypeOf,
)

_MAXIMUM = 100_000
_AFTER_SELECT = frozenset({"FROM"})
_CLAUSES = frozenset({"WHERE", "ORDER", "GROUP", "HAVING", "LIMIT", "OFFSET", "WITH", "FOR", "USING", "UPDATE", "ALL"})


def parse(text: str) -> Query:
    """The tree of a whole query. Raises SoqlError."""
    if len(text) > _MAXIMUM:
        raise SoqlError(f"SOQL statements cannot be longer than {_MAXIMUM} characters.")
    if not text.strip():
        raise SoqlError("SOQL statement cannot be empty" if text else "A query string has to be specified")
    parser = _Parser(tokens_of(text))
    query = parser.query(nested=False)
    parser.expect_end()
    return query


def select(fields: str, name: str, *clauses: str) -> str:
    """The text of a query that the simulator itself asks; `name` is an object's."""
    return " ".join(("SELECT", fields, "FROM", name, *clauses))


def parse_where(text: str) -> Condition:
    """A condition alone, as SOSL's RETURNING has it."""
    parser = _Parser(tokens_of(text))
    condition = parser.condition()
    parser.expect_end()
    return condition


def parse_clauses(source: str, text: str) -> Query:
    """What follows the field list in SOSL's RETURNING: `WHERE .. ORDER BY .. LIMIT ..`."""
    parser = _Parser(tokens_of(text))
    query = Query(source=source)
    parser.clauses(query)
    parser.expect_end()
    return query


class _Parser(Reader):
    def query(self, nested: bool) -> Query:
        self.need_word("SELECT")
        query = Query()
        query.select.append(self.item(nested))
        while self.eat(","):
            query.select.append(self.item(nested))
        self.need_word("FROM")
        source = self.need_name()
        query.source, query.source_at = source.text, source.at
        if self.now.kind == "name" and (self.is_word("AS") or self.now.word not in _CLAUSES):
            self.eat_word("AS")
            query.alias = self.need_name().text
        self.clauses(query)
        return query

    def item(self, nested: bool) -> Selected | FieldsOf | TypeOf | Query:
        if self.eat("("):
            if nested:
                raise SoqlError("Nesting of semi join or child subqueries is not supported here", self.now.at)
            inner = self.query(nested=True)
            self.need(")")
            return inner
        if self.is_word("TYPEOF"):
            return self.type_of()
        if self.is_word("FIELDS") and self.tokens[self.i + 1].text == "(":
            return self.fields_of()
        if self.is_word("FROM"):
            raise self.unexpected()
        expression = self.expression()
        alias = None
        if self.now.kind == "name" and self.now.word not in _AFTER_SELECT:
            alias = self.take().text
        return Selected(expression, alias)

    def fields_of(self) -> FieldsOf:
        at = self.take().at
        self.need("(")
        group = self.need_name().word
        self.need(")")
        if group not in ("ALL", "STANDARD", "CUSTOM"):
            raise SoqlError(f"Invalid argument for FIELDS function: {group}", at)
        return FieldsOf(group, at)

    def type_of(self) -> TypeOf:
        at = self.take().at
        relationship = self.need_name().text
        branches: list[tuple[str, tuple[Path, ...]]] = []
        while self.eat_word("WHEN"):
            kind = self.need_name().text
            self.need_word("THEN")
            branches.append((kind, self.paths()))
        otherwise = self.paths() if self.eat_word("ELSE") else ()
        self.need_word("END")
        return TypeOf(relationship, tuple(branches), otherwise, at)

    def paths(self) -> tuple[Path, ...]:
        out = [self.path()]
        while self.eat(","):
            out.append(self.path())
        return tuple(out)

    def clauses(self, query: Query) -> None:
        if self.eat_word("USING", "SCOPE"):
            query.scope = self.need_name().text.lower()
        if self.eat_word("WHERE"):
            query.where = self.condition()
        if self.eat_word("WITH"):  # SECURITY_ENFORCED, USER_MODE: the API always runs as the user
            self.need_name()
        if self.eat_word("GROUP", "BY"):
            query.group_by = self.expressions()
            query.having = self.condition() if self.eat_word("HAVING") else None
        if self.eat_word("ORDER", "BY"):
            query.order_by.append(self.ordering())
            while self.eat(","):
                query.order_by.append(self.ordering())
        if self.eat_word("LIMIT"):
            query.limit = self.count()
        if self.eat_word("OFFSET"):
            query.offset = self.count()
        while self.eat_word("FOR") or self.eat_word("UPDATE"):  # FOR VIEW, FOR REFERENCE, UPDATE TRACKING
            self.need_name()

    def expressions(self) -> list[Expression]:
        out = [self.expression()]
        while self.eat(","):
            out.append(self.expression())
        return out

    def ordering(self) -> Ordering:
        expression = self.expression()
        descending = self.eat_word("DESC")
        if not descending:
            self.eat_word("ASC")
        last = False
        if self.eat_word("NULLS"):
            last = self.eat_word("LAST")
            if not last:
                self.need_word("FIRST")
        return Ordering(expression, descending, last)
