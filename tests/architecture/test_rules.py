"""Each wall of the vault is seen to hold: a planted breach is found, what is allowed is not, the product has none."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture import __main__ as check
from tests.architecture import rules
from tests.architecture.rules import Source
from tests.servers import ROOT

TABLES = "vault_" + "credential"


def found(rule: check.Rule, text: str) -> list[str]:
    return list(rule(Source.of("sidebar/planted.py", text)))


@pytest.mark.parametrize(
    "text",
    [
        "from vault import cipher",
        "from vault import tokens as t",
        "import vault.sealing",
        "import vault",
        "from vault.tokens import ConnectionTokens",
        "from vault.clients import ConnectionTokens",
        "from vault.clients import leases",
        "from vault import clients\nclients.leases.held",
        "def late():\n    from vault.keys import primary_key",
        "from vault.models import Credential",
        "from vault.dialects import refresh",
        "from vault.revocation import discard",
    ],
)
def test_no_way_round_the_doors(text: str) -> None:
    assert found(rules.imports_of_the_vault, text)


def test_the_doors_are_open() -> None:
    text = "from vault.clients import crm_for\nfrom vault import clients\nclients.reconnect_url\n"
    assert found(rules.imports_of_the_vault, text + "from vault.models import Connection") == []


@pytest.mark.parametrize(
    "text",
    [
        "apps.get_model('vault', 'Credential')",
        "apps.get_model('vault.Credential')",
        "get_model(app_label='vault')",
        "apps.get_model(name)",
        "apps.get_app_config('vault')",
        "importlib.import_module('vault.tokens')",
        "__import__('vault')",
        "import_string('vault.tokens.ConnectionTokens')",
        "from vault.models import Connection\nConnection._meta.get_field('x')",
    ],
)
def test_no_model_by_its_name(text: str) -> None:
    assert found(rules.models_by_name, text)
    assert found(rules.models_by_name, "apps.get_model('organizations', 'Member')") == []


@pytest.mark.parametrize("text", ["cursor.execute('SELECT * FROM {}')", "query = f'DELETE FROM {} WHERE x = {{x}}'"])
def test_no_raw_sql_on_its_tables(text: str) -> None:
    assert found(rules.raw_sql, text.format(TABLES))
    assert found(rules.raw_sql, text.format(TABLES.upper()))
    assert found(rules.raw_sql, text.format("organizations_member")) == []


@pytest.mark.parametrize("name", ["related_name='connections'", "", "related_name=''"])
def test_no_way_back_from_a_member(name: str) -> None:
    assert found(rules.reverse_relations, f"class C(Model):\n    member = models.ForeignKey(Member, {name})")
    assert found(rules.reverse_relations, "member = models.ForeignKey(Member, related_name='+')") == []


@pytest.mark.parametrize(
    "body",
    [
        "token: str",
        "access: Access",
        "credential: 'Lease | None'",
        "def access_token(self): ...",
        "@property\n    def session(self) -> Secret: ...",
        "def __init__(self, tokens: ConnectionTokens) -> None:\n        self.source = tokens",
        "def __init__(self) -> None:\n        self.bearer = ''",
    ],
)
def test_no_client_shows_a_token(body: str) -> None:
    assert found(rules.token_attributes, f"class Client:\n    {body}")


def test_what_a_client_may_show() -> None:
    made = "def __init__(self, given: TokenSource):\n        self._given = given"
    body = f"id: UUID\n    def find(self) -> Record: ...\n    {made}"
    assert found(rules.token_attributes, f"class Client:\n    {body}") == []


def test_the_product_has_no_breach() -> None:
    assert check.breaches() == []
    assert len(check.files_of(*rules.ROOMS)) > 80
    assert all(Path(name).exists() for name in check.CLIENTS)


def planted(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """The product's packages with one more line in the sidebar, before import-linter."""
    for room in (*rules.ROOMS, "vault", "simulators"):
        if (ROOT / room).exists():
            shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("*.pyc", "static", "templates"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "sidebar" / "planted.py").write_text(f"{line}\n")
    linter = Path(sys.executable).with_name("lint-imports")
    return subprocess.run([linter, "--no-cache"], cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("line", ["", "import vault.tokens", "from vault import sealing", "import cryptography"])
def test_import_linter_finds_it_too(tmp_path: Path, line: str) -> None:
    ended = planted(tmp_path, line)
    broken = "Only the vault touches ciphers and tokens BROKEN" in ended.stdout
    assert (ended.returncode != 0, broken) == (bool(line), bool(line)), ended.stdout[-2000:]
