"""Which live processes hold which key: what decides under which key data keys may be wrapped (V16, I9).

Reads the rows that `heartbeat.py` writes. Under a key that one process lacks, nothing may be made that it must open."""

from datetime import timedelta

from django.db.models import ExpressionWrapper, F, FloatField, QuerySet
from django.db.models.functions import Extract, Now

from vault.errors import KekUnusable
from vault.kek import KekProvider
from vault.models import LiveProcess

#: A process that has not been heard of for so long is taken for dead. It writes every ten seconds.
ALIVE = timedelta(seconds=60)


def living() -> QuerySet[LiveProcess]:
    return LiveProcess.objects.filter(seen_at__gt=Now() - ALIVE)


def lacking(kek_id: str) -> list[str]:
    """The live processes that cannot unwrap under this key, in words."""
    silent = ExpressionWrapper(Extract(Now() - F("seen_at"), "epoch"), output_field=FloatField())
    rows = living().annotate(silent=silent).order_by("name").values_list("name", "kek_ids", "silent")
    return [f"{name} (heard of {silent:.0f} s ago)" for name, ids, silent in rows if kek_id not in ids]


def require_everywhere(kek_id: str) -> None:
    """Raises KekUnusable, naming the processes, unless every live one can unwrap under this key."""
    without = lacking(kek_id)
    if without:
        raise KekUnusable(
            f"Not every process holds the key '{kek_id}'. Without it: {', '.join(without)}. Give it to them and "
            f"restart them; one that has ended is forgotten after {ALIVE.seconds} seconds. Nothing was changed."
        )


def wrapping_id(provider: KekProvider) -> str:
    """The key to wrap a new data key under: the first of ours that every live process holds too. So a key put first in
    one process is not used before the last process has it.

    A process that has not yet seen its keys (its key service is away) says nothing about them. Raises KekUnusable where
    there is no key that all others hold: what one wrapped, another could not open."""
    held = [set(ids) for ids in living().values_list("kek_ids", flat=True) if ids]
    for kek_id in provider.ids():
        if all(kek_id in each for each in held):
            return kek_id
    without = ", ".join(lacking(provider.current_id()))
    raise KekUnusable(f"No key of VAULT_KEK is held by every process. Without our first one: {without}.")
