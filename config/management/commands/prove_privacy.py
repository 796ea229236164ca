"""`manage.py prove_privacy`: nothing of a mail stays with us, looked for in all that a product keeps (C61).

Changes nothing that anybody uses. manage.py starts the product to look at (config.privacy.throw_away)."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.embedded import state
from config.privacy import places, proving, throw_away
from organizations import certificate
from organizations.privacy.canaries import TooShort
from organizations.privacy.report import Proof, as_page


class Command(BaseCommand):
    help = (
        "Start a whole product of its own beside simulated providers, send texts that stand nowhere else through it, "
        "look for them in everything that it keeps, and report what was looked at, signed with SIGNING_KEY. With "
        "--running: look through the product that these settings are of, for the texts given on standard input."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            throw_away.RUNNING,
            action="store_true",
            help="examine a running product; the texts to look for come on standard input, one a line",
        )
        parser.add_argument("--report", type=Path, help="where to write it (.local/privacy/<time>.json, and .md)")
        running = parser.add_argument_group("with --running, what the settings do not say")
        running.add_argument("--logs", type=Path, action="append", default=[], help="a folder of logs")
        running.add_argument("--temporary", type=Path, action="append", default=[], help="instead of /tmp and the like")
        running.add_argument("--postgres-files", type=Path, help="data directory of PostgreSQL")
        running.add_argument("--valkey-files", type=Path, help="folder of Valkey")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            certificate.public_key()
        except certificate.NoSigningKey as error:
            raise CommandError(str(error)) from None
        self._tell(self._examined(options) if options["running"] else self._proved(), options["report"])

    def _proved(self) -> Proof:
        if throw_away.current is None:
            raise CommandError("Run it as `python manage.py prove_privacy`, which starts the product to look at.")
        return proving.prove(throw_away.current, self._say)

    def _examined(self, options: dict[str, Any]) -> Proof:
        texts = [line.strip() for line in sys.stdin if line.strip()]
        if not texts:
            raise CommandError("Give the texts to look for on standard input, one a line.")
        named = places.Named(options["logs"], options["temporary"], options["postgres_files"], options["valkey_files"])
        try:
            return proving.examine(places.of_installation(named), texts, self._say)
        except TooShort as error:
            raise CommandError(str(error)) from None

    def _say(self, line: str) -> None:
        self.stderr.write(line, style_func=str)

    def _tell(self, proof: Proof, path: Path | None) -> None:
        document = certificate.sign(proof.content())
        page = as_page(document["certificate"])
        path = path or state.DEFAULT / "privacy" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
        certificate.write(path, document)
        path.with_suffix(".md").write_text(page, encoding="utf-8")
        self.stdout.write(page)
        self.stdout.write(f"Signed: {path}. Verify it with: manage.py verify_certificate {path}")
        if not proof.is_good:
            raise CommandError("Something was found, or could not be proved; see the report.")
