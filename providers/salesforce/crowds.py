"""When a query's rows ran out: which addresses many people share, and who may have been crowded out by them (C57).

Reads one call's answers; asks nothing. One shared mailbox must not make everybody else "nobody"."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from providers.addresses import fold
from providers.salesforce import lookup

Row = Mapping[str, Any]
Answers = Mapping[str, Mapping[str, Any]]

PEOPLE = ("contacts", "leads")
_COUNTED_BY = {"accounts": "contacts"}  # the accounts are those of the contacts


class Crowds:
    """How many rows each address got of each query, and which queries were cut."""

    def __init__(self, answers: Answers) -> None:
        self.cut = frozenset(name for name, answer in answers.items() if is_cut(answer))
        self._rows = {name: Counter(key_of(row) for row in rows_of(answers.get(name))) for name in PEOPLE}

    def crowd(self) -> frozenset[str]:
        """The addresses with the most people: as few as leave at most half of a cut query's rows to the others."""
        return frozenset().union(*(_most_of(self._rows[_COUNTED_BY.get(name, name)]) for name in self.cut))

    def crowded_out(self, key: str) -> bool:
        """Whether people of this address may be missing because others took all the rows."""
        return any(name in self.cut and not self._rows[name][key] for name in PEOPLE)


def _most_of(rows: "Counter[str]") -> frozenset[str]:
    left, found = rows.total(), set()
    for key, count in rows.most_common():
        if left <= rows.total() // 2:
            break
        found.add(key)
        left -= count
    return frozenset(found)


def rows_of(part: Any) -> list[Row]:
    return list(part["records"]) if isinstance(part, Mapping) else []


def key_of(row: Row) -> str:
    return fold(str(row.get("Email") or ""))


def is_cut(part: Any) -> bool:
    """Salesforce left rows out: not done, or as many as we allowed."""
    if not isinstance(part, Mapping):
        return False
    return part.get("done") is False or len(part["records"]) >= lookup.MOST_PEOPLE
