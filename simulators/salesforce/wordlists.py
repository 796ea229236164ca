"""Names, towns and words that the seed mixes into accounts and people, read from the files in `words/`. Data only."""

from pathlib import Path

_HERE = Path(__file__).parent / "words"


def _words(name: str) -> list[str]:
    return (_HERE / f"{name}.txt").read_text(encoding="utf-8").split()


def _lines(name: str) -> list[str]:
    return (_HERE / f"{name}.txt").read_text(encoding="utf-8").splitlines()


def _columns(name: str) -> list[list[str]]:
    return [line.split(" | ") for line in _lines(name)]


FIRST, LAST, COMPANY = _words("first"), _words("last"), _words("company")
TITLES, DEPARTMENTS, PRODUCTS = _lines("titles"), _lines("departments"), _lines("products")
TROUBLES, CHORES, MEETINGS = _lines("troubles"), _lines("chores"), _lines("meetings")
LEGAL = ["Ltd", "GmbH", "S.A.", "Inc.", "B.V.", "AB", "S.r.l.", "KK", "Pty Ltd", "Oy", ""]
#: what a company does, and the industry that goes with it
TRADE = [(trade, industry) for trade, industry in _columns("trade")]
#: town, country, and the beginning of its telephone numbers (three digits follow)
PLACES = [(city, country, dial) for city, country, dial in _columns("places")]
