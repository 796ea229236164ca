"""The embedded servers: started, stopped, killed, found again; as root, as a normal user, below a closed folder."""

import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from config.embedded import account, ports, state
from config.embedded.processes import Program, Supervisor
from tests import servers
from tests.config import processes_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def directory(request: pytest.FixtureRequest) -> Iterator[Path]:
    path = servers.folder() / request.node.name.replace("[", "-").rstrip("]")
    path.mkdir()
    yield path
    shutil.rmtree(path)


class Owner:
    def __init__(self, directory: Path, *words: str, user: account.Account | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.config.owner", str(directory), *words],
            cwd=servers.ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=user.enter if user else None,  # noqa: PLW1509 - one thread
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.process.communicate()[1])
        self.facts: dict[str, Any] = json.loads(line)

    def everything(self) -> set[int]:
        return processes_of.descendants(self.process.pid) | set(self.facts["pids"])

    def end(self, number: signal.Signals, within: float) -> None:
        """And nothing is left of it."""
        everything = self.everything()
        assert len(everything) > 6  # PostgreSQL alone has as many
        self.process.send_signal(number)
        self.process.communicate(timeout=60)  # a busy disk makes PostgreSQL slow to write its last checkpoint
        assert processes_of.wait_until_gone(everything, within) == {}


@contextlib.contextmanager
def owner_of(directory: Path, *words: str, user: account.Account | None = None) -> Iterator[Owner]:
    owner = Owner(directory, *words, user=user)
    try:
        yield owner
    finally:
        owner.process.terminate()
        owner.process.communicate()


def ask(url: str, question: str) -> Any:
    with psycopg.connect(url) as connection:
        return connection.execute(question).fetchone()


def test_starts_twice_and_keeps_its_data(directory: Path) -> None:
    with owner_of(directory) as owner:
        with psycopg.connect(owner.facts["database_url"]) as connection:
            connection.execute("CREATE TABLE kept (word text)")
            connection.execute("INSERT INTO kept VALUES ('still here')")
        assert redis.Redis.from_url(owner.facts["redis_url"]).ping()
        owner.end(signal.SIGTERM, within=5)
    with owner_of(directory) as owner:
        assert ask(owner.facts["database_url"], "SELECT word FROM kept") == ("still here",)
        owner.end(signal.SIGTERM, within=5)


def test_the_product_gets_no_superuser_and_no_lax_durability(directory: Path) -> None:
    """A superuser would pass every row-level security policy (C57)."""
    with owner_of(directory) as owner:
        url = owner.facts["database_url"]
        question = "SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        assert ask(url, question) == (False, False, False)
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert ask(url, f"SHOW {setting}") == ("on",)
        assert ask(url, "SHOW listen_addresses") == ("127.0.0.1",)
        assert not list(Path("/tmp").glob(f".s.PGSQL.{psycopg.conninfo.conninfo_to_dict(url)['port']}"))  # noqa: S108
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ask(url, "SELECT pg_read_file('/etc/passwd')")
        with pytest.raises(psycopg.OperationalError, match="password"):
            ask(url.replace("sidebar:", "postgres:guess"), "SELECT 1")
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=redis.Redis.from_url(owner.facts["redis_url"]).get_connection_kwargs()["port"]).ping()


def test_a_failing_statement_leaves_no_value_in_the_log(directory: Path) -> None:
    """Neither the statement nor DETAIL nor the value that an error message quotes (C57)."""
    with owner_of(directory) as owner:
        with psycopg.connect(owner.facts["database_url"], autocommit=True) as connection:
            connection.execute("CREATE TABLE unique_words (word text UNIQUE)")
            for statement in ("INSERT INTO unique_words VALUES ('canary-7f3a')",) * 2 + ("SELECT 'canary-7f3a'::int",):
                with contextlib.suppress(psycopg.errors.UniqueViolation, psycopg.errors.InvalidTextRepresentation):
                    connection.execute(statement)
        owner.end(signal.SIGTERM, within=5)
    logs = b"".join(path.read_bytes() for path in (directory / "log").iterdir())
    assert b"ready to accept connections" in logs
    assert b"canary-7f3a" not in logs


def test_no_secret_is_on_a_command_line_or_readable_by_others(directory: Path) -> None:
    with owner_of(directory) as owner:
        secrets = [
            owner.facts[name].partition("://")[2].partition("@")[0].split(":")[1]
            for name in ("database_url", "redis_url")
        ]
        lines = {pid: processes_of.read(pid, "cmdline").decode() for pid in owner.everything()}
        assert all(lines[pid] for pid in owner.facts["pids"])  # PostgreSQL's own helpers come and go
        assert not any(secret in line for secret in secrets for line in lines.values())
        for path in directory.rglob("*"):
            if path.is_file():
                assert path.stat().st_mode & 0o077 == 0 or path.name == "owner.pid", path


def test_kill_9_of_the_owner_takes_everything_down_and_the_next_start_works(directory: Path) -> None:
    for _ in range(2):
        with owner_of(directory, "stubborn") as owner:
            session = psycopg.connect(owner.facts["database_url"])  # in the way of a slow shutdown
            session.execute("SELECT 1")
            owner.end(signal.SIGKILL, within=5)
            session.close()
    with owner_of(directory) as owner:
        owner.end(signal.SIGINT, within=5)
    assert not (directory / "owner.pid").exists()
    assert not (directory / "postgres" / "data" / "postmaster.pid").exists()


def test_a_second_owner_gets_one_clear_line(directory: Path) -> None:
    with owner_of(directory) as first:
        with pytest.raises(AssertionError) as refused:
            Owner(directory)
        line = str(refused.value)
        assert line.count("\n") == 1
        assert f"Already running from {os.path.relpath(directory, servers.ROOT)} (process {first.process.pid})" in line


def test_a_stale_pid_file_harms_no_stranger(directory: Path) -> None:
    """The number in it may have been given to another process since (a crash of the machine)."""
    with owner_of(directory) as owner:
        owner.end(signal.SIGTERM, within=5)
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        data = directory / "postgres" / "data"
        stale = data / "postmaster.pid"
        stale.write_text(f"{stranger.pid}\n{data}\n1\n1\n\n127.0.0.1\n1 1\nready\n")
        shutil.chown(stale, data.stat().st_uid)
        with owner_of(directory) as owner:
            assert ask(owner.facts["database_url"], "SELECT 1") == (1,)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_an_interrupted_first_start_is_begun_again(directory: Path) -> None:
    unfinished = directory / "postgres" / "data.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18")
    with owner_of(directory) as owner:
        assert ask(owner.facts["database_url"], "SELECT 1") == (1,)


@as_root
def test_as_root_below_a_closed_folder(directory: Path) -> None:
    """A clone in root's home: no folder is opened, no user is created, and the servers do not run as root."""
    users = Path("/etc/passwd").read_bytes()
    closed = directory / "closed"
    closed.mkdir(mode=0o700)
    with owner_of(closed / "clone") as owner:
        assert ask(owner.facts["database_url"], "SELECT 1") == (1,)
        for pid in owner.facts["pids"]:
            assert Path(f"/proc/{pid}").stat().st_uid != 0
        owner.end(signal.SIGKILL, within=5)
    assert closed.stat().st_mode & 0o777 == 0o700
    assert Path("/etc/passwd").read_bytes() == users


@as_root
def test_as_a_normal_user(directory: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    # The capability is for this machine's Python, which a normal user may not be able to reach.
    user = account.Account("nobody", nobody.pw_uid, nobody.pw_gid, account.CAP_DAC_READ_SEARCH)
    own = directory / "clone"
    own.mkdir()
    user.owns(own)
    with owner_of(own, user=user) as owner:
        assert ask(owner.facts["database_url"], "SELECT 1") == (1,)
        assert {Path(f"/proc/{pid}").stat().st_uid for pid in owner.facts["pids"]} == {user.uid}
        owner.end(signal.SIGKILL, within=5)
    with owner_of(own, user=user) as owner:
        owner.end(signal.SIGTERM, within=5)


def test_a_crashed_child_is_started_again_with_growing_pauses(directory: Path) -> None:
    program = Program("brief", ["/bin/sh", "-c", "exit 7"], directory / "brief.log")
    supervisor = Supervisor()
    supervisor.begin(program)
    lines: list[str] = []
    deadline = time.monotonic() + 2.5
    while time.monotonic() < deadline:
        lines += supervisor.revive()
        time.sleep(0.02)
    assert len(lines) == 2  # after 0.5 and 1 s; the next would come 2 s later
    assert "brief ended (exit code 7)" in lines[0]
    supervisor.stop()


def test_stop_takes_what_a_child_has_started(directory: Path) -> None:
    pid_file = directory / "grandchild"
    supervisor = Supervisor()
    supervisor.start(
        Program(
            "parent",
            ["/bin/sh", "-c", f"sleep 600 & echo $! > {pid_file}; wait"],
            directory / "parent.log",
            is_ready=lambda: pid_file.exists() and bool(pid_file.read_text()),
        )
    )
    grandchild = int(pid_file.read_text())
    supervisor.stop()
    assert processes_of.wait_until_gone({grandchild}, 1) == {}


def test_a_port_in_use_is_seen() -> None:
    with socket.socket() as taken:
        taken.bind((ports.LOOPBACK, 0))
        taken.listen()
        assert not ports.can_listen(taken.getsockname()[1])
    assert ports.can_listen(ports.free())


def test_a_note_of_a_dead_run_is_not_believed(directory: Path) -> None:
    (directory / "run.json").write_text(json.dumps({"pids": {"owner": 2**22 + 1}, "environment": {"A": "b"}}))
    assert state.running(directory) is None
