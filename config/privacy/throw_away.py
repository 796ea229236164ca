"""A whole product in a new folder, as `make run` starts it, for one command; stopped and removed afterwards.

Takes no setting of the operator's but his SIGNING_KEY, and touches nothing that he runs."""

import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config import env
from config.embedded import NotStartedError, product, state
from config.embedded.processes import Program, Supervisor

COMMAND = "prove_privacy"
RUNNING = "--running"
#: Beginnings of the names of what any program needs.
_KEPT = (
    *("PATH", "HOME", "LANG", "LC_", "TZ", "VIRTUAL_ENV", "PYTHON", "LD_LIBRARY_PATH", "SSL_CERT_"),
    "DJANGO_SETTINGS_MODULE",
)


@dataclass(frozen=True)
class Stage:
    """`facts`: run.json of the product; `temporary`: its folder for temporary files; `began`: seconds of the clock."""

    folder: Path
    facts: Mapping[str, Any]
    began: float

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    def pids(self) -> dict[str, int]:
        """As they are now: what died was started again."""
        return dict(json.loads((self.state / "run.json").read_text())["pids"])


#: The one that this process has, if it has one.
current: Stage | None = None


def around(arguments: Sequence[str]) -> AbstractContextManager[object]:
    """For manage.py: what this command line needs around it, before any setting is read. Raises NotStartedError."""
    wants_it = arguments[1:2] == [COMMAND] and not {RUNNING, "-h", "--help"} & set(arguments)
    return staged() if wants_it else nullcontext()


@contextmanager
def staged() -> Iterator[Stage]:
    """This process' settings are those of the product meanwhile, but for the key that signs."""
    global current
    signing = _signing_key()
    folder = Path(tempfile.mkdtemp(prefix="prove-privacy-"))
    supervisor = Supervisor()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Ended."))  # its folder goes with us
    before = dict(os.environ)
    try:
        current = _started(folder, supervisor)
        ours = {**_environment(folder), **current.facts["environment"]}
        _replace_environment({name: value for name, value in ours.items() if name != "SIGNING_KEY_FILE"} | signing)
        yield current
    finally:
        _replace_environment(before)
        supervisor.stop()
        if current:  # else its logs say why it did not start
            shutil.rmtree(folder, ignore_errors=True)
        current = None


def _started(folder: Path, supervisor: Supervisor) -> Stage:
    began = time.time()
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)  # root's servers run as somebody else
    (folder / "tmp").mkdir(mode=0o700)
    note, log = folder / "state" / "run.json", folder / "terminal.log"
    program = Program(
        name="The product to look at",
        command=[sys.executable, "-m", "config.run", "--port", "0", "--state", str(folder / "state")],
        log=log,
        is_ready=note.exists,
        environment=_environment(folder),
        directory=product.ROOT,
        stop_within=40,
        ready_within=120,
    )
    try:
        supervisor.start(program)
    except NotStartedError as reason:
        raise NotStartedError(_last_line(log) or str(reason)) from None
    return Stage(folder, json.loads(note.read_text()), began)


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    return next((line for line in reversed(lines) if line.strip()), "")


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name.startswith(_KEPT)}
    return {**kept, "TMPDIR": str(folder / "tmp")}


def _signing_key() -> dict[str, str]:
    """The operator's; without, the one that `make run` makes and keeps, so that its report can be verified later."""
    if env.is_set("SIGNING_KEY"):
        return {name: os.environ[name] for name in ("SIGNING_KEY", "SIGNING_KEY_FILE") if os.environ.get(name)}
    held = state.State(state.DEFAULT)
    try:
        return {"SIGNING_KEY_FILE": str(held.secret("signing_key"))}
    finally:
        held.release()


def _replace_environment(values: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(values)
