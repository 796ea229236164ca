"""Makes emptying the databases after a test that commits cost what the test wrote, not what there are tables.

Changes Django's `flush` for tests; what is empty afterwards, and whom it waits for, stays the same."""

from collections.abc import Sequence
from typing import Any

from django.contrib.auth.management import create_permissions
from django.contrib.contenttypes.management import create_contenttypes
from django.db.backends.postgresql.operations import DatabaseOperations
from django.db.models.signals import post_migrate

_PERMISSIONS = "django.contrib.auth.management.create_permissions"


def by_what_was_written() -> None:
    """For the rest of this process."""
    post_migrate.disconnect(create_contenttypes)  # the product asks for neither, and each flush made them anew
    post_migrate.disconnect(create_permissions, dispatch_uid=_PERMISSIONS)
    DatabaseOperations.sql_flush = _deletes  # type: ignore[assignment,method-assign]


def _deletes(operations: DatabaseOperations, style: Any, tables: Sequence[str], **_: Any) -> list[str]:
    """TRUNCATE makes new files for every table, the empty ones too. Like it, this waits for whoever still writes."""
    if not tables:
        return []
    names = [operations.quote_name(table) for table in tables]
    waits = f"LOCK TABLE {', '.join(names)} IN EXCLUSIVE MODE"
    deletes = (f"DELETE FROM {name}" for name in names)  # noqa: S608  names of our own tables, quoted
    return ["; ".join([waits, "SET CONSTRAINTS ALL DEFERRED", *deletes])]
