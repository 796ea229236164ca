"""`manage.py destroy_organization`: ends an organization for good and leaves a signed certificate (C37)."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from organizations import certificate, erasing
from organizations.registries import CannotGoOn

#: Seconds to wait for a provider that confirms nothing, before its grants are named in the certificate as unconfirmed.
PATIENCE = 120.0


class Command(BaseCommand):
    help = (
        "Destroy an organization: its people are locked out at once, grants are revoked at the providers, every row is "
        "deleted, its data keys are shredded, and a signed certificate says so. There is no way back. A run that was "
        "killed goes on where it stopped; give the same id again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organization", help="our id of the organization, or its Salesforce org id")
        parser.add_argument("--dry-run", action="store_true", help="show what would go; change nothing")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument(
            "--certificate", type=Path, help="where to write it beside LOCAL_DIR/certificates/<id>.json"
        )
        parser.add_argument(
            "--keys-are-lost",
            action="store_true",
            help="what no key of ours opens is deleted, though its provider cannot be told; only where none comes back",
        )
        parser.add_argument("--patience", type=float, default=PATIENCE, help="seconds to wait for a silent provider")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            certificate.public_key()  # before anything: what nobody could show to be done is not begun
        except certificate.NoSigningKey as error:
            raise CommandError(f"Nothing was changed. {error}") from None
        try:
            organization_id = _meant(options["organization"], options["certificate"])
        except erasing.NoSuchOrganization as error:
            self._already_destroyed(options, str(error))
            return
        if options["dry_run"]:
            self._show(organization_id)
            return
        if not options["yes"]:
            self._ask(organization_id, options["organization"])
        self._destroy(organization_id, options)

    def _show(self, organization_id: UUID) -> None:
        self.stdout.write("This would be erased (nothing was changed):")
        for room, kinds in erasing.inventory(organization_id).items():
            for kind, number in kinds.items():
                self.stdout.write(f"  {room:<14} {kind:<26} {number:>8}")

    def _ask(self, organization_id: UUID, typed: str) -> None:
        self._show(organization_id)
        try:
            answer = input("This cannot be undone. Type the organization's id again to destroy it: ")
        except EOFError:
            raise CommandError("Nobody is there to ask. Add --yes.") from None
        if answer.strip() != typed:
            raise CommandError("That is another id. Nothing was changed.")

    def _destroy(self, organization_id: UUID, options: dict[str, Any]) -> None:
        path = certificate.folder() / f"{organization_id}.json"
        try:
            document = erasing.destroy(
                organization_id,
                options["patience"],
                lambda step: self.stdout.write(f"{step} ..."),
                keys_are_lost=options["keys_are_lost"],
            )
        except (erasing.NoSuchOrganization, erasing.StillThere, CannotGoOn) as error:
            raise CommandError(str(error)) from None
        for copy in (options["certificate"], path):
            if copy is not None:
                certificate.write(copy, document)
        erasing.forget(organization_id)
        self.stdout.write(json.dumps(document, indent=1, sort_keys=True))
        self.stdout.write(f"Destroyed. The certificate is in {path}; verify it with: manage.py verify_certificate")

    def _already_destroyed(self, options: dict[str, Any], reason: str) -> None:
        """The same command once more, after it has done its work."""
        found = _certified(options["organization"], options["certificate"])
        if found is None:
            raise CommandError(reason)
        self.stdout.write(f"Destroyed already, at {found[1]['finished_at']}. The certificate is in {found[0]}.")


def _meant(typed: str, elsewhere: Path | None) -> UUID:
    """Raises NoSuchOrganization; and CommandError where it could be a successor that nobody has asked to destroy: who
    signs in after a destruction founds a new organization, and Salesforce's id of it is the same."""
    organization_id = erasing.find(typed)
    found = None if erasing.has_begun(organization_id) else _certified(typed, elsewhere)
    if found is None or found[1]["organization_id"] == str(organization_id):
        return organization_id
    raise CommandError(
        f"Nothing was changed. An organization of this id was destroyed at {found[1]['finished_at']} ({found[0]}), and "
        f"another founded since. To destroy that one too, give our id of it: {organization_id}"
    )


def _certified(typed: str, elsewhere: Path | None) -> tuple[Path, dict[str, Any]] | None:
    """The certificate of the organization that was named so, if there is one."""
    for path, content in certificate.kept(certificate.public_key(), [elsewhere] if elsewhere else []):
        if typed in (content["organization_id"], content["salesforce_org_id"], content["salesforce_org_id"][:15]):
            return path, content
    return None
