"""`manage.py after_restore`: hold every restored grant suspect; with --list only name who has something to do."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from vault import suspicion
from vault.models import Connection, State


class Command(BaseCommand):
    help = "Run it after the database was restored from a backup, before anything else starts."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--list", action="store_true", help="change nothing; name the people concerned")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["list"]:
            self._suspect()
        for row in suspicion.concerned():
            must = "has to connect again" if row.state == State.NEEDS_RECONNECT else "is being tried"
            self._name(row, must)
        for row in suspicion.perhaps_ended():
            self._name(row, "is in use; who had ended it since the backup has to end it again")

    def _name(self, row: Connection, what: str) -> None:
        self.stdout.write(f"{row.organization.name}: {row.member.name or row.member.pk}, {row.provider}: {what}")

    def _suspect(self) -> None:
        if suspicion.look():  # the marks have shown it already
            self.stdout.write("The database is older than its marks.")
            return
        with transaction.atomic():
            count = suspicion.suspect_all()
        self.stdout.write(f"Grants held suspect: {count}")
