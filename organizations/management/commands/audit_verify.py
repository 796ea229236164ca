"""`manage.py audit_verify`: walk every organization's audit chain and name the first bad row. Changes nothing."""

from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from organizations import audit, audit_heads, certificate


class Command(BaseCommand):
    help = "Verify the audit chain of every organization (or of one); exit code 1 when a row was tampered with."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", type=UUID, help="only this organization's id")
        parser.add_argument("--heads", type=Path, help="a file with log lines of sidebar.audit.heads, kept elsewhere")
        parser.add_argument("--public-key", default="", help="with --heads: base64; our own SIGNING_KEY's if left out")

    def handle(self, *args: Any, **options: Any) -> None:
        only = options["organization"]
        chosen = [only] if only else audit.organization_ids()
        bad = [found for found in map(audit.verify, chosen) if found]
        for found in bad:
            self.stdout.write(f"{_named(found.organization_id)}: row {found.sequence} {found.reason}")
        if bad:
            raise CommandError(f"{len(bad)} of {len(chosen)} audit chains are broken.", returncode=1)
        self.stdout.write(f"{len(chosen)} audit chains are whole.")
        if options["heads"]:
            self._compare(options["heads"], options["public_key"] or _own_key(), only)

    def _compare(self, path: Path, key: str, only: UUID | None) -> None:
        """Names the first of each kind: an old harmless one must not hide what came later."""
        count, firsts = 0, dict[tuple[str, str], audit_heads.Disagreement]()
        with path.open(encoding="utf-8", errors="replace") as lines:
            for found in audit_heads.compare(lines, key, only):
                count += 1
                if found:
                    firsts.setdefault((found.organization_id, found.reason), found)
        for each in firsts.values():
            self.stdout.write(f"{_named(each.organization_id)}: head {each.sequence} of {each.at} {each.reason}")
        if not count:
            raise CommandError("The file holds no head.", returncode=1)
        if firsts:
            chains = len({name for name, _ in firsts})
            raise CommandError(f"{chains} audit chains do not agree with their heads.", returncode=1)
        self.stdout.write(f"{count} heads agree.")


def _named(organization_id: UUID | str) -> str:
    return "the installation" if str(organization_id) == str(audit.INSTALLATION) else f"organization {organization_id}"


def _own_key() -> str:
    try:
        return certificate.public_key()
    except certificate.NoSigningKey:
        return ""
