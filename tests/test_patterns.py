"""Debian 12 brings Python 3.11.2, whose `re` takes a group that is repeated possessively for something else
(python/cpython issues 100061 and 106052, mended in 3.11.5)."""

import re

import pytest

from tests.architecture.__main__ import files_of
from tests.architecture.rules import ROOMS

_POSSESSIVE_GROUP = re.compile(r"(?<!\\)\)(?:[*+?]|\{[0-9,]+\})\+|\(\?>")
_CHARACTERS = re.compile(r"\[(?:\\.|[^\]\\])*\]")
_PATTERN = re.compile(r"""re\.compile\(\s*[rbf]*(["'].*)""")


def possessive_groups(source: str) -> list[str]:
    return [text for text in _PATTERN.findall(source) if _POSSESSIVE_GROUP.search(_CHARACTERS.sub("x", text))]


@pytest.mark.parametrize("text", ['re.compile(r"(?:a|b)*+")', 're.compile(rf"(a){2}+")', 're.compile(rb"(?>a)")'])
def test_one_would_be_seen(text: str) -> None:
    assert possessive_groups(text)


def test_no_pattern_has_one() -> None:
    found = {str(path): possessive_groups(path.read_text()) for path in files_of(*ROOMS, "simulators")}
    assert {path: texts for path, texts in found.items() if texts} == {}
