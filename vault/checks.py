"""Start-up guards of the vault: without a usable key nothing is sealed, so nothing may start."""

from typing import Any

from django.core.checks import CheckMessage, Error, register

from vault import kek, keys
from vault.errors import KekUnusable


@register()
def vault_key_is_usable(**_: Any) -> list[CheckMessage]:
    """Form only; that it is the *right* key is `vault.keys.verify_kek`, which needs the database."""
    try:
        kek.current()
    except KekUnusable as error:
        return [Error(str(error), id="vault.E001")]
    return []


def refuse_wrong_key() -> None:
    """At process start: leave with one line when the key is not the one that the stored rows were sealed with (V17)."""
    try:
        keys.verify_kek()
    except KekUnusable as error:
        raise SystemExit(f"Not started: {error}") from None
