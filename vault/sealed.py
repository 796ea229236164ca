"""Whether a database holds anything sealed; asked before Django is set up, so that no new key is made over it (V17)."""

import psycopg


def is_anything_in(database_url: str) -> bool:
    """True where a credential is sealed there. Raises psycopg.Error when the database cannot be read."""
    with psycopg.connect(database_url, connect_timeout=10) as connection:
        table = connection.execute("SELECT to_regclass('vault_credential')").fetchone()
        found = table and table[0] and connection.execute("SELECT 1 FROM vault_credential LIMIT 1").fetchone()
    return bool(found)
