"""Start-up guards of the vault: without a usable key nothing is sealed, so nothing may start."""

from typing import Any

from django.core.checks import CheckMessage, Error, register

from vault import kek
from vault.errors import KekUnusable


@register()
def vault_key_is_usable(**_: Any) -> list[CheckMessage]:
    """Form only; that it is the *right* key is `vault.keys.verify_kek`, which needs the database."""
    try:
        kek.current()
    except KekUnusable as error:
        return [Error(str(error), id="vault.E001")]
    return []
