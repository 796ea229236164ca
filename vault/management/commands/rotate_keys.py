"""`manage.py rotate_keys`: wrap data keys under the first key of VAULT_KEK; with --data-keys, seal everything anew."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from providers.errors import Transient
from vault import rotation
from vault.errors import VaultError


class Command(BaseCommand):
    help = "Rotates keys while everything runs. Put the new key first in VAULT_KEK on every process, then run this."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--data-keys", action="store_true", help="also make new data keys and seal everything anew")

    def handle(self, *args: Any, **options: Any) -> None:
        self._told_at = time.monotonic()
        try:
            self._rotate(new_data_keys=options["data_keys"])
        except (VaultError, Transient) as error:
            raise CommandError(f"{error} Run it again then: it goes on where it was.") from None

    def _rotate(self, *, new_data_keys: bool) -> None:
        if orphans := rotation.drop_orphans():
            self.stdout.write(f"Data keys deleted whose organization is not here: {orphans}")
        retired = rotation.retire()
        self.stdout.write(f"Data keys wrapped anew: {rotation.rewrap(self._tell)}")
        if new_data_keys:
            self.stdout.write(f"New data keys: {rotation.new_data_keys(self._tell)}")
        resealed = rotation.reseal(self._tell)
        self.stdout.write(f"Values sealed anew: {resealed.done}")
        if resealed.damaged:
            self.stdout.write(f"Values that do not open, and were left as they are: {len(resealed.damaged)}")
        retired += rotation.retire()
        self.stdout.write(f"Old data keys deleted: {retired} (an hour after their successor came, at the earliest)")
        for kek_id in rotation.unused_keks():
            self.stdout.write(f"Nothing is wrapped under '{kek_id}' any more; keep it offline while a backup needs it.")

    def _tell(self, what: str, count: int) -> None:
        """Progress, about once a second."""
        if time.monotonic() - self._told_at >= 1.0:
            self._told_at = time.monotonic()
            self.stderr.write(f"{what}: {count:,}")
