"""Reads tokens one after the other, and the conditions of WHERE and HAVING. The clauses round them are in parser.py."""

from simulators.salesforce.soql.lexer import SoqlError, Token, unescape
from simulators.salesforce.soql.tree import (
    Call,
    Combined,
    Comparison,
    Condition,
    Expression,
    Literal,
    Negated,
    Path,
    Query,
    SemiJoin,
)

_DEEPEST = 60
_COUNTED = frozenset(
    {
        f"{way}_N_{unit}"
        for way in ("LAST", "NEXT")
        for unit in ("DAYS", "WEEKS", "MONTHS", "QUARTERS", "YEARS", "FISCAL_QUARTERS", "FISCAL_YEARS")
    }
    | {f"N_{unit}_AGO" for unit in ("DAYS", "WEEKS", "MONTHS", "QUARTERS", "YEARS")}
)
_RELATIVE = frozenset(
    {"TODAY", "YESTERDAY", "TOMORROW", "LAST_90_DAYS", "NEXT_90_DAYS"}
    | {
        f"{way}_{unit}"
        for way in ("LAST", "THIS", "NEXT")
        for unit in ("WEEK", "MONTH", "QUARTER", "YEAR", "FISCAL_QUARTER", "FISCAL_YEAR")
    }
)


class Reader:
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

    def expression(self) -> Expression:
        path = self.path()
        if not self.eat("("):
            return path
        argument = None if self.now.text == ")" else self.expression()
        self.need(")")
        return Call(path.text.upper(), argument, path.at)

    def count(self) -> int:
        if self.now.kind != "number" or not self.now.text.isdigit():
            raise self.unexpected()
        return int(self.take().text)

    def query(self, nested: bool) -> Query:
        """A sub-query; only the whole parser can."""
        raise NotImplementedError

    # -- conditions ---------------------------------------------------------------------------------------------

    def condition(self) -> Condition:
        """AND and OR may not be mixed without parentheses, as in Salesforce."""
        self.depth += 1
        if self.depth > _DEEPEST:
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
            if self.depth > _DEEPEST:
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
