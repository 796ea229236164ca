"""`manage.py audit_verify`: walk every organization's audit chain and name the first bad row. Changes nothing."""

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from organizations import audit


class Command(BaseCommand):
    help = "Verify the audit chain of every organization (or of one); exit code 1 when a row was tampered with."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", type=UUID, help="only this organization's id")

    def handle(self, *args: Any, **options: Any) -> None:
        only = options["organization"]
        chosen = [only] if only else audit.organization_ids()
        bad = [found for found in map(audit.verify, chosen) if found]
        for found in bad:
            whose = f"organization {found.organization_id}"
            name = "the installation" if found.organization_id == audit.INSTALLATION else whose
            self.stdout.write(f"{name}: row {found.sequence} {found.reason}")
        if bad:
            raise CommandError(f"{len(bad)} of {len(chosen)} audit chains are broken.", returncode=1)
        self.stdout.write(f"{len(chosen)} audit chains are whole.")
