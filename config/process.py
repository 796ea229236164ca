"""What every process of ours does first: no core dumps, checked settings, and the epoch poll."""

import ctypes
import gc
import resource
import sys
from multiprocessing.util import Finalize

from django.core import checks

PR_SET_DUMPABLE = 4


def harden() -> None:
    """Keep cached cards and tokens out of core files and away from other processes of the same user (C57)."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def refuse_bad_configuration() -> None:
    """Print each failed system check as a line and leave: better not started than started wrong."""
    failed = [message for message in checks.run_checks() if message.is_serious()]
    for message in failed:
        print(f"Not started: {message.msg} {message.hint or ''}".strip(), file=sys.stderr)  # noqa: T201
    if failed:
        raise SystemExit(3)


def start(role: str) -> None:
    """For web and worker processes, after Django's set-up. `role` is what the others call this process."""
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
