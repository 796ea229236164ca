"""After a test that commits: what is left in the databases, and whether a straggler is waited for."""

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections

from organizations.models import Member
from tests.organizations import people
from vault import keys

BOTH = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def flush() -> None:
    for alias in connections:
        call_command("flush", database=alias, interactive=False, verbosity=0)


def rows() -> dict[str, int]:
    """Of each table that has any, in both databases."""
    found = {}
    for alias in connections:
        tables = connections[alias].introspection.django_table_names(only_existing=True)
        with connections[alias].cursor() as cursor:
            for table in tables:
                cursor.execute(f'SELECT count(*) FROM "{table}"')  # noqa: S608  names of our own tables
                found[f"{alias}.{table}"] = cursor.fetchone()[0]
    return {table: count for table, count in found.items() if count}


@BOTH
def test_nothing_is_left_but_what_every_database_is_made_with() -> None:
    keys.verify_kek()
    people.add_in()
    people.everybody()
    assert len(rows()) > 4
    flush()
    assert rows() == {"default.organizations_application": 1}


@BOTH
def test_who_still_writes_is_waited_for() -> None:
    people.everybody()
    with psycopg.connect(**connection.get_connection_params()) as straggler:
        straggler.execute("LOCK TABLE organizations_member IN ROW EXCLUSIVE MODE")  # as whoever writes a row of it
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
        with pytest.raises(CommandError):
            flush()
    with connection.cursor() as cursor:
        cursor.execute("RESET lock_timeout")
    flush()
    assert not Member.objects.exists()
