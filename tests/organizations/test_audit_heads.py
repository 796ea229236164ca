"""Signed heads of audit chains, kept elsewhere: a new history, key and all, is found out (docs/vault.md 7)."""

import base64
import json
import logging
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from config.celery import app
from config.logging import Line
from organizations import audit, certificate, tasks
from organizations.models import AuditEntry, AuditHead, Organization
from tests.organizations.test_audit import ORGANIZATION, more, write

pytestmark = pytest.mark.django_db

SEEDS = [base64.b64encode(bytes(range(start, start + 32))).decode() for start in (1, 101)]

Ship = Callable[[], Path]


@pytest.fixture
def ship(tmp_path: Path, settings: Settings) -> Ship:
    """The hourly task; what it logs goes into a file, as our logging writes it."""
    settings.SIGNING_KEY = SEEDS[0]
    path = tmp_path / "heads.log"

    def once() -> Path:
        handler = logging.FileHandler(path)
        handler.setFormatter(Line())
        logger = logging.getLogger("sidebar.audit.heads")
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            tasks.sign_audit_heads()
        finally:
            logger.removeHandler(handler)
            handler.close()
        return path

    return once


def verify(path: Path, **options: Any) -> str:
    out = StringIO()
    call_command("audit_verify", heads=path, stdout=out, **options)
    return out.getvalue()


def refused(path: Path, **options: Any) -> str:
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("audit_verify", heads=path, stdout=out, **options)
    return out.getvalue()


def new_history(count: int) -> None:
    """As who holds the database and AUDIT_KEY writes it: a chain that verifies."""
    AuditEntry.objects.all().delete()
    AuditHead.objects.all().delete()
    for number in range(count):
        audit.record(ORGANIZATION, "operator", "test.invented", number=number)
    assert audit.verify(ORGANIZATION) is None


def test_chains_agree_with_their_heads_as_they_grow(ship: Ship) -> None:
    write(3)
    ship()
    more(4, ORGANIZATION)
    path = ship()
    assert "2 heads agree." in verify(path)
    first, second = (json.loads(line[line.index("{") :]) for line in path.read_text().splitlines())
    assert (first["certificate"]["sequence"], second["certificate"]["sequence"]) == (3, 7)
    assert set(first["certificate"]) == {"kind", "organization_id", "sequence", "digest", "at"}
    assert first["signature"]["algorithm"] == "Ed25519"


@pytest.mark.parametrize(("rows", "reason"), [(5, "changed"), (2, "missing")])
def test_a_new_history_is_found_out(ship: Ship, rows: int, reason: str) -> None:
    """The chain alone verifies. The first head that disagrees is named."""
    write(3)
    ship()
    more(1, ORGANIZATION)
    path = ship()
    new_history(rows)
    assert f"organization {ORGANIZATION}: head 3 of 20" in refused(path)
    assert f" {reason}\n" in refused(path)


def test_a_head_that_was_changed_or_signed_by_another_is_refused(ship: Ship, settings: Settings) -> None:
    write(2)
    path = ship()
    good = path.read_text()
    path.write_text(good.replace('"sequence": 2', '"sequence": 1'))
    assert "signature" in refused(path)
    path.write_text(good)
    settings.SIGNING_KEY = SEEDS[1]
    assert "signature" in refused(path)


def test_without_a_key_heads_are_unsigned_and_compared_all_the_same(ship: Ship, settings: Settings) -> None:
    settings.SIGNING_KEY = ""
    write(2)
    path = ship()
    assert "1 heads agree." in verify(path)
    settings.SIGNING_KEY = SEEDS[0]
    assert "unsigned" in refused(path), "who has a key takes no unsigned head: anybody may have written it"
    settings.SIGNING_KEY = ""
    new_history(2)
    assert "changed" in refused(path)


def test_an_old_fault_hides_no_later_one(ship: Ship, settings: Settings) -> None:
    """Heads from before there was a SIGNING_KEY prove nothing, and stay in the file for ever."""
    settings.SIGNING_KEY = ""
    write(2)
    ship()
    settings.SIGNING_KEY = SEEDS[0]
    more(1, ORGANIZATION)
    path = ship()
    new_history(3)
    told = refused(path).splitlines()
    assert [(line.split()[3], line.split()[-1]) for line in told if "head " in line] == [
        ("2", "unsigned"),
        ("3", "changed"),
    ]


def gone() -> None:
    AuditEntry.objects.all().delete()
    AuditHead.objects.all().delete()
    Organization.objects.all().delete()


@pytest.fixture
def local_dir(tmp_path: Path, settings: Settings) -> Path:
    settings.LOCAL_DIR = tmp_path
    return tmp_path


def certify(organization_id: UUID) -> None:
    facts = {"organization_id": str(organization_id), "finished_at": "2026-01-01T00:00:00+00:00"}
    certificate.write(certificate.folder() / f"{organization_id}.json", certificate.sign(facts))


def test_an_organization_that_is_gone_is_named(ship: Ship, local_dir: Path, settings: Settings) -> None:
    """Unless its certificate of destruction is there, and one of ours."""
    write(2)
    path = ship()
    gone()
    assert "gone" in refused(path)
    certify(UUID(int=7))
    assert "gone" in refused(path), "another's"
    settings.SIGNING_KEY = SEEDS[1]
    certify(ORGANIZATION)
    settings.SIGNING_KEY = SEEDS[0]
    assert "gone" in refused(path), "signed with another key"
    certify(ORGANIZATION)
    assert "1 heads agree." in verify(path)


def test_one_organizations_heads_alone_are_compared_where_it_is_named(ship: Ship, local_dir: Path) -> None:
    write(2)
    audit.record(audit.INSTALLATION, "operator", "test.happened")
    path = ship()
    new_history(2)
    audit.record(audit.INSTALLATION, "operator", "test.happened")
    assert "changed" in refused(path, organization=ORGANIZATION)
    assert "the installation" in refused(path)
    assert "the installation" not in refused(path, organization=ORGANIZATION)


@pytest.mark.parametrize("seed", ["", SEEDS[0]])
def test_a_line_that_is_no_whole_head_stops_no_comparison(ship: Ship, settings: Settings, seed: str) -> None:
    """Whoever can write into the log could otherwise end the reading before the line that gives him away."""
    settings.SIGNING_KEY = seed
    write(2)
    path = ship()
    good = path.read_text()
    odd = ({"sequence": "x"}, {"sequence": None, "organization_id": 1}, {"organization_id": "nobody"})
    lines = [json.dumps({"certificate": {"kind": "audit_head", **each}, "signature": None}) for each in odd]
    path.write_text("\n".join(lines) + "\n" + good)
    new_history(2)
    assert f"organization {ORGANIZATION}: head 2" in refused(path)


def test_a_file_without_heads_proves_nothing(tmp_path: Path) -> None:
    write(1)
    path = tmp_path / "other.log"
    path.write_text('{"certificate": {}}\nnothing\n{"certificate": {"kind": "other"}}\n')
    refused(path)


def test_a_head_is_no_certificate_of_destruction(ship: Ship, tmp_path: Path) -> None:
    """The same key signs both."""
    write(1)
    text = ship().read_text()
    (tmp_path / "one.json").write_text(text[text.index("{") :])
    with pytest.raises(CommandError, match="not a certificate of destruction"):
        call_command("verify_certificate", str(tmp_path / "one.json"))


def test_it_is_done_every_hour() -> None:
    assert app.conf.beat_schedule["organizations-sign-audit-heads"]["schedule"] == 3600.0
