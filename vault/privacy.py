"""Where the vault keeps anything outside the databases: the spool of sealed answers. Opens none of them."""

from collections.abc import Iterable
from pathlib import Path

from django.conf import settings

from organizations.privacy.stores import Folder, Store
from organizations.registries import privacy_probes


@privacy_probes.register("vault")
def stores() -> Iterable[Store]:
    name = "sealed answers of providers that wait for the database"
    return [Folder(name, Path(settings.VAULT_SPOOL_DIR), may_be_missing=True)]
