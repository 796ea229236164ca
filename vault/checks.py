"""Start-up guards of the vault: without a usable key nothing is sealed, so nothing may start."""

import logging
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from providers.errors import Transient
from vault import kek, keys
from vault.errors import KekUnusable

log = logging.getLogger("sidebar.vault")


@register()
def vault_key_is_usable(**_: Any) -> list[CheckMessage]:
    """Form only; that it is the *right* key is `vault.keys.verify_kek`, which needs the database."""
    try:
        kek.current()
    except KekUnusable as error:
        return [Error(str(error), id="vault.E001")]
    return []


def kept_unwisely() -> Iterator[tuple[str, str]]:
    """What is wrong with where the key is kept, and what to do. Allowed, so no check: the log and `doctor` say it.

    A key in the environment can be read in /proc and is handed to every child; on a developer's machine, let it."""
    if settings.IS_LOOPBACK:
        return
    if settings.VAULT_KEK and not settings.VAULT_KEK_FILE and not kek.is_only_an_address(settings.VAULT_KEK):
        message = "VAULT_KEK is a plain environment variable, which every child process inherits."
        yield message, "Put it into a file of mode 0400 and set VAULT_KEK_FILE."
    for name in ("VAULT_KEK_FILE", "VAULT_KEK_TOKEN_FILE"):
        if _is_open_to_others(getattr(settings, name)):
            message = f"The file named by {name} can be read or written by every user of this machine."
            yield message, "chmod 0400, owned by the service user."


def _is_open_to_others(path: str) -> bool:
    try:
        return bool(path) and bool(Path(path).stat().st_mode & (stat.S_IROTH | stat.S_IWOTH))
    except OSError:
        return False  # reading it says so, in its own words


def refuse_wrong_key() -> None:
    """At process start: leave with one line when the key is not the one that the stored rows were sealed with (V17)."""
    try:
        keys.verify_kek()
    except (KekUnusable, Transient) as error:
        raise SystemExit(f"Not started: {error}") from None
    for message, advice in kept_unwisely():
        log.warning("%s %s", message, advice)
