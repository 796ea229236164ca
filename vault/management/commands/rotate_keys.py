"""`manage.py rotate_keys`: wrap data keys under the first key of VAULT_KEK; with --data-keys, seal everything anew."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from vault import rotation
from vault.errors import VaultError


class Command(BaseCommand):
    help = "Rotates keys while everything runs. Put the new key first in VAULT_KEK on every process, then run this."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--data-keys", action="store_true", help="also make new data keys and seal everything anew")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._rotate(new_data_keys=options["data_keys"])
        except VaultError as error:
            raise CommandError(str(error)) from None

    def _rotate(self, *, new_data_keys: bool) -> None:
        self.stdout.write(f"Data keys wrapped anew: {rotation.rewrap()}")
        if new_data_keys:
            sealed = sum(rotation.renew_data_key(each) for each in rotation.organization_ids())
            self.stdout.write(f"Values sealed anew: {sealed}")
        self.stdout.write(
            f"Old data keys deleted: {rotation.retire()} (an hour after their successor came, at the earliest)"
        )
        for kek_id in rotation.unused_keks():
            self.stdout.write(f"Nothing is wrapped under '{kek_id}' any more; keep it offline while a backup needs it.")
