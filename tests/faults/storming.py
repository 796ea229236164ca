"""A process of ours full of callers who all want the same expired token: `python -m tests.faults.storming FIRST COUNT`.

Dies by its own -9 at the moment that the folder of kills asks for: before the provider call, rotated (the answer is
here, nothing is committed), kept (the raw answer is committed) or settled. Writes one line per answered caller."""

import hashlib
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

#: How many times one caller is told to come back before he gives up.
ASKS = 100


def main(first: int, count: int) -> None:
    import django

    django.setup()
    from config import process
    from vault import renewal

    process.start("web")
    renewal.LEASE = timedelta(seconds=float(os.environ["LEASE"]))
    _die_where_asked(Path(os.environ["KILLS"]))
    threading.stack_size(512 * 1024)
    sys.setswitchinterval(0.1)  # else a thousand threads that wait for the interpreter each ask 200 times a second
    answers = os.open(os.environ["ANSWERS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    go = threading.Event()
    threads = [threading.Thread(target=_call, args=(number, answers, go)) for number in range(first, first + count)]
    for thread in threads:  # all before anybody asks: a thousand starts take as long as what is measured
        thread.start()
    Path(os.environ["READY"], str(os.getpid())).touch()
    while not Path(os.environ["READY"], "go").exists():
        time.sleep(0.01)
    go.set()
    for thread in threads:
        thread.join()
    os._exit(0)  # nothing left to drain


def _call(number: int, answers: int, go: threading.Event) -> None:
    """One caller: asks, comes back when told to, and writes down what came of it."""
    from django.db import OperationalError, connections

    from providers.base import Secret
    from providers.errors import NeedsReconnect, Transient
    from vault.tokens import ConnectionTokens

    source = ConnectionTokens(UUID(os.environ["CONNECTION"]), "storm")
    worst, told, outcome = 0.0, 0, "gave up"
    go.wait()
    for _ in range(ASKS):
        began, wait = time.monotonic(), 2.0
        try:
            token = source.access(rejected=Secret(os.environ["REJECTED"])).token.reveal()
            outcome = hashlib.sha256(token.encode()).hexdigest()
        except NeedsReconnect as error:
            outcome = f"dead: {error}"
        except Transient as error:
            wait, outcome = error.retry_after or wait, ""
        except OperationalError:  # config.errors answers 503 with Retry-After
            outcome = ""
        except Exception as error:  # noqa: BLE001  the test looks at it
            outcome = f"error: {type(error).__name__}"
        finally:
            connections.close_all()
        worst = max(worst, time.monotonic() - began)
        if outcome:
            break
        told += 1
        time.sleep(min(wait, 5.0) * random.uniform(1.0, 1.5))
    os.write(answers, f"{number}\t{worst:.3f}\t{told}\t{outcome}\n".encode())


def _die_where_asked(kills: Path) -> None:
    from vault import answers, dialects, settling

    def dying(moment: str, work: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            result = work(*args, **kwargs) if after else None
            if _is_asked_for(kills, moment):
                os.kill(os.getpid(), signal.SIGKILL)
            return result if after else work(*args, **kwargs)

        return wrapped

    dialects.refresh = dying("before", dialects.refresh, after=False)
    answers.keep = dying("kept", dying("rotated", answers.keep, after=False), after=True)
    settling.settle = dying("settled", settling.settle, after=True)


def _is_asked_for(kills: Path, moment: str) -> bool:
    """The first who takes a kill of this moment away dies of it."""
    for kill in sorted(kills.glob(f"*.{moment}")):
        try:
            kill.unlink()
        except FileNotFoundError:
            continue
        return True
    return False


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
