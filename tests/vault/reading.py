"""A process of ours that opens credentials without pause: `python -m tests.vault.reading`, until its input is closed.

Every fiftieth time it stores a renewed grant instead. Prints `reading`, then JSON: reads, failures, p50 and p99 in
milliseconds, and how many generations it stored."""

import json
import random
import sys
import threading
import time
from collections import Counter
from typing import Any
from uuid import UUID

RENEW_EVERY = 50


class Reader:
    def __init__(self, ids: list[UUID]) -> None:
        self.ids, self.latencies, self.failures, self.renewed = ids, list[float](), Counter[str](), 0

    def run(self, stopped: threading.Event) -> None:
        turn = 0
        while not stopped.is_set():
            turn += 1
            began = time.perf_counter()
            try:
                self._renew() if turn % RENEW_EVERY == 0 else self._read()
            except Exception as error:  # noqa: BLE001  what it is, is the result
                self.failures[type(error).__name__] += 1
            else:
                self.latencies.append((time.perf_counter() - began) * 1_000)

    def _read(self) -> None:
        from vault import grants
        from vault.models import Connection

        grants.load(Connection.objects.get(pk=random.choice(self.ids)))

    def _renew(self) -> None:
        """As the vault does at the end of a renewal, under the row's lock."""
        from django.db import transaction

        from organizations import audit
        from tests.vault.many import a_grant
        from vault import grants
        from vault.models import Connection

        with transaction.atomic():
            row = Connection.objects.select_for_update().get(pk=random.choice(self.ids))
            old = grants.load(row)
            grants.store(row, a_grant(old.id))
            audit.record(row.organization_id, "task:renewal", "token.renewed", row.pk, generation=row.generation)
        self.renewed += 1

    def report(self) -> dict[str, Any]:
        ordered = sorted(self.latencies) or [float("nan")]
        middle, late = ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
        return {
            "reads": len(self.latencies),
            "failures": dict(self.failures),
            "p50": middle,
            "p99": late,
            "renewed": self.renewed,
        }


def main() -> None:
    import django

    django.setup()
    from vault.models import Connection

    reader, stopped = Reader(list(Connection.objects.values_list("pk", flat=True))), threading.Event()
    thread = threading.Thread(target=reader.run, args=[stopped])
    thread.start()
    print("reading", flush=True)  # noqa: T201
    sys.stdin.read()
    stopped.set()
    thread.join()
    print(json.dumps(reader.report()), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
