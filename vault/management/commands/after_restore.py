"""`manage.py after_restore`: hold every restored grant suspect; with --list only name who has to connect again."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from vault import suspicion
from vault.models import State


class Command(BaseCommand):
    help = "Run it after the database was restored from a backup, before anything else starts."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--list", action="store_true", help="change nothing; name the people concerned")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["list"]:
            self._suspect()
        for row in suspicion.concerned():
            must = "has to connect again" if row.state == State.NEEDS_RECONNECT else "is being tried"
            self.stdout.write(f"{row.organization.name}: {row.member.name or row.member.pk}, {row.provider}: {must}")

    def _suspect(self) -> None:
        if suspicion.look():  # the marks have shown it already
            self.stdout.write("The database is older than its marks.")
            return
        with transaction.atomic():
            count = suspicion.suspect_all()
        self.stdout.write(f"Grants held suspect: {count}")
