"""What a running product holds, opened: `python -m tests.faults.revealed` in its environment prints a line for each
secret, what it is and its bytes in base64.

For the scan that looks for them elsewhere. Reads what the vault seals and its settings; calls nobody."""

import base64
import os
import sys
from collections.abc import Iterator

SETTINGS = ("SECRET_KEY", "AUDIT_KEY", "SIGNING_KEY", "VAULT_KEK", "TRACKING_KEY")


def main() -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    for name, secret in (*_settings(), *_of_tracking(), *_data_keys(), *_sealed()):
        sys.stdout.write(f"{name}\t{base64.b64encode(secret).decode()}\n")


def _settings() -> Iterator[tuple[str, bytes]]:
    """Keys as they are written down; the bytes that they stand for follow from that."""
    from django.conf import settings

    for name in SETTINGS:
        yield name, getattr(settings, name).rpartition(":")[2].encode()
    for provider in ("salesforce", "google", "microsoft"):
        yield f"{provider} client_secret", getattr(settings, f"{provider.upper()}_CLIENT_SECRET").encode()


def _of_tracking() -> Iterator[tuple[str, bytes]]:
    """What TRACKING_KEY stands for seals tokens; batches have keys that follow from it."""
    from django.conf import settings

    from tracking.hot import boxes
    from tracking.hot.tokens import read_keys

    for key in read_keys(settings.TRACKING_KEY):
        for purpose in (b"hits in batches", b"the day's public key"):
            yield "key of tracking's", boxes._derived(key, purpose)


def _data_keys() -> Iterator[tuple[str, bytes]]:
    from vault import kek, keys
    from vault.models import DataKey
    from vault.routers import KEY_STORE

    for row in DataKey.objects.using(KEY_STORE):
        aad = keys.wrapping_aad(row.id, row.organization_id)
        yield "data key", kek.current().unwrap(bytes(row.wrapped), aad, row.kek_id)


def _sealed() -> Iterator[tuple[str, bytes]]:
    from tests.faults import evidence

    for each in evidence.stored():
        provider = each.place.provider.partition(" ")[0]
        for name in ("refresh_token", "access_token", "code_verifier"):
            if token := each.token(name):
                yield f"{provider} {name}".strip(), token.encode()
        if each.place.table == "vault_clientregistration" and each.opened:
            yield f"{provider} own client_secret", each.opened
        if each.place.table == "vault_daykey" and each.opened:
            yield "private half of a day", each.opened


if __name__ == "__main__":
    main()
