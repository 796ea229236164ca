"""`python -m tests.sync.soak.hasty --port 0 --state DIR`: as config.run, with a worker that waits less for the dead.

For a run of a minute: leases, holds and waits after a failure are shorter, each in the same proportion to the others.
With `worker` as the first argument it is that worker, and takes Celery's arguments."""

import os
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

#: As many times shorter.
HASTE = 10


def main() -> int:
    if sys.argv[1:2] == ["worker"]:
        return _worker()
    from config import run
    from config.embedded import product
    from config.embedded.processes import Program

    made = product.worker

    def hasty(state: Path, log: Path, environment: Mapping[str, str]) -> Program:
        program = made(state, log, environment)
        at = program.command.index("celery")
        program.command[at : at + 1] = [__spec__.name, "worker"]
        return program

    product.worker = hasty
    return run.main()


def _worker() -> int:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    _make_haste()
    from celery.__main__ import main as celery

    sys.argv = ["celery", *sys.argv[2:]]
    celery()
    return 0


def _make_haste() -> None:
    from sync import holds, jobs, ledger, resync, retries, schedule, sweep

    back_off = retries.back_off
    retries.back_off = lambda *given: back_off(*given) / HASTE

    for module, names in (
        (holds, ("HOLD", "BEAT")),
        (jobs, ("LEASE", "PUT_OFF")),
        (ledger, ("CLAIM",)),
        (resync, ("EVERY",)),
        (sweep, ("PATIENCE",)),
    ):
        for name in names:
            setattr(module, name, getattr(module, name) / HASTE)
    ledger.FIRST_WRITERS, ledger.ASKERS = ledger.FIRST_WRITERS / HASTE / HASTE, ledger.ASKERS / HASTE / HASTE
    jobs.SET_ASIDE = tuple(each / HASTE / HASTE for each in jobs.SET_ASIDE)  # type: ignore[assignment]
    schedule.BEAT["sync-look-around"]["schedule"] = timedelta(seconds=30 / HASTE)
    schedule.BEAT["sync-follow-settings"]["schedule"] = timedelta(seconds=30 / HASTE)


if __name__ == "__main__":
    sys.exit(main())
