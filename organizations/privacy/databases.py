"""Every row of every table, as it reads over SQL: what lies compressed in PostgreSQL's files is plain there.

Repeats no value and changes nothing."""

import zlib
from collections.abc import Iterator
from typing import Any

from django.core import signing
from django.db import DatabaseError, connections

from organizations.privacy.stores import NotChecked, Piece, Undo

_ROWS = 500
_MADE = "CREATE TABLE prove_privacy_planted (planted text)"
_FILLED = "INSERT INTO prove_privacy_planted VALUES (%s)"
_GONE = "DROP TABLE prove_privacy_planted"
_TABLES = {
    "postgresql": "SELECT schemaname, tablename FROM pg_tables"
    " WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2",
    "sqlite": "SELECT 'main', name FROM sqlite_master WHERE type = 'table' ORDER BY 1, 2",
}
#: What a server notes of its tables' values and of what it is asked.
_NOTES = {
    "postgresql": {
        "statistics": "SELECT * FROM pg_stats WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
        "queries under way": "SELECT query FROM pg_stat_activity WHERE pid <> pg_backend_pid()",
    },
}


class Tables:
    """Of one of Django's databases."""

    def __init__(self, alias: str) -> None:
        self.alias, self.name = alias, f"tables of database “{alias}”"

    def contents(self) -> Iterator[Piece | NotChecked]:
        vendor = connections[self.alias].vendor
        try:
            tables = list(self._rows(_TABLES[vendor]))
        except DatabaseError as error:
            yield NotChecked(self.name, type(error).__name__)
            return
        for schema, table in tables:
            quoted = ".".join(connections[self.alias].ops.quote_name(name) for name in (schema, table))
            query = f"SELECT * FROM {quoted}"  # noqa: S608  # nosec B608  names from the catalogue, quoted
            yield Piece(f"table {table}", self._as_bytes(query, table))
        for what, query in _NOTES.get(vendor, {}).items():
            yield Piece(what, self._as_bytes(query))

    def _rows(self, query: str) -> Iterator[tuple[Any, ...]]:
        with connections[self.alias].cursor() as cursor:
            cursor.execute(query)
            while rows := cursor.fetchmany(_ROWS):
                yield from rows

    def _as_bytes(self, query: str, table: str = "") -> Iterator[bytes]:
        for row in self._rows(query):
            yield b"\n".join(part for value in row for part in parts_of(value, table)) + b"\n"

    def plant(self, text: str, *, compressible: bool = True) -> Undo:
        """In the middle of what PostgreSQL compresses, so that its files do not show it; or not."""
        around = "a" * 4000 if compressible else ""
        with connections[self.alias].cursor() as cursor:
            cursor.execute(_MADE)
            cursor.execute(_FILLED, [f"{around}{text}{around}"])
        return self._drop

    def _drop(self) -> None:
        with connections[self.alias].cursor() as cursor:
            cursor.execute(_GONE)


def parts_of(value: Any, table: str = "") -> Iterator[bytes]:
    """One value of a row: as text, bytes also raw and in hex, what Django had compressed unpacked."""
    yield str(value).encode("utf-8", "surrogatepass")
    if isinstance(value, (bytes, memoryview)):
        raw = bytes(value)
        yield from (raw, raw.hex().encode())
    if table == "django_session":
        yield _unpacked_session(str(value))


def _unpacked_session(value: str) -> bytes:
    """What Django signs, encodes and mostly compresses; its key is not needed to read it."""
    data, _, signed = value.partition(":")
    if not signed or not data.strip("."):
        return b""
    try:
        raw = signing.b64_decode(data.lstrip(".").encode())
        return zlib.decompress(raw) if data.startswith(".") else raw
    except (ValueError, zlib.error):
        return b""  # another column
