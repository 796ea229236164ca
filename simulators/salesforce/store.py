"""The records of one org, with equality and word indexes and a journal for roll-back. Knows no rights and no rules."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from simulators.salesforce.ids import make_id
from simulators.salesforce.schema import ObjectType, Schema

Row = dict[str, Any]
_WORD = re.compile(r"\w+")
_SEARCHED = frozenset({"string", "textarea", "email", "phone", "url", "combobox"})


def words_of(text: str) -> list[str]:
    """Lower-case words, split as Salesforce's search does: at everything that is neither letter nor digit."""
    return [w for piece in _WORD.findall(text.lower()) for w in piece.split("_") if w]


def index_key(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


class Table:
    """The rows of one object by id. A row is a dict of canonical field names; an absent field is null."""

    def __init__(self, kind: ObjectType) -> None:
        self.kind = kind
        self.rows: dict[str, Row] = {}
        self._indexes: dict[str, dict[Any, dict[str, None]]] = {}
        self._words: dict[str, set[str]] | None = None
        self._kept: dict[str, Row] = {}
        self._changed = False
        self.searched = [f.name for f in kind.fields.values() if f.type in _SEARCHED]

    def keep(self) -> None:
        """What `restore` brings back. Rows are never changed in place, so a shallow copy will do."""
        self._kept, self._changed = dict(self.rows), False

    def restore(self) -> None:
        if self._changed:
            self.rows, self._indexes, self._words, self._changed = dict(self._kept), {}, None, False

    def put(self, row: Row) -> None:
        self._changed = True
        old = self.rows.get(row["Id"])
        self.rows[row["Id"]] = row
        for name, index in self._indexes.items():
            if old is not None:
                index.get(index_key(old.get(name)), {}).pop(row["Id"], None)
            index.setdefault(index_key(row.get(name)), {})[row["Id"]] = None
        if self._words is not None:
            self._learn(self._words, row)

    def drop(self, record_id: str) -> None:
        self._changed = True
        row = self.rows.pop(record_id)
        for name, index in self._indexes.items():
            index.get(index_key(row.get(name)), {}).pop(record_id, None)

    def where(self, name: str, value: Any) -> Iterable[str]:
        """Ids of rows whose field equals `value` (strings: whatever the case), from an index made on first use."""
        index = self._indexes.get(name)
        if index is None:
            index = self._indexes[name] = {}
            for row in self.rows.values():
                index.setdefault(index_key(row.get(name)), {})[row["Id"]] = None
        return index.get(index_key(value), {})

    def with_word(self, word: str) -> set[str]:
        """Ids of rows that may hold a word (also ones that held it before a change); `*` and `?` are wildcards."""
        if self._words is None:
            self._words = {}
            for row in self.rows.values():
                self._learn(self._words, row)
        if "*" not in word and "?" not in word:
            return self._words.get(word, set())
        pattern = wildcard(word)
        return set().union(*(ids for known, ids in self._words.items() if pattern.fullmatch(known)))

    def _learn(self, words: dict[str, set[str]], row: Row) -> None:
        for name in self.searched:
            value = row.get(name)
            if isinstance(value, str):
                for word in words_of(value):
                    words.setdefault(word, set()).add(row["Id"])


def wildcard(word: str) -> re.Pattern[str]:
    return re.compile("".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in word), re.DOTALL)


class Store:
    """All tables of an org. Every change inside `begin()`..`rollback()` can be taken back."""

    def __init__(self, schema: Schema, pod: str) -> None:
        self.schema, self.pod = schema, pod
        self.tables = {o.name: Table(o) for o in schema.objects.values()}
        self._next = dict.fromkeys(self.tables, 1)
        self._journal: list[Callable[[], None]] | None = None
        self.private_accounts: set[str] = set()
        #: "Sync_Ledger__c", "Task.Sync_Key__c": what this org has not set up or switched on; seen by nobody
        self.absent: set[str] = set()
        self._kept_next: dict[str, int] = {}

    def keep(self) -> None:
        """Remember the records as they are now."""
        self._kept_next = dict(self._next)
        for table in self.tables.values():
            table.keep()

    def restore(self) -> None:
        self._next, self._journal = dict(self._kept_next), None
        for table in self.tables.values():
            table.restore()

    def new_id(self, object_name: str) -> str:
        number = self._next[object_name]
        self._next[object_name] = number + 1
        return make_id(self.tables[object_name].kind.prefix, self.pod, number)

    def get(self, record_id: str | None) -> Row | None:
        kind = self.schema.of_id(record_id) if record_id else None
        return self.tables[kind.name].rows.get(record_id) if kind and record_id else None

    def alive(self, object_name: str) -> Iterator[Row]:
        return (row for row in self.tables[object_name].rows.values() if not row.get("IsDeleted"))

    def put(self, object_name: str, row: Row) -> None:
        table = self.tables[object_name]
        old = table.rows.get(row["Id"])
        table.put(row)
        if self._journal is not None:
            self._journal.append((lambda: table.put(old)) if old is not None else (lambda: table.drop(row["Id"])))

    def begin(self) -> int:
        """A savepoint: hand it to `rollback`. The outermost caller ends with `commit`."""
        if self._journal is None:
            self._journal = []
        return len(self._journal)

    def rollback(self, savepoint: int) -> None:
        journal = self._journal or []
        while len(journal) > savepoint:
            journal.pop()()

    def commit(self) -> None:
        self._journal = None
