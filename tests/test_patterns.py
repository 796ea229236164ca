"""Debian 12 brings Python 3.11.2, whose `re` takes a group that is repeated possessively for something else
(python/cpython issues 100061 and 106052, mended in 3.11.5)."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.architecture.__main__ import files_of
from tests.architecture.rules import ROOMS

_CHARACTERS = re.compile(r"\[(?:\\.|[^\]\\])*\]")
_POSSESSIVE_GROUP = re.compile(r"(?<!\\)\)(?:[*+?]|\{[^}]*\})\+|\(\?>")
#: RFC 3986's sub-delims, of which sets of characters are made that are no patterns.
_NO_PATTERN = "()*+,;="


def possessive_groups(source: str) -> list[str]:
    texts = (_CHARACTERS.sub("x", text) for text in _texts(source))
    return [text for text in texts if _NO_PATTERN not in text and _POSSESSIVE_GROUP.search(text)]


def _texts(source: str) -> Iterator[str]:
    """All that are written in it, those with gaps as one."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(each.value) if isinstance(each, ast.Constant) else "x" for each in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            yield node.value.decode("latin-1") if isinstance(node.value, bytes) else node.value


@pytest.mark.parametrize(
    "text",
    [
        're.compile(r"(?:a|b)*+")',
        're.sub(rf"(a){{2,3}}+{END}", "", x)',
        're.compile(rb"(?>a)")',
        'A = (\n    r"(a)"\n    r"++")',
    ],
)
def test_one_would_be_seen(text: str) -> None:
    assert possessive_groups(text)


def test_no_pattern_has_one() -> None:
    sources = {str(path): path.read_text() for path in files_of(*ROOMS, "vault", "simulators")}
    found = {path: possessive_groups(source) for path, source in sources.items()}
    assert len(found) > 500
    assert {path: texts for path, texts in found.items() if texts} == {}
