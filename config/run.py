"""`make run`: starts everything on this machine, says where it is, and takes all of it down again.

Without DATABASE_URL and REDIS_URL it brings its own servers; without SALESFORCE_CLIENT_ID simulated providers and a
demo mailbox. Everything it makes is in the state directory."""

import argparse
import ctypes
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

from config import env
from config.embedded import NotStartedError, ports, product, simulated, state
from config.embedded.account import PR_SET_PDEATHSIG
from config.embedded.postgres import Postgres
from config.embedded.processes import Child, Supervisor, run_to_end
from config.embedded.valkey import Valkey
from vault import sealed

KEYS = ("SECRET_KEY", "VAULT_KEK", "AUDIT_KEY", "SIGNING_KEY", "TRACKING_KEY")
SHARED = (
    *KEYS,
    "DATABASE_URL",
    "REDIS_URL",
    "KEY_STORE_URL",
    "TRACKING_URL",
    "SALESFORCE_ORIGINS",
    "OUTBOUND_CA_BUNDLE",
)
MAILBOX = product.ROOT / "simulators" / "mailbox"


class Stop(BaseException):
    """Somebody asked us to end."""


class Stack:
    """All of it, from the servers up to the web process."""

    def __init__(self, held: state.State, port: int, salesforce_port: int) -> None:
        self.state = held
        self.port = port
        self.salesforce_port = salesforce_port
        self.supervisor = Supervisor(self._tell_guard)
        self.added: dict[str, str] = {}  # the settings that are ours, not the operator's
        self.facts: dict[str, Any] = {}  # what the simulators say of themselves
        self.tracking_port = ports.free()
        self.public_url = env.read("PUBLIC_URL", f"http://localhost:{port}").rstrip("/")
        self.simulators = simulated.wanted()

    def start(self) -> None:
        folder, log = self.state.directory, self.state.log
        programs = (each.program(folder, self.salesforce_port, log, self.public_url) for each in self.simulators)
        self.supervisor.begin(*programs)
        self._start_servers()
        self._settle_keys()
        self._migrate()
        if self.simulators:
            self._meet_simulators()
        self._start_product()
        self.publish()

    def environment(self) -> dict[str, str]:
        """An empty NAME counts as not set, and must not contradict our NAME_FILE."""
        return {**{name: value for name, value in os.environ.items() if value}, **self.added}

    def _start_servers(self) -> None:
        directory, log = self.state.directory, self.state.log
        valkey = None if env.is_set("REDIS_URL") else Valkey(directory / "valkey", log / "valkey.log")
        postgres = None if env.is_set("DATABASE_URL") else Postgres(directory / "postgres", log / "postgres.log")
        if valkey:
            self.supervisor.begin(valkey.program())
            self.added["REDIS_URL_FILE"] = str(self.state.keep("redis_url", valkey.url()))
        if postgres:
            self.supervisor.begin(postgres.program())
            self.supervisor.await_ready("PostgreSQL")
            postgres.provision("sidebar")
            self.added["DATABASE_URL_FILE"] = str(self.state.keep("database_url", postgres.url("sidebar")))
        if valkey:
            self.supervisor.await_ready("Valkey")

    def _settle_keys(self) -> None:
        """Development keys, made once and kept; the operator's own always win."""
        self.added["LOCAL_DIR"] = str(self.state.directory)
        self.added["PUBLIC_URL"] = self.public_url
        if not env.is_set("KEY_STORE_URL"):
            self._key_store().parent.mkdir(mode=0o700, exist_ok=True)
            self.added["KEY_STORE_URL"] = f"sqlite:///{self._key_store()}"
        if self.simulators or "DATABASE_URL_FILE" in self.added:
            self._make_keys()  # a grown-up installation on this machine brings its own, or refuses to start
        if self._tracks() and not env.is_set("TRACKING_URL"):
            self.added["TRACKING_URL"] = f"http://localhost:{self.tracking_port}"

    def _tracks(self) -> bool:
        return env.is_set("TRACKING_KEY") or "TRACKING_KEY_FILE" in self.added

    def _make_keys(self) -> None:
        for name in KEYS:
            if env.is_set(name):
                continue
            if name == "VAULT_KEK" and not self.state.has_secret("vault_kek"):
                _refuse_new_vault_key_over_sealed_rows(self._setting("DATABASE_URL"))
            self.added[f"{name}_FILE"] = str(self.state.secret(name.lower()))

    def _migrate(self) -> None:
        """On our own servers not again when nothing has changed: it would cost a third of a start."""
        marks = self.state.directory / "postgres" / "migrated"  # goes with the data it speaks of
        ours = "DATABASE_URL_FILE" in self.added and self.added.get("KEY_STORE_URL")
        digest = product.migrations_digest(self.public_url)
        if ours and self._key_store().exists() and marks.exists() and marks.read_text() == digest:
            return
        run_to_end(*product.migrations(self.state.log, self.environment()))
        if ours:
            marks.write_text(digest)

    def _key_store(self) -> Path:
        return self.state.directory / "keys" / "keys.sqlite3"

    def _setting(self, name: str) -> str:
        kept = self.added.get(f"{name}_FILE")
        return Path(kept).read_text() if kept else self.added.get(name) or env.read(name)

    def _meet_simulators(self) -> None:
        folder = self.state.directory
        for each in self.simulators:
            self.supervisor.await_ready(f"simulated {each.label}")
            facts = each.facts(folder)
            self.added.update(each.settings(facts))
            self.facts.update(facts if each is simulated.SALESFORCE else {each.name: facts})
        self.added.update(simulated.trust(folder))
        if not env.is_set("DEMO_MAILBOX"):
            self.added["DEMO_MAILBOX"] = str(MAILBOX)

    def _start_product(self) -> None:
        environment, log = self.environment(), self.state.log
        programs = [
            product.web(self.port, self.public_url, log, environment),
            product.worker(self.state.directory, log, environment),
        ]
        if self._tracks():
            programs.append(product.hot(self.tracking_port, log, environment))
        self.supervisor.start(*programs)

    def publish(self) -> None:
        """run.json: what the bench, the browser tests and manage.py need to find us. Readable by us only."""
        pids = {child.program.name: child.process.pid for child in self.supervisor.children}
        self.state.publish(
            {
                "public_url": self.public_url,
                "port": self.port,
                "pids": {"owner": os.getpid(), **pids},
                "database_url": self._setting("DATABASE_URL"),
                "redis_url": self._setting("REDIS_URL"),
                "tracking_url": self._setting("TRACKING_URL") if self._tracks() else "",
                "log": str(self.state.log),
                "environment": {**_operators(), **self.added},
                **self.facts,
            }
        )

    def _tell_guard(self, children: list[Child]) -> None:
        self.state.watch_over([(child.process.pid, child.program.stop_signal) for child in children])

    def watch(self) -> None:
        while True:
            time.sleep(0.3)
            for line in self.supervisor.revive():
                print(line, file=sys.stderr, flush=True)
                self.publish()

    def stop(self) -> None:
        self.supervisor.stop()
        self.state.release()


def main() -> int:
    options = _options()
    _stop_on_signals()
    began = time.monotonic()
    try:
        held = state.State(options.state)
    except NotStartedError as reason:
        return _refuse(reason)
    stack = None
    try:
        port = _free_port(options.port)
        stack = Stack(held, port, options.salesforce_port if options.port else 0)
        stack.start()
        _announce(stack, time.monotonic() - began)
        stack.watch()
    except (NotStartedError, env.ConfigurationError) as reason:
        return _refuse(reason)
    except Stop:
        print("\nStopping ...", flush=True)
    finally:
        _ignore_signals()
        stack.stop() if stack else held.release()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m config.run", description=__doc__)
    parser.add_argument("--port", type=int, default=env.read("PORT", "8000"), help="0 = any free one")
    parser.add_argument("--salesforce-port", type=int, help="first port of the simulated providers (PORT + 100)")
    parser.add_argument("--state", type=Path, default=state.DEFAULT, help="where everything is kept (.local)")
    options = parser.parse_args()
    if options.salesforce_port is None:
        options.salesforce_port = options.port + 100
    return options


def _free_port(wanted: int) -> int:
    if wanted == 0:
        return ports.free()
    if not ports.can_listen(wanted):
        raise NotStartedError(f"Port {wanted} is in use. Choose another: PORT={wanted + 1} make run")
    return wanted


def _operators() -> dict[str, str]:
    """What a command beside us needs of the operator's own settings; his keys only as the files he keeps them in."""
    names = {f"{name}_FILE" for name in SHARED} | set(SHARED) - set(KEYS)
    return {name: os.environ[name] for name in names if os.environ.get(name)}


def _refuse_new_vault_key_over_sealed_rows(database_url: str) -> None:
    if sealed.is_anything_in(database_url):
        raise NotStartedError(
            "The database holds sealed credentials, but their key is gone. Give it back as VAULT_KEK."
        )


def _stop_on_signals() -> None:
    def stop(_number: int, _frame: FrameType | None) -> None:
        raise Stop

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    if sys.platform == "linux" and _is_make(os.getppid()):
        # With make killed, nobody is left to press Ctrl-C.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _is_make(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() in ("make", "gmake")
    except OSError:
        return False


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _refuse(reason: Exception) -> int:
    print(reason, file=sys.stderr, flush=True)
    return 1


def _announce(stack: Stack, seconds: float) -> None:
    lines = ["ready", ""]
    if env.is_set("DEMO_MAILBOX") or stack.simulators:
        lines.append(_line("Demo mailbox", f"{stack.public_url}/"))
    lines.append(_line("Dashboard", f"{stack.public_url}/dashboard/"))
    lines.append(_line("API", f"{stack.public_url}/api/v1/schema/"))
    lines += _providers(stack.facts)
    lines += ["", f"Logs are in {os.path.relpath(stack.state.log)}/. Up in {seconds:.1f} s. Ctrl-C stops everything."]
    print("\n".join(lines), flush=True)


def _providers(facts: dict[str, Any]) -> list[str]:
    """Where the simulated ones are, and who may sign in there."""
    lines = []
    for org in facts.get("orgs", []):
        lines += ["", _line(f"Salesforce, {org['name']}{' (sandbox)' if org['is_sandbox'] else ''}", org["pages_url"])]
        lines += [_line(f"  {user['username']}", f"password {user['password']}") for user in org["users"]]
        lines.append(_line("  calls it has seen", f"{org['pages_url']}/_sim/calls"))
    for mail in (facts[name] for name in ("google", "microsoft") if name in facts):
        first = mail["users"][0]
        lines += ["", _line(f"{mail['name']}, {len(mail['users'])} accounts", mail["pages_url"])]
        lines.append(_line(f"  {first['email']} and so on", f"password {first['password']}"))
        lines.append(_line("  calls it has seen", f"{mail['pages_url']}/_sim/calls"))
    return lines


def _line(name: str, value: str) -> str:
    return f"  {name:<38} {value}"


if __name__ == "__main__":
    sys.exit(main())
