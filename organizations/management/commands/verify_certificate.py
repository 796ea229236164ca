"""`manage.py verify_certificate FILE`: whether a certificate of destruction, or a report of `prove_privacy`, is as we
signed it. Changes nothing."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from organizations import certificate
from organizations.privacy import report


class Command(BaseCommand):
    help = (
        "Verify a certificate of destruction or a report of prove_privacy; without a file, print the public key that "
        "others verify with."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", type=Path)
        parser.add_argument("--public-key", default="", help="base64; the one of our own SIGNING_KEY when left out")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            key = options["public_key"] or certificate.public_key()
        except certificate.NoSigningKey as error:
            raise CommandError(f"{error} Or give the --public-key.") from None
        if options["file"] is None:
            self.stdout.write(key)
            return
        try:
            content = certificate.verify(certificate.read(options["file"]), key)
        except certificate.CertificateInvalid as error:
            raise CommandError(str(error)) from None
        if content.get("kind") == report.KIND:
            self.stdout.write(f"Good: a report on {content['subject']}, {content['ended_at']}: {content['verdict']}.")
            return
        if "finished_at" not in content:  # the head of an audit log, say, which the same key signs
            raise CommandError("This is not a certificate of destruction.")
        self.stdout.write(
            f"Good: organization {content['organization_id']} was destroyed, finished at {content['finished_at']}."
        )
