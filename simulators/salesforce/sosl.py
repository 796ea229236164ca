"""SOSL: FIND {..} IN .. FIELDS RETURNING .., over words as Salesforce's index has them. Parses and searches."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from simulators.salesforce.errors import ApiError, unsupported_type
from simulators.salesforce.profiles import Access
from simulators.salesforce.schema import FieldType, ObjectType
from simulators.salesforce.soql.compiler import Plan
from simulators.salesforce.soql.lexer import SoqlError
from simulators.salesforce.soql.parser import parse, parse_clauses, select
from simulators.salesforce.store import Row, Table, wildcard, words_of

_HEAD = re.compile(
    r"\s*FIND\s*\{((?:[^\\}]|\\.)*)\}\s*(?:IN\s+(\w+)\s+FIELDS)?\s*(?:RETURNING\s+(.*))?$", re.IGNORECASE | re.DOTALL
)
_PIECE = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([()])|((?:[^\s"()\\]|\\.)+))')
_TRAILER = re.compile(r"\s(?:LIMIT\s+(\d+)|WITH\s+\w+.*|UPDATE\s+\w+.*)\s*$", re.IGNORECASE)
_RESERVED = set("&|!{}[]^~:")
_MOST_ROWS, _MOST_CHARACTERS, _PLAIN_CHARACTERS = 2000, 10_000, 4_000
Match = Callable[[Table, Row, list[str]], bool]
#: objects that a search without RETURNING covers
EVERYWHERE = ("Account", "Contact", "Lead", "Opportunity", "Case", "Task", "Event", "User", "Project__c")


class SoslError(Exception):
    """A search that Salesforce calls MALFORMED_SEARCH."""


@dataclass
class Wanted:
    """One object of RETURNING; `query` holds its fields, WHERE, ORDER BY and LIMIT."""

    plan: Plan
    fields: list[str] = field(default_factory=list)


def run(text: str, access: Access, base: str) -> list[dict[str, Any]]:
    """The records found, grouped by object in the order asked. Raises ApiError."""
    match = _HEAD.match(text.strip())
    if not match:
        raise ApiError(400, "MALFORMED_SEARCH", "No search term found. The search term must be enclosed in braces.")
    group = (match[2] or "ALL").upper()
    if group not in ("ALL", "NAME", "EMAIL", "PHONE", "SIDEBAR"):
        raise ApiError(400, "MALFORMED_SEARCH", f"line 1: unexpected token: {match[2]}")
    rest, limit = _trailer(match[3] or "")
    try:
        wanted = [_wanted(piece, access, base) for piece in _split(rest)] if rest.strip() else _default(access, base)
        return search(match[1], group, wanted, access, limit)
    except SoslError as error:
        raise ApiError(400, "MALFORMED_SEARCH", str(error)) from None
    except SoqlError as error:
        raise ApiError(400, error.code, error.located(text)) from None


def search(
    term: str, group: str, wanted: list[Wanted], access: Access, limit: int = _MOST_ROWS
) -> list[dict[str, Any]]:
    """Search the term in a field group of the wanted objects."""
    if len(term) > _MOST_CHARACTERS:
        return []
    parsed = parse_term(term, operators=len(term) <= _PLAIN_CHARACTERS)
    out: list[dict[str, Any]] = []
    for each in wanted:
        table = access.store.tables[each.plan.object_name]
        fields = [f.name for f in _searched(table.kind, group) if access.shows(table.kind, f)]
        ids = sorted(i for i in parsed.ids(table) if i in table.rows and parsed.holds(table.rows[i], fields))
        shape = each.plan.shape()
        out += [shape.render(row) for row in each.plan.rows(ids)[: limit - len(out)]]
    return out


def _trailer(text: str) -> tuple[str, int]:
    """The overall LIMIT behind RETURNING; WITH and UPDATE clauses are accepted and change nothing."""
    limit = _MOST_ROWS
    depth_safe = text.rfind(")")
    while match := _TRAILER.search(" " + text):
        if match.start() - 1 < depth_safe:
            break
        limit = int(match[1]) if match[1] else limit
        text = (" " + text)[: match.start()].strip()
    return text, min(limit, _MOST_ROWS)


def _split(text: str) -> list[str]:
    """`A(..), B(..)` at the commas that stand outside parentheses and quotes."""
    out, depth, quoted, start, i = [], 0, False, 0, 0
    while i < len(text):
        c = text[i]
        if c == "\\":
            i += 1
        elif c == "'":
            quoted = not quoted
        elif not quoted:
            depth += (c == "(") - (c == ")")
            if c == "," and depth == 0:
                out.append(text[start:i])
                start = i + 1
        i += 1
    return [*out, text[start:]]


def _wanted(piece: str, access: Access, base: str) -> Wanted:
    match = re.fullmatch(r"\s*(\w+)\s*(?:\((.*)\))?\s*", piece, re.DOTALL)
    if not match:
        raise SoslError(f"unexpected token: {piece.strip() or '<EOF>'}")
    name, inner = match[1], (match[2] or "").strip()
    kind = access.store.schema.get(name)
    if kind is None or not access.reads(kind):
        raise ApiError(400, "INVALID_TYPE", unsupported_type(name))
    if not kind.has("s"):
        raise ApiError(400, "INVALID_TYPE", f"entity type {name} does not support search")
    cut = re.search(r"\s(?=(?:WHERE|ORDER\s+BY|LIMIT|OFFSET|USING)\s)", inner + " ", re.IGNORECASE)
    fields, clauses = (inner[: cut.start()], inner[cut.start() :]) if cut else (inner, "")
    query = parse(select(fields or "Id", kind.name))
    tail = parse_clauses(kind.name, clauses)
    query.where, query.order_by, query.limit, query.offset = tail.where, tail.order_by, tail.limit, tail.offset
    return Wanted(Plan(query, access, base))


def _default(access: Access, base: str) -> list[Wanted]:
    kinds = [access.store.schema.get(name) for name in EVERYWHERE]
    return [_wanted(kind.name, access, base) for kind in kinds if kind and access.reads(kind)]


def _searched(kind: ObjectType, group: str) -> list[FieldType]:
    if group == "EMAIL":
        return [f for f in kind.fields.values() if f.type == "email"]
    if group == "PHONE":
        return [f for f in kind.fields.values() if f.type == "phone"]
    if group == "NAME":
        return [f for f in kind.fields.values() if f.has("N") or f.name in ("FirstName", "LastName")]
    return [f for f in kind.fields.values() if f.type in ("string", "textarea", "email", "phone", "url", "combobox")]


class Term:
    """Words that must stand side by side in one field."""

    def __init__(self, text: str) -> None:
        self.words = [w for w in re.findall(r"[\w*?]+", text.lower().replace("_", " ")) if w.strip("*?")]

    def ids(self, table: Table) -> set[str]:
        found = [table.with_word(word) for word in self.words]
        return set.intersection(*found) if found else set()

    def holds(self, row: Row, fields: list[str]) -> bool:
        return any(self._in(words_of(value)) for name in fields if isinstance(value := row.get(name), str))

    def _in(self, words: list[str]) -> bool:
        tests = [wildcard(word) for word in self.words]
        width = len(tests)
        return any(
            all(test.fullmatch(word) for test, word in zip(tests, words[i : i + width], strict=True))
            for i in range(len(words) - width + 1)
        )


class Junction:
    def __init__(self, operator: str, parts: "list[Term | Junction]") -> None:
        self.operator, self.parts = operator, parts

    def ids(self, table: Table) -> set[str]:
        found = [part.ids(table) for part in self.parts]
        if self.operator == "OR":
            return set().union(*found)
        return found[0] if self.operator == "NOT" else set.intersection(*found)

    def holds(self, row: Row, fields: list[str]) -> bool:
        tests = [part.holds(row, fields) for part in self.parts]
        if self.operator == "NOT":
            return tests[0] and not any(tests[1:])
        return any(tests) if self.operator == "OR" else all(tests)


def parse_term(text: str, operators: bool = True) -> Term | Junction:
    """AND, OR, AND NOT, parentheses, quoted phrases; words without an operator between them must all be there."""
    pieces = _pieces(text, operators)
    if not any(kind == "word" for kind, _ in pieces):
        raise SoslError(f"search term must be longer than one character: {text}")
    parser = _TermParser(pieces)
    found = parser.either()
    if parser.i < len(pieces):
        raise SoslError("unbalanced parentheses in the search term")
    return found


def _pieces(text: str, operators: bool) -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    at = 0
    while at < len(text.rstrip()):
        match = _PIECE.match(text, at)
        if not match:
            raise SoslError(f"unexpected character in the search term: {text[at]}")
        at = match.end()
        if match[1] is not None:
            _add_word(out, _unescape(match[1]))
        elif match[2]:
            if operators:
                out.append((match[2], match[2]))
        elif operators and match[3].upper() in ("AND", "OR", "NOT"):
            out.append(("op", match[3].upper()))
        else:
            if stray := _RESERVED & set(re.sub(r"\\.", "", match[3])):
                raise SoslError(f"unescaped reserved character in the search term: {min(stray)}")
            _add_word(out, _unescape(match[3]))
    return out


def _add_word(out: list[tuple[str, str]], text: str) -> None:
    if re.search(r"\w", text):
        if len(text.strip()) < 2:
            raise SoslError(f"search term must be longer than one character: {text}")
        out.append(("word", text))


def _unescape(text: str) -> str:
    """An escaped character is a plain one: for the index, a gap between words."""
    return re.sub(r"\\(.)", lambda m: " " if m[1] in "*?" else m[1], text)


class _TermParser:
    def __init__(self, pieces: list[tuple[str, str]]) -> None:
        self.pieces, self.i = pieces, 0

    def now(self) -> tuple[str, str]:
        return self.pieces[self.i] if self.i < len(self.pieces) else ("end", "")

    def eat(self, *piece: str) -> bool:
        if self.now()[0] != "end" and self.now() == piece:
            self.i += 1
            return True
        return False

    def either(self) -> Term | Junction:
        parts = [self.both()]
        while self.eat("op", "OR"):
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else Junction("OR", parts)

    def both(self) -> Term | Junction:
        parts, without = [self.one()], []
        while True:
            joined = self.eat("op", "AND")
            if self.eat("op", "NOT"):
                without.append(self.one())
            elif joined or self.now()[0] in ("word", "("):
                parts.append(self.one())
            else:
                break
        found = parts[0] if len(parts) == 1 else Junction("AND", parts)
        return Junction("NOT", [found, *without]) if without else found

    def one(self) -> Term | Junction:
        if self.eat("(", "("):
            inner = self.either()
            if not self.eat(")", ")"):
                raise SoslError("unbalanced parentheses in the search term")
            return inner
        kind, text = self.now()
        if kind != "word":
            raise SoslError(f"unexpected token in the search term: {text or '<EOF>'}")
        self.i += 1
        return Term(text)
