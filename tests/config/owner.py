"""A process that owns embedded servers, for tests that kill it: `python -m tests.config.owner DIRECTORY [stubborn]`.

Prints one JSON line when its children run: {"pids": [...], "database_url": ..., "redis_url": ...}; then waits."""

import json
import signal
import sys
import time
from pathlib import Path

from config.embedded import NotStartedError
from config.embedded.postgres import Postgres
from config.embedded.processes import Program, Supervisor
from config.embedded.state import State
from config.embedded.valkey import Valkey

#: A child that cannot be asked to end, with a child of its own.
STUBBORN = "trap '' TERM INT; sleep 600 & while true; do sleep 1; done"


def main(directory: Path, stubborn: bool) -> None:
    state = State(directory)
    supervisor = Supervisor(lambda all_: state.watch_over([(c.process.pid, c.program.stop_signal) for c in all_]))
    postgres = Postgres(directory / "postgres", directory / "log" / "postgres.log")
    valkey = Valkey(directory / "valkey", directory / "log" / "valkey.log")
    supervisor.begin(postgres.program(), valkey.program())
    if stubborn:
        supervisor.begin(Program("stubborn", ["/bin/sh", "-c", STUBBORN], directory / "log" / "stubborn.log"))
    supervisor.await_ready()
    postgres.provision("sidebar")
    pids = [child.process.pid for child in supervisor.children]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job starts with it ignored
    facts = {"pids": pids, "database_url": postgres.url("sidebar"), "redis_url": valkey.url()}
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()
    try:
        time.sleep(300)
    finally:
        supervisor.stop()
        state.release()


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), "stubborn" in sys.argv[2:])
    except NotStartedError as reason:
        sys.exit(str(reason))
