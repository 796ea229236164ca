"""Whether a database holds anything sealed; asked before Django is set up, so that no new key is made over it (V17)."""

import psycopg
from psycopg import sql

#: Columns with sealed values are named so (tests/faults/evidence.py holds the models to it).
_COLUMNS = """
SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = current_schema() AND data_type = 'bytea' AND column_name LIKE 'sealed%'
"""
_ANY = "SELECT EXISTS (SELECT 1 FROM {} WHERE {} IS NOT NULL)"


def is_anything_in(database_url: str) -> bool:
    """True where a sealed column of any table holds a value. Raises psycopg.Error when the database cannot be read."""
    with psycopg.connect(database_url, connect_timeout=10) as connection:
        columns = connection.execute(_COLUMNS).fetchall()
        return any(_holds_something(connection, table, column) for table, column in columns)


def _holds_something(connection: psycopg.Connection[tuple[object, ...]], table: str, column: str) -> bool:
    query = sql.SQL(_ANY).format(sql.Identifier(table), sql.Identifier(column))
    found = connection.execute(query).fetchone()
    return bool(found and found[0])
