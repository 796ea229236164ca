"""What every process of ours does first: no core dumps, checked settings, and the epoch poll."""

import gc
import sys
from multiprocessing.util import Finalize

from django.core import checks
from django.db import Error as DatabaseTrouble

from config.hardening import harden
from config.logging import Line


def refuse_bad_configuration() -> None:
    """Print each failed system check as a line and leave: better not started than started wrong."""
    failed = [message for message in checks.run_checks() if message.is_serious()]
    for message in failed:
        print(f"Not started: {message.msg} {message.hint or ''}".strip(), file=sys.stderr)  # noqa: T201
    if failed:
        raise SystemExit(3)


def start(role: str) -> None:
    """For web and worker processes, after Django's set-up. `role` is what the others call this process.

    Raises SystemExit, with one line, for whatever goes wrong: Celery logs an exception of its signals and goes on, and
    a worker that is started by half checks no key, notices no restore and hears of no revocation."""
    try:
        _start(role)
    except Exception as error:  # noqa: BLE001  whoever looks after this process starts it again
        raise SystemExit(f"Not started: {_told(error)}") from None


def _told(error: Exception) -> str:
    """What failed, never its text, which may quote an address or a row."""
    if isinstance(error, DatabaseTrouble):
        kind = type(error).__name__
        return f"the database or the key store is away, refuses us, or is not migrated ({kind})."
    return Line().formatException((type(error), error, error.__traceback__))


def _start(role: str) -> None:
    from organizations import epochs
    from vault import clock, heartbeat, suspicion, underway, upkeep
    from vault.checks import refuse_wrong_key
    from vault.clients import warm_up

    harden()
    refuse_bad_configuration()
    refuse_wrong_key()
    suspicion.look()
    upkeep.import_spool()  # before anybody asks; no reason not to start where it fails
    clock.warn()
    Finalize(None, underway.renewals.drain, exitpriority=100)  # also where a worker of granian leaves by os._exit
    warm_up()
    epochs.start_polling()
    heartbeat.start(role)
    gc.collect()
    gc.freeze()  # what start-up made stays; the collector need not walk it again and again
