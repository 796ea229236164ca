"""What docs/deploy.md tells an operator in figures and names is what the product does."""

import re
from pathlib import Path
from typing import Any

import pytest

from config import env
from tests.servers import ROOT

PAGE = (ROOT / "docs" / "deploy.md").read_text()
PROCESSES = 5  # four of web and a worker


def of_ours(pattern: str) -> list[Path]:
    rooms = ("config", "organizations", "vault", "sidebar", "dashboard")
    return sorted(path for room in rooms for path in (ROOT / room).glob(pattern))


def test_connections_of_a_process() -> None:
    """The pool's, and those that a thread has for itself."""
    options: Any = env.database("postgres://user:word@host/name", "DATABASE_URL")["OPTIONS"]
    pool = options["pool"]["max_size"]
    texts = [path.read_text() for path in of_ours("**/*.py")]
    apart = sum(len(re.findall(r"= (?:epochs\.)?own_connection\(\)", text)) for text in texts)
    assert (pool, apart) == (16, 2)
    assert f"holds {pool + apart} connections" in PAGE
    assert f"a worker: {PROCESSES * (pool + apart)}, and {PROCESSES * pool}" in PAGE
    assert f"{PROCESSES * (2 * pool + apart)} where one server has both" in PAGE


def test_the_proxy_sends_to_where_we_listen() -> None:
    host = re.search(r"--host (\S+) --port (\d+)", PAGE)
    assert host is not None
    assert f"server {host[1]}:{host[2]};" in PAGE


@pytest.mark.parametrize("command", [path.stem for path in of_ours("management/commands/[!_]*.py")])
def test_every_command_is_on_a_page_for_operators(command: str) -> None:
    assert f"python manage.py {command} " in PAGE.replace("`", " ")
