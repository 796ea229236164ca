"""`manage.py prove_privacy` as a stranger runs it: nothing is found, everything would have been, the report is signed,
nothing is left of the run; and beside a running product (C61, C63)."""

import base64
import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from config.privacy.places import Named, of_installation
from organizations import certificate
from organizations.privacy.canaries import Canaries
from organizations.privacy.report import Control, Proof, as_page
from organizations.privacy.search import Found, Looked, look
from organizations.privacy.stores import Folder, NotChecked
from organizations.registries import privacy_journeys
from tests import servers

#: Seconds, on a machine that runs other tests beside; alone it takes a minute or two: a mail waits for half of one.
PATIENCE = 600
pytestmark = pytest.mark.timeout(PATIENCE + 20)
SEED = base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass
class Run:
    """`folder`: where its temporary files were."""

    folder: Path
    done: subprocess.CompletedProcess[str]
    document: Any

    @property
    def content(self) -> dict[str, Any]:
        return dict(self.document["certificate"])


def environment(folder: Path) -> dict[str, str]:
    """A stranger's, with a key to sign with: none of what this test run has set."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "VIRTUAL_ENV", "PYTHONPATH") if name in os.environ}
    return {**kept, "TMPDIR": str(folder), "SIGNING_KEY": SEED}


def proved(folder: Path, *command: str) -> Run:
    own, report = folder / "tmp", folder / "report.json"
    own.mkdir()
    done = subprocess.run(
        [sys.executable, *command, "prove_privacy", "--report", str(report)],
        cwd=servers.ROOT,
        env=environment(own),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert report.exists(), done.stderr[-3000:]
    return Run(own, done, json.loads(report.read_text()))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return proved(tmp_path_factory.mktemp("privacy"), "manage.py")


def test_nothing_is_found_and_every_leak_would_have_been(run: Run) -> None:
    assert run.done.returncode == 0, run.done.stdout
    assert (run.content["findings"], run.content["failed"]) == (0, "")
    assert run.content["verdict"] == "nothing was found"
    planted = {each["store"] for each in run.content["controls"] if each["is_found"]}
    looked = {each["store"] for each in run.content["looked"]}
    assert looked - planted == {"memory that went to a swap file"}
    assert {"keys of Valkey", "files of Valkey", "logs", "open files that were deleted"} <= planted
    assert {"files of PostgreSQL: tables and indexes", "files of PostgreSQL: write-ahead log"} <= planted


def test_every_journey_was_made_and_arrived(run: Run) -> None:
    assert run.content["journeys"] == [name for name, _ in privacy_journeys]
    assert {"the simulated Salesforce holds it", "an open and a click are recorded"} <= set(run.content["confirmed"])
    mails = {
        "the simulated Salesforce holds its attachment",
        "it was saved after a failure",
        "somebody saves it by hand",
        "a mail is handed over",
        "the simulated Salesforce holds it no more",
    }
    assert mails <= set(run.content["confirmed"])
    moments = {each["moment"] for each in run.content["looked"]}
    assert {"while an attachment is on its way", "while a mail is being read"} <= moments
    assert run.content["canaries"] > 200


def test_it_says_how_much_it_looked_at_and_what_it_did_not(run: Run) -> None:
    sizes = {each["store"]: each["bytes"] for each in run.content["looked"] if each["moment"] == "at the end"}
    assert sizes["files of PostgreSQL: write-ahead log"] >= 16 << 20
    assert sizes["files of PostgreSQL: tables and indexes"] > 10 << 20
    assert all(sizes[store] > 0 for store in ("logs", "files of Valkey", "tables of database “default”"))
    assert "the memory of running processes" in run.done.stdout
    paused = [each for each in run.content["looked"] if each["moment"] == "while opens and clicks wait on a disk"]
    assert {each["store"] for each in paused if each["not_checked"]} >= {"keys of Valkey"}
    assert not re.search("canary[0-9a-f]{6}", run.done.stdout + run.done.stderr + json.dumps(run.document))


def test_the_report_is_signed_and_cannot_be_changed(run: Run, settings: Any, tmp_path: Path) -> None:
    settings.SIGNING_KEY = SEED
    path, told = tmp_path / "report.json", StringIO()
    path.write_text(json.dumps(run.document))
    call_command("verify_certificate", str(path), stdout=told)
    assert told.getvalue().startswith("Good: a report on a product made for it, 20")
    assert told.getvalue().endswith(": nothing was found.\n")
    run.document["certificate"]["looked"][0]["bytes"] += 1
    path.write_text(json.dumps(run.document))
    run.document["certificate"]["looked"][0]["bytes"] -= 1
    with pytest.raises(CommandError, match="changed after it was signed"):
        call_command("verify_certificate", str(path))
    assert [*certificate.kept(certificate.public_key(), [path])] == []  # and is no certificate of destruction


def test_nothing_is_left_of_the_run(run: Run) -> None:
    assert list(run.folder.iterdir()) == []
    assert not [pid for pid, command in commands() if str(run.folder) in command]


def commands() -> Iterator[tuple[str, str]]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.parent.name, path.read_text(errors="replace")
        except OSError:
            continue


@pytest.mark.soak
def test_a_product_that_leaks_is_caught_everywhere(tmp_path: Path) -> None:
    """tests/config/leaking_product.py leaves a canary in eight ways, then has a journey fail."""
    run = proved(tmp_path, "-m", "tests.config.leaking_product")
    assert run.done.returncode == 1
    found = {(looked["store"], each["what"]) for looked in run.content["looked"] for each in looked["found"]}
    stores = {store for store, _ in found}
    assert stores >= {
        "tables of database “default”",
        "keys of Valkey",
        "files of Valkey",
        "files of PostgreSQL: tables and indexes",
        "files of PostgreSQL: write-ahead log",
        "logs",
        "its folder for temporary files",
        "open files that were deleted",
    }
    assert {what for _, what in found} == {
        "a leak, as it is", "a leak, in base64", "a leak, in hex", "a leak, in UTF-16", "a leak, in base64, twice",
    }  # fmt: skip
    assert run.content["failed"] == "failing: was not seen within 0 s: what never comes"
    assert "canary" not in run.done.stdout


# -- beside a running product ----------------------------------------------------------------------------------------


def examined(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The signed content, whatever the verdict."""
    monkeypatch.setattr("sys.stdin", StringIO(f"{text}\n\n"))
    (tmp_path / "temporary").mkdir(exist_ok=True)
    report, told = tmp_path / "report.json", StringIO()
    places = {"logs": [tmp_path / "missing"], "temporary": [tmp_path / "temporary"]}
    try:
        call_command("prove_privacy", "--running", report=report, stdout=told, stderr=StringIO(), **places)
        is_good = True
    except CommandError:
        is_good = False
    assert text not in told.getvalue()
    assert text not in report.read_text()
    content = certificate.verify(certificate.read(report), certificate.public_key())
    assert is_good == (content["findings"] == 0)
    return content


@pytest.mark.django_db(databases=["default", "keys"])
def test_a_running_product_is_looked_through_for_what_was_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.privacy.places.OpenFiles", lambda: Folder("o", tmp_path, may_be_missing=True))
    text = f"Quarterly offer {secrets.token_hex(8)}"
    content = examined(text, tmp_path, monkeypatch)
    assert (content["subject"], content["findings"], content["canaries"]) == ("a running product", 0, 1)
    reasons = {each["store"]: each["not_checked"] for each in content["looked"]}
    assert "--postgres-files" in reasons["files of PostgreSQL"][0]["reason"]
    assert "--valkey-files" in reasons["files of Valkey"][0]["reason"]
    assert reasons[f"logs in {tmp_path / 'missing'}"][0]["reason"] == "there is no such folder on this machine"
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept (subject text)")
        cursor.execute("INSERT INTO kept VALUES (%s)", [text])
    content = examined(text, tmp_path, monkeypatch)
    found = [each for looked in content["looked"] for each in looked["found"]]
    assert {"what": "text 1, as it is", "where": "table kept"} in found


def test_nothing_is_examined_without_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("\n"))
    with pytest.raises(CommandError, match="on standard input"):
        call_command("prove_privacy", "--running")
    with pytest.raises(CommandError, match="which starts the product"):
        call_command("prove_privacy")


def test_rooms_say_where_they_keep_files() -> None:
    names = [store.name for store in of_installation(Named())]
    assert "sealed answers of providers that wait for the database" in names
    assert {"/var/tmp", "logs", "other machines"} <= set(names)  # noqa: S108


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("DATABASE_URL" in servers.GIVEN, reason="the given server's files are not ours to read")
def test_a_row_lies_in_postgresqls_files_and_its_log() -> None:
    """Though its table is gone."""
    canaries = Canaries()
    text = canaries.new("a row")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE leak (kept text)")
        cursor.execute("INSERT INTO leak VALUES (%s)", [text])
        cursor.execute("DROP TABLE leak")
    store = Folder("log", Path(settings.LOCAL_DIR) / "postgres" / "data" / "pg_wal")
    deadline = time.monotonic() + 10
    while not look([store], canaries.needles(), "now")[0].found:
        assert time.monotonic() < deadline
        time.sleep(0.2)


# -- what is good ----------------------------------------------------------------------------------------------------


def proof(**changed: Any) -> Proof:
    looked = Looked("logs", "now", 3, 4096, not_checked=[NotChecked("/a", "closed")] * 30)
    return Proof("a product made for it", "then", "now", "abc", 5, **{"looked": [looked], **changed})


@pytest.mark.parametrize(
    ("changed", "is_good"),
    [
        ({}, True),
        ({"controls": [Control("logs", True)]}, True),
        ({"controls": [Control("logs", True), Control("tables", False)]}, False),
        ({"failed": "tracking: was not seen"}, False),
        ({"looked": [Looked("logs", "now", found=[Found("a subject, in hex", "web.log")])]}, False),
    ],
)
def test_what_was_not_proved_is_not_called_good(changed: dict[str, Any], is_good: bool) -> None:
    made = proof(**changed)
    assert made.is_good == is_good
    assert (made.content()["verdict"] == "nothing was found") == is_good


def test_the_page_says_what_was_found_and_what_not_looked_at() -> None:
    found = Looked("tables", "later", 1, 9, [Found("a subject, in hex", "table kept")])
    page = as_page(proof(looked=[*proof().looked, found], controls=[Control("logs", False)], failed="stood").content())
    assert "- a subject, in hex: in tables, table kept, later" in page
    assert "- logs, /a: closed (now" in page
    assert "- logs: and 10 more (now)" in page
    assert "| logs | 1 | 3 | 4,096 | 0 |" in page
    assert "- logs: NOT FOUND" in page
    assert "- stood" in page
