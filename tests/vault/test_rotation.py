"""Keys rotated while everything runs: no failed read, no lost renewal, resumable after a kill (C22, I9, V18)."""

import json
import os
import random
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
from django.core.management import call_command
from django.db import connections, models, transaction
from django.db.models import F
from django.utils import timezone
from pytest_django import Settings

from organizations import audit
from organizations.models import Member, Organization
from tests.faults.oracle import Oracle
from tests.organizations import people
from tests.servers import ROOT
from tests.vault import many
from tests.vault.keyrings import new_kek
from tests.vault.processes import environment
from vault import answers, cipher, grants, keys, rotation, sealing
from vault.cipher import Place
from vault.errors import KeyGone
from vault.models import Attempt, Connection, Credential, DatabaseMark, DataKey, KeyStoreMark

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
    for row in Credential.objects.select_related("connection").iterator(chunk_size=2_000):
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
        for model in apps.get_models()
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
    place = answers.place_of(attempt)
    attempt.sealed_answer = sealing.seal(b"{}", place)
    attempt.save()
    rotation.new_data_keys()
    assert rotation.reseal().done == 2
    rest()
    assert rotation.retire() == 1
    keys.forget_all()
    assert sealing.unseal(bytes(Attempt.objects.get().sealed_answer or b""), place) == b"{}"


def an_orphan(*, days: int = 0) -> UUID:
    """The key of a sign-in that founded an organization and was rolled back; the key store is another database."""
    with transaction.atomic():
        organization_id = people.organization()
        keys.primary_key(organization_id)
        transaction.set_rollback(True)
    mine = DataKey.objects.using("keys").filter(organization_id=organization_id)
    mine.update(created_at=F("created_at") - timedelta(days=days))
    assert mine.exists()
    return organization_id


def kept() -> set[UUID]:
    return set(DataKey.objects.using("keys").values_list("organization_id", flat=True))


def test_a_key_without_an_organization_stops_nobody() -> None:
    """It is passed over, and deleted a day later; the installation's own key stays and is renewed."""
    seal_many(2, 2)
    own = keys.primary_key(keys.INSTANCE).id
    young, _ = an_orphan(), an_orphan(days=2)
    DataKey.objects.using("keys").filter(organization_id=keys.INSTANCE).update(created_at="2020-01-01T00:00Z")
    call_command("rotate_keys", "--data-keys")
    assert kept() == {keys.INSTANCE, young, *Organization.objects.values_list("pk", flat=True)}
    assert DataKey.objects.using("keys").filter(organization_id=young).count() == 1
    keys.forget_all()
    assert keys.primary_key(keys.INSTANCE).id != own
    assert unreadable() == []


def test_an_organization_destroyed_meanwhile_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its row goes between our look and the audit entry; the other one gets its key."""
    seal_many(2, 2)
    gone, other = DataKey.objects.using("keys").order_by("pk").values_list("organization_id", flat=True)
    look = rotation._here

    def then_destroyed() -> set[UUID]:
        found = look()
        Organization.objects.filter(pk=gone).delete()
        return found

    monkeypatch.setattr(rotation, "_here", then_destroyed)
    assert rotation.new_data_keys() == 1
    old = DataKey.objects.using("keys").get(is_primary=False)
    assert old.organization_id == other


def test_keys_stay_while_the_database_may_be_another() -> None:
    """V20: restored from before an organization was founded, its keys are not deleted; nor one that a value names."""
    seal_many(1, 1)
    old = an_orphan(days=2)
    KeyStoreMark.objects.using("keys").update_or_create(pk=1, defaults={"epoch": uuid4(), "counter": 1})
    DatabaseMark.objects.update_or_create(pk=1, defaults={"epoch": uuid4(), "counter": 1})
    assert rotation.drop_orphans() == 0
    DatabaseMark.objects.update(epoch=KeyStoreMark.objects.using("keys").get().epoch)
    row = Connection.objects.get()
    stray = sealing.seal(b"{}", Place(old, "vault_attempt", uuid4(), "sealed_answer", row.provider, 1))
    attempt = Attempt.objects.create(connection=row, grant_id=uuid4(), generation=1, sealed_answer=stray)
    assert rotation.drop_orphans() == 0
    attempt.delete()
    assert rotation.drop_orphans() == 1
    assert old not in kept()


@pytest.mark.parametrize("outcome", ["", answers.UNKNOWN])
def test_the_key_of_an_answer_in_a_spool_stays(outcome: str) -> None:
    """V5, V14 across a rotation: no query finds the answer: the key waits for it a week, whatever the grant does."""
    seal_many(1, 1)
    row = Connection.objects.get()
    attempt = Attempt(connection=row, grant_id=uuid4(), generation=row.generation, outcome=outcome)
    attempt.started_at = timezone.now() - timedelta(hours=2)  # as `rest` will have it of the keys
    attempt.ended_at = attempt.started_at if outcome else None
    attempt.save()
    blob = answers.sealer(row, attempt)(b"{}")  # waits on a disk
    rotation.new_data_keys()
    rotation.reseal()
    rest()
    assert rotation.retire() == 0
    keys.forget_all()
    assert sealing.unseal(blob, answers.place_of(attempt)) == b"{}"
    Connection.objects.update(generation=F("generation") + 1)
    assert rotation.retire() == 0, "the late tokens are to be ended"
    Attempt.objects.update(started_at=timezone.now() - answers.SPOOLED)
    assert rotation.retire() == 1


def test_a_renewal_after_a_rotation_holds_no_older_key() -> None:
    """Its answer is sealed under the new one: else who renews often would never lose a key."""
    seal_many(1, 1)
    row = Connection.objects.get()
    rotation.new_data_keys()
    rotation.reseal()
    rest()
    Attempt.objects.create(connection=row, grant_id=uuid4(), generation=row.generation, started_at=timezone.now())
    assert rotation.retire() == 1


def a_rotator(batch: int) -> "subprocess.Popen[str]":
    """At its first row, in a process of its own."""
    command = [sys.executable, "-m", "tests.vault.turning", str(batch)]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


def time_unhindered(batch: int) -> float:
    """Seconds that the whole rotation takes where nobody kills it."""
    began, process = time.monotonic(), a_rotator(batch)
    process.communicate(timeout=1_200)
    assert process.returncode == 0
    took = time.monotonic() - began
    rest()
    rotation.retire()  # so that another rotation begins; nobody may be at work now who has the old keys in RAM
    return took


def how_far() -> str:
    """Which share of the organizations has its new key, and once all have, how much is sealed under those."""
    keys_of_all = DataKey.objects.using("keys")
    primaries = list(keys_of_all.filter(is_primary=True).exclude(organization_id=keys.INSTANCE))
    changed = set(keys_of_all.filter(is_primary=False).values_list("organization_id", flat=True))
    share = sum(each.organization_id in changed for each in primaries) / len(primaries)
    return f"{share:.0%} of the keys" if share < 1 else f"{_sealed_anew(primaries):.0%} of the tokens"


def _sealed_anew(primaries: list[DataKey]) -> float:
    with connections["default"].cursor() as cursor:
        query = "SELECT avg((substring(sealed FROM 5 FOR 16) = ANY(%s))::int) FROM vault_credential"
        cursor.execute(query, [[each.pk.bytes for each in primaries]])
        return float(cursor.fetchone()[0])


def kill_rotators(times: int, longest: float, batch: int) -> list[str]:
    """Start a rotator, kill it with -9 at a random moment of its work, and again. Returns how far it had come, for each
    kill that hit one."""
    hits = list[str]()
    for _ in range(times):
        process = a_rotator(batch)
        time.sleep(random.uniform(0.0, longest))
        is_hit = process.poll() is None
        process.kill()  # nothing, where it has come to its end just now
        process.wait(10)
        hits += [how_far()] * is_hit
    return hits


def survives(tokens: int, organizations: int, kills: int, batch: int, longest: float = 0.0) -> None:
    """`longest`: seconds from a rotator's first row to its end, at most. Else measured, so that the kills fall all over
    the work: together they have twice as long, as each has to find its place first."""
    seal_many(tokens, organizations)
    longest = longest or 4 * time_unhindered(batch) / kills
    began = time.monotonic()
    with reading() as report:
        hits = kill_rotators(kills, longest, batch)
    sys.stdout.write(
        f"{tokens} tokens, {organizations} organizations; {len(hits)} of {kills} kills hit, in {longest:.1f} s each,"
        f" with {', '.join(hits)} done; {time.monotonic() - began:.0f} s in all;"
        f" meanwhile {report}\n"
    )
    assert len(hits) >= kills * 0.6
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
    """C22: four times; `make soak` does it twenty times, of 100,000 tokens."""
    survives(tokens=900, organizations=30, kills=4, batch=7, longest=0.8)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_twenty_random_kills_lose_nothing() -> None:
    """C22: 100,000 tokens of 1,000 organizations. Prints its figures; SCALE=10 makes it a tenth."""
    scale = int(os.environ.get("SCALE", "1"))
    survives(tokens=100_000 // scale, organizations=1_000 // scale, kills=20, batch=100)


@pytest.mark.oracle(finds={"I5", "I9"})  # what it has deleted the key of opens nowhere any more: that is the purpose
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
def alice_elsewhere(oracle: Oracle) -> Iterator[Elsewhere]:
    seal_many(1, 1)
    other = Elsewhere(Member.objects.get().organization_id)
    audit.record(other.organization_id, "task:join", "organization.founded")
    yield other
    other.process.kill()
    other.process.wait(10)
