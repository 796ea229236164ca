"""SOQL and SOSL out of safe pieces: quoting, and names that were checked. Knows no object and makes no call."""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from providers.salesforce import ids

_ESCAPES = str.maketrans(
    {
        "\\": "\\\\",
        "'": "\\'",
        '"': '\\"',
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\b": "\\b",
        "\f": "\\f",
    }
)
_SOSL_RESERVED = re.compile(r"""([?&|!{}\[\]()^~*:\\"'+-])""")
_SOSL_OPERATORS = frozenset({"and", "or", "not"})
_PATH = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*")


def is_sayable(text: str) -> bool:
    """Whether a SOQL string can hold it: no escape carries NUL, other controls, lone surrogates."""
    return not any(
        (char < " " and char not in "\n\r\t\b\f") or char == "\x7f" or "\ud800" <= char <= "\udfff" for char in text
    )


def literal(text: str) -> str:
    """A quoted SOQL string. Raises ValueError for what is not sayable."""
    if not is_sayable(text):
        raise ValueError("not a SOQL string")
    return f"'{text.translate(_ESCAPES)}'"


def literals(texts: Iterable[str]) -> str:
    return f"({','.join(literal(text) for text in texts)})"


def select(
    source: str,
    fields: Sequence[str],
    *,
    where: str = "",
    order: str = "",
    limit: int = 0,
    children: Iterable[str] = (),
) -> str:
    """One SELECT; `children` are complete subqueries. Every name must be an API name or path of such."""
    if not all(_PATH.fullmatch(name) for name in (source, *fields)):
        raise ValueError("not an API name")
    columns = ", ".join([*fields, *(f"({child})" for child in children)])
    clauses = ["SELECT", columns, "FROM", source]
    clauses += [f"WHERE {where}"] if where else []
    clauses += [f"ORDER BY {order}"] if order else []
    clauses += [f"LIMIT {limit:d}"] if limit else []
    return " ".join(clauses)


def query_resource(statement: str) -> str:
    """`query/?q=...` as a composite part names it; spaces as plus, so that a hundred addresses stay a short URL."""
    return "query/?q=" + quote(statement, safe="',()@=:.").replace("%20", "+")


def search_words(text: str) -> str:
    """Free text as SOSL: each word literal, the last one a prefix. Empty when nothing is left to look for."""
    cleaned = "".join(char if char.isprintable() else " " for char in text)
    words = [_word(word) for word in cleaned.split()]
    if words and words[-1][-1:].isalnum():
        words[-1] += "*"
    return " ".join(words)


def _word(word: str) -> str:
    return f'"{word}"' if word.lower() in _SOSL_OPERATORS else _SOSL_RESERVED.sub(r"\\\1", word)


def find(words: str, returning: Sequence[tuple[str, Sequence[str], int]], limit: int) -> str:
    """`FIND {words} IN ALL FIELDS RETURNING Contact(Id, Name LIMIT 5), ... LIMIT 20`."""
    parts = []
    for source, fields, each in returning:
        if not all(ids.is_field_name(name) for name in (source, *fields)):
            raise ValueError("not an API name")
        parts.append(f"{source}({', '.join(fields)} LIMIT {each:d})")
    return f"FIND {{{words}}} IN ALL FIELDS RETURNING {', '.join(parts)} LIMIT {limit:d}"
