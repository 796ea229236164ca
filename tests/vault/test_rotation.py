"""Keys rotated while everything runs: no failed read, no lost renewal, resumable after a kill (C22, I9, V18)."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.apps import apps
from django.db import connections, models
from django.db.models import F
from pytest_django import Settings

from organizations.models import Member
from tests.servers import ROOT
from tests.vault import many
from tests.vault.keyrings import new_kek
from tests.vault.processes import environment
from vault import cipher, grants, keys, rotation, sealing
from vault.cipher import Place
from vault.errors import KeyGone
from vault.models import Attempt, Connection, Credential, DataKey

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


@pytest.fixture(autouse=True)
def cold() -> Iterator[None]:
    keys.forget_all()
    yield
    keys.forget_all()


def seal_many(count: int, organizations: int) -> None:
    many.seed(count, organizations)
    keys.forget_all()


def rest() -> None:
    """As if two hours had passed."""
    DataKey.objects.using("keys").update(created_at=F("created_at") - timedelta(hours=2))


def unreadable() -> list[UUID]:
    """Credentials still sealed under an old key."""
    primaries = set(DataKey.objects.using("keys").filter(is_primary=True).values_list("id", flat=True))
    found = []
    for row in Credential.objects.select_related("connection"):
        blob = bytes(row.sealed)
        if cipher.key_id_of(blob) not in primaries or not sealing.unseal(blob, grants.place_of(row)):
            found.append(row.pk)
    return found


@contextmanager
def reading() -> Iterator[dict[str, Any]]:
    """Another process reads and renews during the block; its report is in the dictionary afterwards."""
    command, report = [sys.executable, "-m", "tests.vault.reading"], dict[str, Any]()
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "reading\n"
    try:
        yield report
        out, _ = process.communicate(timeout=60)
        report.update(json.loads(out))
    finally:
        process.kill()
        process.wait(10)


def test_every_sealed_column_is_declared() -> None:
    """An undeclared one would be unreadable once its data key is retired."""
    declared = {(column.model, column.name) for column in sealing.COLUMNS}
    found = {
        (model, field.name)
        for model in apps.get_app_config("vault").get_models()
        for field in model._meta.get_fields()
        if isinstance(field, models.BinaryField) and field.name.startswith("sealed")
    }
    assert declared == found


def test_keys_are_rotated_under_reads_and_renewals(settings: Settings) -> None:
    """I9, C22: KEK and data keys of 1,000 tokens; a process that reads and renews meanwhile sees no failure."""
    seal_many(1_000, 40)
    settings.VAULT_KEK = f"2027:{new_kek()},default:{settings.VAULT_KEK}"
    with reading() as report:
        assert rotation.rewrap() == 40
        assert rotation.new_data_keys() == 40
        assert rotation.reseal().done >= 900
        time.sleep(0.3)
    assert report["failures"] == {}
    assert report["reads"] > 50
    assert report["renewed"] > 0
    renewed = Connection.objects.filter(generation__gt=1).count()
    assert 0 < renewed <= report["renewed"]
    rotation.reseal()  # what the other process sealed under an old key that it still had in RAM
    assert unreadable() == []
    assert rotation.unused_keks() == ["default"]
    rest()
    assert rotation.retire() == 40
    keys.forget_all()
    assert unreadable() == []


def test_two_rotators_at_once_share_the_work(settings: Settings) -> None:
    """FOR UPDATE SKIP LOCKED: neither waits for the other, nothing is sealed twice into nonsense."""
    seal_many(600, 30)
    settings.VAULT_KEK = f"2027:{new_kek()},default:{settings.VAULT_KEK}"
    done: list[int] = []

    def rotate() -> None:
        try:
            done.append(rotation.rewrap() + rotation.new_data_keys() * 1_000)
            rotation.reseal()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=rotate) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(done) == 2
    assert DataKey.objects.using("keys").filter(is_primary=True).count() == 30
    assert not DataKey.objects.using("keys").exclude(kek_id="2027").exists()
    rotation.reseal()
    keys.forget_all()
    assert unreadable() == []


def test_a_second_call_carries_on_instead_of_beginning_again() -> None:
    """Resumable: an organization with an old key left is in the middle of its rotation."""
    seal_many(20, 4)
    assert rotation.new_data_keys() == 4
    assert rotation.new_data_keys() == 0
    assert rotation.reseal().done == 20
    assert rotation.reseal().done == 0
    assert rotation.new_data_keys() == 0
    rest()
    assert rotation.retire() == 4
    assert rotation.new_data_keys() == 4


def test_a_damaged_value_stops_nobody_and_is_counted() -> None:
    seal_many(10, 1)
    broken = Credential.objects.first()
    assert broken is not None
    blob = bytearray(bytes(broken.sealed))
    blob[-1] ^= 1
    Credential.objects.filter(pk=broken.pk).update(sealed=bytes(blob))
    rotation.new_data_keys()
    result = rotation.reseal()
    assert (result.done, result.damaged) == (9, {broken.pk})
    rest()
    assert rotation.retire() == 0  # it names the old key; a backup may mend it


def test_a_row_that_is_locked_is_met_again() -> None:
    """A renewal holds its row for a moment; the rotator neither waits nor forgets it."""
    seal_many(4, 1)
    rotation.new_data_keys()
    locked, release = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            from django.db import transaction

            with transaction.atomic():
                Credential.objects.select_for_update().first()
                locked.set()
                release.wait(20)
        finally:
            connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    assert locked.wait(10)
    assert rotation.reseal().done == 3
    release.set()
    thread.join(10)
    assert rotation.reseal().done == 1


def test_kept_answers_are_sealed_anew_too() -> None:
    """An answer in quarantine may wait for a person longer than a data key rests."""
    seal_many(1, 1)
    row = Connection.objects.get()
    attempt = Attempt(connection=row, grant_id=uuid4(), generation=1)
    place = Place(row.organization_id, "vault_attempt", attempt.id, "sealed_answer", row.provider, 1)
    attempt.sealed_answer = sealing.seal(b"{}", place)
    attempt.save()
    rotation.new_data_keys()
    assert rotation.reseal().done == 2
    rest()
    assert rotation.retire() == 1
    keys.forget_all()
    assert sealing.unseal(bytes(Attempt.objects.get().sealed_answer or b""), place) == b"{}"


def kill_rotators(times: int, longest: float) -> int:
    """Start a rotator, kill it with -9 at a random moment of its work, and again. Returns how many kills hit one."""
    hits = 0
    for _ in range(times):
        command = [sys.executable, "-m", "tests.vault.turning", "7"]
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(random.uniform(0.0, longest))
        hits += process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
        if not DataKey.objects.using("keys").filter(is_primary=False).exists():
            rest()
    return hits


def survives(tokens: int, organizations: int, kills: int, longest: float) -> None:
    seal_many(tokens, organizations)
    with reading() as report:
        hits = kill_rotators(kills, longest)
    assert hits >= kills * 0.6
    assert report["failures"] == {}
    rotation.new_data_keys()
    rotation.reseal()
    keys.forget_all()
    assert unreadable() == []
    assert Connection.objects.count() == tokens
    rest()
    rotation.retire()
    keys.forget_all()
    assert unreadable() == []


def test_a_rotator_killed_at_random_loses_nothing() -> None:
    """C22: four times; `make soak` does it twenty times."""
    survives(tokens=900, organizations=30, kills=4, longest=0.8)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_twenty_random_kills_lose_nothing() -> None:
    survives(tokens=4_000, organizations=80, kills=20, longest=2.0)


def test_a_destroyed_organizations_keys_leave_every_process_at_once(alice_elsewhere: "Elsewhere") -> None:
    """V18: the data key deleted, no process opens anything with what it had in RAM, within five seconds."""
    assert alice_elsewhere.ask() == "opened"
    assert alice_elsewhere.ask() == "opened"
    keys.shred(alice_elsewhere.organization_id)
    began = time.monotonic()
    while alice_elsewhere.ask() == "opened":
        assert time.monotonic() - began < 5
        time.sleep(0.05)
    assert alice_elsewhere.ask() == KeyGone.__name__


class Elsewhere:
    """Another process that has the organization's key in RAM and opens its grant when told to."""

    def __init__(self, organization_id: UUID) -> None:
        self.organization_id = organization_id
        command = [sys.executable, "-m", "tests.vault.opening"]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("open\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@pytest.fixture
def alice_elsewhere() -> Iterator[Elsewhere]:
    seal_many(1, 1)
    other = Elsewhere(Member.objects.get().organization_id)
    yield other
    other.process.kill()
    other.process.wait(10)
