"""Recursive-descent parser of SOQL. Checks form only: names, rights and types are the compiler's business."""

from simulators.salesforce.soql.lexer import SoqlError, Token, tokens_of, unescape
from simulators.salesforce.soql.tree import (
    Call,
    Combined,
    Comparison,
    Condition,
    Expression,
    FieldsOf,
    Literal,
    Negated,
    Ordering,
    Path,
    Query,
    Selected,
    SemiJoin,
    TypeOf,
)

_MAXIMUM = 100_000
_AFTER_SELECT = frozenset({"FROM"})
_CLAUSES = frozenset({"WHERE", "ORDER", "GROUP", "HAVING", "LIMIT", "OFFSET", "WITH", "FOR", "USING", "UPDATE", "ALL"})
_COUNTED = frozenset(
    {f"{way}_N_{unit}" for way in ("LAST", "NEXT") for unit in
     ("DAYS", "WEEKS", "MONTHS", "QUARTERS", "YEARS", "FISCAL_QUARTERS", "FISCAL_YEARS")}
    | {f"N_{unit}_AGO" for unit in ("DAYS", "WEEKS", "MONTHS", "QUARTERS", "YEARS")}
)  # fmt: skip
_RELATIVE = frozenset(
    {"TODAY", "YESTERDAY", "TOMORROW", "LAST_90_DAYS", "NEXT_90_DAYS"}
    | {f"{way}_{unit}" for way in ("LAST", "THIS", "NEXT") for unit in
       ("WEEK", "MONTH", "QUARTER", "YEAR", "FISCAL_QUARTER", "FISCAL_YEAR")}
)  # fmt: skip


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


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self.tokens, self.i, self.depth = tokens, 0, 0

    @property
    def now(self) -> Token:
        return self.tokens[self.i]

    def take(self) -> Token:
        token = self.tokens[self.i]
        self.i = min(self.i + 1, len(self.tokens) - 1)
        return token

    def unexpected(self) -> SoqlError:
        token = self.now
        if token.kind == "end":
            return SoqlError("unexpected token: '<EOF>'", token.at)
        return SoqlError(f"unexpected token: '{token.text}'", token.at)

    def is_word(self, *words: str) -> bool:
        return self.now.word in words

    def eat_word(self, *words: str) -> bool:
        """Take a run of keywords, or nothing."""
        here = self.tokens[self.i : self.i + len(words)]
        if [t.word for t in here] != list(words):
            return False
        self.i += len(words)
        return True

    def need_word(self, word: str) -> None:
        if not self.eat_word(word):
            raise self.unexpected()

    def eat(self, punct: str) -> bool:
        if self.now.kind in ("punct", "op") and self.now.text == punct:
            self.i += 1
            return True
        return False

    def need(self, punct: str) -> None:
        if not self.eat(punct):
            raise self.unexpected()

    def expect_end(self) -> None:
        if self.now.kind != "end":
            raise self.unexpected()

    def need_name(self) -> Token:
        if self.now.kind != "name":
            raise self.unexpected()
        return self.take()

    def path(self) -> Path:
        token = self.need_name()
        return Path(tuple(token.text.split(".")), token.at)

    # -- the query ----------------------------------------------------------------------------------------------

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

    def expression(self) -> Expression:
        path = self.path()
        if not self.eat("("):
            return path
        argument = None if self.now.text == ")" else self.expression()
        self.need(")")
        return Call(path.text.upper(), argument, path.at)

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

    def count(self) -> int:
        if self.now.kind != "number" or not self.now.text.isdigit():
            raise self.unexpected()
        return int(self.take().text)

    # -- conditions ---------------------------------------------------------------------------------------------

    def condition(self) -> Condition:
        """AND and OR may not be mixed without parentheses, as in Salesforce."""
        self.depth += 1
        if self.depth > 60:
            raise SoqlError("Query is too complicated: conditions are nested too deeply.", self.now.at)
        parts = [self.operand()]
        operator = self.now.word if self.is_word("AND", "OR") else ""
        while operator and self.eat_word(operator):
            parts.append(self.operand())
        if self.is_word("AND", "OR"):
            raise self.unexpected()
        self.depth -= 1
        return parts[0] if len(parts) == 1 else Combined(operator, tuple(parts))

    def operand(self) -> Condition:
        if self.eat_word("NOT"):
            self.depth += 1
            if self.depth > 60:
                raise SoqlError("Query is too complicated: conditions are nested too deeply.", self.now.at)
            part = self.operand()
            self.depth -= 1
            return Negated(part)
        if self.eat("("):
            inner = self.condition()
            self.need(")")
            return inner
        return self.comparison()

    def comparison(self) -> Condition:
        left = self.expression()
        at = left.at
        if self.now.kind == "op":
            operator = self.take().text.replace("<>", "!=")
            return Comparison(left, operator, (self.literal(),), at)
        if self.eat_word("LIKE"):
            return Comparison(left, "LIKE", (self.literal(),), at)
        for operator in ("INCLUDES", "EXCLUDES"):
            if self.eat_word(operator):
                return Comparison(left, operator, self.literals(), at)
        negated = self.eat_word("NOT")
        self.need_word("IN")
        return self.membership(left, negated, at)

    def membership(self, left: Expression, negated: bool, at: int) -> Condition:
        if self.tokens[self.i + 1].word == "SELECT" and self.eat("("):
            inner = self.query(nested=True)
            self.need(")")
            return SemiJoin(left, negated, inner, at)
        return Comparison(left, "NOT IN" if negated else "IN", self.literals(), at)

    def literals(self) -> tuple[Literal, ...]:
        self.need("(")
        out = [self.literal()]
        while self.eat(","):
            out.append(self.literal())
        self.need(")")
        return tuple(out)

    def literal(self) -> Literal:
        token = self.now
        if token.kind == "string":
            self.take()
            return Literal("string", unescape(token.text, token.at), token.at, raw=token.text)
        if token.kind == "number":
            self.take()
            return Literal("number", float(token.text), token.at, raw=token.text)
        if token.kind in ("date", "datetime"):
            self.take()
            return Literal(token.kind, token.text, token.at)
        return self.word_literal(token)

    def word_literal(self, token: Token) -> Literal:
        if token.word in ("TRUE", "FALSE"):
            self.take()
            return Literal("boolean", token.word == "TRUE", token.at)
        if token.word == "NULL":
            self.take()
            return Literal("null", None, token.at)
        if token.word in _RELATIVE:
            self.take()
            return Literal("relative", token.word, token.at)
        if token.word in _COUNTED and self.tokens[self.i + 1].text == ":":
            self.i += 2
            return Literal("relative", token.word, token.at, count=self.count())
        raise self.unexpected()
