"""Each step of a rotation by itself: what it changes, what it leaves to others, and what it tells (docs/vault.md 4)."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection, connections
from django.db.models import F
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from organizations.models import AuditEntry, Organization
from tests.vault import many
from tests.vault.keyrings import new_kek
from vault import cipher, keys, rotation
from vault.errors import KekUnusable
from vault.kek import current
from vault.models import Connection, Credential, DataKey, KekCanary, LiveProcess
from vault.rotation import Resealed
from vault.sealing import COLUMNS, Column

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


@pytest.fixture(autouse=True)
def cold() -> Iterator[None]:
    keys.forget_all()
    keys.verify_kek()  # the first start
    yield
    keys.forget_all()


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    """Nobody here may wait for a lock."""
    for alias in ("default", "keys"):
        connections[alias].cursor().execute("SET lock_timeout = '1s'")
    yield
    for alias in ("default", "keys"):
        connections[alias].cursor().execute("SET lock_timeout = 0")


def owners(count: int) -> list[UUID]:
    """Organizations with a data key each, in the order of those keys."""
    rows = [Organization(salesforce_org_id=f"00D9{number:011d}AAA", name="Acme") for number in range(count)]
    Organization.objects.bulk_create(rows)
    found = {keys.primary_key(row.pk).id: row.pk for row in rows}
    keys.forget_all()
    return [found[key_id] for key_id in sorted(found)]


def stored(**conditions: object) -> list[DataKey]:
    return list(DataKey.objects.using("keys").filter(**conditions).order_by("pk"))


def aged(minutes: int, **conditions: object) -> None:
    rows = DataKey.objects.using("keys").filter(**conditions)
    rows.update(created_at=F("created_at") - timedelta(minutes=minutes))


def new_current(settings: Settings) -> str:
    """A new KEK is put first; the old one stays."""
    settings.VAULT_KEK = f"2027:{new_kek()},default:{settings.VAULT_KEK}"
    return "2027"


@contextmanager
def held(alias: str, table: str, row_id: UUID) -> Iterator[None]:
    """Another process has locked this row."""
    other = connections[alias].copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(f"SELECT id FROM {table} WHERE id = %s FOR UPDATE", [row_id])  # noqa: S608  our own name
            yield
            cursor.execute("ROLLBACK")
    finally:
        other.close()


Told = list[tuple[str, int]]


@pytest.fixture
def told() -> Told:
    return []


def test_every_key_is_wrapped_anew_and_told(settings: Settings, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    found = owners(3)
    before = {owner: keys.primary_key(owner) for owner in found}
    target = new_current(settings)
    monkeypatch.setattr(rotation, "BATCH", 2)
    assert rotation.rewrap(lambda what, count: told.append((what, count))) == 3
    assert told == [("data keys wrapped anew", 2), ("data keys wrapped anew", 3)]
    assert KekCanary.objects.using("keys").filter(kek_id=target).exists(), "verified first"
    settings.VAULT_KEK = settings.VAULT_KEK.split(",")[0]
    for row in stored():
        assert row.kek_id == target
        assert keys.opened(row).id == before[row.organization_id].id
    assert rotation.rewrap() == 0


def test_nothing_is_done_before_every_process_has_the_key(settings: Settings) -> None:
    """V16, I9."""
    owners(1)
    LiveProcess.objects.create(name="web a:1", kek_ids=["default"], started_at=Now(), seen_at=Now())
    new_current(settings)
    before = stored()
    for step in (rotation.rewrap, rotation.new_data_keys):
        with pytest.raises(KekUnusable, match="web a:1"):
            step()
    assert [(row.id, bytes(row.wrapped)) for row in stored()] == [(row.id, bytes(row.wrapped)) for row in before]


def test_what_another_rotator_has_wrapped_is_left_alone(settings: Settings) -> None:
    """Also what it is just wrapping: passed over, not waited for."""
    owners(2)
    first, second = stored()
    target = new_current(settings)
    with held("keys", "vault_datakey", first.id):
        assert rotation._rewrap_batch([first.id, second.id], target) == 1
    assert [row.kek_id for row in stored()] == ["default", target]
    assert rotation._rewrap_batch([second.id], target) == 0
    assert rotation._rewrap_batch([first.id], target) == 1


def test_keys_under_which_nothing_is_wrapped(settings: Settings) -> None:
    """The current one is never named."""
    old = settings.VAULT_KEK
    owners(1)
    settings.VAULT_KEK = f"new:{new_kek()},default:{old},spare:{new_kek()}"
    assert rotation.unused_keks() == ["spare"]
    assert current().ids()[0] == "new"


def test_each_organization_gets_one_new_key(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recorded for each, the installation's own too. Nobody keeps the old one in RAM."""
    found = owners(2)
    old = {owner: keys.primary_key(owner).id for owner in (*found, keys.INSTANCE)}
    monkeypatch.setattr(rotation, "KEYS_AT_ONCE", 2)
    assert rotation.new_data_keys(lambda what, count: told.append((what, count))) == 3
    assert told == [("new data keys", 2), ("new data keys", 3)]
    assert {row.organization_id for row in stored(is_primary=True)} == set(old)
    assert {row.id for row in stored(is_primary=False)} == set(old.values())
    assert all(keys.primary_key(owner).id != old[owner] for owner in old)
    entries = AuditEntry.objects.values_list("organization_id", "actor", "action")
    assert set(entries) == {(owner, "operator", "keys.rotated") for owner in old}
    assert rotation.new_data_keys() == 0


def test_who_is_in_the_middle_of_a_rotation_gets_no_third_key() -> None:
    rotating, resting = owners(2)
    assert rotation._replace(stored(organization_id=rotating), "default") == 1
    assert rotation.new_data_keys() == 1
    for owner in (rotating, resting):
        assert len(stored(organization_id=owner, is_primary=True)) == 1
        assert len(stored(organization_id=owner)) == 2


def test_of_two_rotators_one_replaces_a_key() -> None:
    owners(2)
    first, second = rows = stored()
    with held("keys", "vault_datakey", first.id):
        assert rotation._replace(rows, "default") == 1
    assert [row.id for row in stored(is_primary=False)] == [second.id]
    assert rotation._replace([second], "default") == 0
    assert len(stored()) == 3


def credentials() -> Column:
    return next(column for column in COLUMNS if column.model is Credential)


def pending(count: int, organizations: int = 1) -> tuple[rotation._Ring, list[UUID]]:
    """A ring, and credentials that are due in it."""
    many.seed(count, organizations)
    rotation.new_data_keys()
    ring = rotation._Ring(stored(is_primary=False))
    return ring, sorted(ring.due(credentials()))


def under_old() -> int:
    old = {row.id for row in stored(is_primary=False)}
    return sum(cipher.key_id_of(bytes(row.sealed)) in old for row in Credential.objects.all())


def test_values_are_sealed_anew_and_told(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    pending(5)
    monkeypatch.setattr(rotation, "BATCH", 3)
    assert rotation.reseal(lambda what, count: told.append((what, count))) == Resealed(5)
    assert told == [("values sealed anew", 3), ("values sealed anew", 5)]
    assert under_old() == 0


def test_only_what_was_asked_for_is_sealed_anew() -> None:
    ring, due = pending(4)
    result = Resealed()
    ring.reseal(credentials(), due[:1], result)
    assert (result.done, under_old()) == (1, 3)
    ring.reseal(credentials(), due, result)
    assert (result.done, result.damaged, under_old()) == (4, set(), 0)


def test_a_ring_opens_the_keys_of_its_own_organizations() -> None:
    owners(3)
    pending(8, organizations=8)
    old = stored(is_primary=False)[:4]
    ring, mine = rotation._Ring(old), {row.organization_id for row in old}
    assert {row.organization_id: ring._new[row.organization_id].id for row in old} == {
        row.organization_id: row.id for row in stored(is_primary=True) if row.organization_id in mine
    }
    assert len(ring._new) == len(mine)


def test_a_renewal_holds_the_connection_and_its_credential_is_sealed_anew() -> None:
    """The credential's own lock is enough: a lookup that notes its use must not put the rotation off."""
    ring, due = pending(1)
    result = Resealed()
    with held("default", "vault_connection", Connection.objects.get().pk):
        ring.reseal(credentials(), due, result)
    assert result.done == 1


def test_a_credential_that_is_held_is_passed_over() -> None:
    ring, due = pending(2)
    result = Resealed()
    with held("default", "vault_credential", due[0]):
        ring.reseal(credentials(), due, result)
    assert (result.done, result.damaged, under_old()) == (1, set(), 1)


def test_more_rows_cost_no_more_queries() -> None:
    ring, due = pending(6)
    counts = []
    for some in (due[:1], due[1:]):
        with CaptureQueriesContext(connection) as queries:
            ring.reseal(credentials(), some, Resealed())
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_a_value_under_another_organizations_key_is_left_and_named() -> None:
    """I5: no rotation makes it openable."""
    many.seed(2, 2)
    one, other = Credential.objects.order_by("pk")
    Credential.objects.filter(pk=one.pk).update(sealed=other.sealed)
    rotation._replace(stored(organization_id=other.connection.organization_id), "default")
    result = rotation.reseal()
    assert (result.done, result.damaged) == (1, {one.pk})
    assert bytes(Credential.objects.get(pk=one.pk).sealed) == bytes(other.sealed)


def test_an_old_key_goes_once_its_successor_is_an_hour_old() -> None:
    """Its own age does not count; nor does an organization's whose rotation came later."""
    early, late = owners(2)
    rotation.new_data_keys()
    aged(600, is_primary=False)
    aged(50, is_primary=True)
    old = stored(organization_id=early, is_primary=False)[0]
    keys.key_by_id(old.id, early)
    assert rotation.retire() == 0
    aged(20, organization_id=early, is_primary=True)
    assert rotation.retire() == 1
    assert [row.is_primary for row in stored(organization_id=early)] == [True]
    assert len(stored(organization_id=late)) == 2
    assert keys._by_id.get(old.id) is None


def test_a_key_that_a_value_names_stays() -> None:
    """Beside one that may go."""
    many.seed(1, 1)
    owners(1)
    rotation.new_data_keys()
    aged(90)
    assert rotation.retire() == 1
    assert [row.organization_id for row in stored(is_primary=False)] == [Connection.objects.get().organization_id]
    rotation.reseal()
    assert rotation.retire() == 1
    assert stored(is_primary=False) == []


def test_batches_leave_nothing_out() -> None:
    assert [list(each) for each in rotation._batches([1, 2, 3, 4, 5], 2)] == [[1, 2], [3, 4], [5]]
