"""Whoever has everything that is kept: `python -m tests.tracking.burglar ENTRIES DATABASE NOW`, in the environment of a
product, tries to read who asked out of the entries in that file, has the product end the days that are over by NOW, and
tries again with the old database beside today's key store. Prints a line of JSON for each time:

hits: how many there are; who: what could be read of who asked; wrapped: day -> its data key, as the key store has it,
in hex; forced: how many days' private halves any other data key opens."""

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any


def main() -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from tracking import publishing

    entries, database, now = Path(sys.argv[1]), sys.argv[2], datetime.fromisoformat(sys.argv[3])
    _tell(entries)
    publishing.end_days(now)
    _turn_to(database)
    _tell(entries)


def _turn_to(database: str) -> None:
    """And know nothing any more of what was read before."""
    from django.db import connection

    from vault import keys

    connection.close()
    connection.settings_dict["NAME"] = database
    keys.forget_all()


def _tell(entries: Path) -> None:
    from vault.models import DayKey

    hits, days = list(_hits(entries)), list(DayKey.objects.all())
    told = {"hits": len({hit.id for hit in hits}), "who": [hit.who for hit in hits if hit.who]}
    sys.stdout.write(json.dumps({**told, "wrapped": dict(_wrapped(days)), "forced": sum(map(_forced, days))}) + "\n")


def _hits(path: Path) -> Any:
    """As the worker opens them."""
    from django.conf import settings

    from tracking import drain
    from tracking.hot.boxes import BatchBox
    from tracking.hot.hits import unpacked
    from tracking.hot.tokens import read_keys

    box = BatchBox(read_keys(settings.TRACKING_KEY))
    for kept in json.loads(path.read_text()):
        entry = {name.encode(): bytes.fromhex(value) for name, value in kept.items()}
        yield from unpacked(entry, box, drain._opening(entry.get(b"d", b"")))


def _wrapped(days: Any) -> Any:
    from vault.models import DataKey

    for day in days:
        for row in DataKey.objects.using("keys").filter(organization_id=day.pk):
            yield day.day.isoformat(), bytes(row.wrapped).hex()


def _forced(day: Any) -> int:
    """With each data key that is left, as if the value named it."""
    from vault import cipher, days, keys
    from vault.errors import TokenTampered
    from vault.models import DataKey

    opened = 0
    for row in DataKey.objects.using("keys").exclude(organization_id=day.pk):
        value = bytes(day.sealed_private)
        try:
            cipher.unseal(value[:4] + row.id.bytes + value[20:], days._place(day), keys.opened(row))
        except TokenTampered:
            continue
        opened += 1
    return opened


if __name__ == "__main__":
    main()
