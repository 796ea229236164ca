"""What every process of ours does first: no core dumps, checked settings, and the epoch poll."""

import ctypes
import gc
import logging
import resource
import sys
from multiprocessing.util import Finalize

from django.core import checks

log = logging.getLogger("sidebar.vault")

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


def _import_spool() -> None:
    """What an outage has left on this host's disk (docs/vault.md 6). No reason not to start: the sweep tries again."""
    from vault import answers

    try:
        answers.import_spool()
    except Exception as error:  # noqa: BLE001  told by its name only, since it may quote what it stumbled over
        log.warning("the answers that wait on this disk could not be taken over yet: %s", type(error).__name__)


def start(role: str) -> None:
    """For web and worker processes, after Django's set-up. `role` is what the others call this process."""
    from organizations import epochs
    from vault import clock, heartbeat, suspicion, underway
    from vault.checks import refuse_wrong_key
    from vault.clients import warm_up

    harden()
    refuse_bad_configuration()
    refuse_wrong_key()
    suspicion.look()
    _import_spool()
    clock.warn()
    Finalize(None, underway.renewals.drain, exitpriority=100)  # also where a worker of granian leaves by os._exit
    warm_up()
    epochs.start_polling()
    heartbeat.start(role)
    gc.collect()
    gc.freeze()  # what start-up made stays; the collector need not walk it again and again
