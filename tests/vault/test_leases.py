"""Access tokens in RAM: for whom, for how long, recorded how, and forgotten when (docs/vault.md 7). Calls nobody."""

import time
from collections.abc import Iterator
from datetime import timedelta
from math import inf
from uuid import UUID

import pytest
from django.db import DatabaseError, connection
from django.db.models.functions import Now

from organizations import epochs
from organizations.models import AuditEntry
from providers.base import Secret
from providers.errors import Transient
from tests.vault import many
from vault import clock, grants, leases
from vault.leases import Lease
from vault.models import Connection

pytestmark = pytest.mark.django_db(databases=["default", "keys"])

OLD, NEW = Secret("the-old-token"), Secret("the-new-token")


@pytest.fixture(autouse=True)
def taking() -> Iterator[None]:
    leases._unrecorded_since = None
    yield
    leases._unrecorded_since = None


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process would hear of a revocation. The next look at the epochs is a minute away: none comes in between."""
    monkeypatch.setattr(epochs, "PROMPT_FOR", 60.0)
    epochs.start_polling(60.0)
    yield
    epochs.stop_polling()


@pytest.fixture
def rows() -> list[Connection]:
    many.seed(2, 1)
    return list(Connection.objects.order_by("pk"))


def give(row: Connection, purpose: str = "test", token: Secret = OLD, seconds_left: float = inf) -> Lease:
    """As a caller gets it: from RAM, or recorded now and kept."""
    grant = many.a_grant().renewed(access_token=token)
    return leases.take(row.pk, purpose, lambda: leases.write(row, grant, purpose, seconds_left))


def test_a_lease_is_kept_for_its_connection_and_purpose(rows: list[Connection], listening: None) -> None:
    mine = give(rows[0])
    assert leases.held(rows[0].pk, "test", None) is mine
    assert leases.held(rows[0].pk, "test", NEW) is mine
    assert leases.held(rows[0].pk, "test", Secret(OLD.reveal())) is None, "refused by the provider"
    assert leases.held(rows[0].pk, "other", None) is None
    assert leases.held(rows[1].pk, "test", None) is None
    assert give(rows[0]) is mine
    assert AuditEntry.objects.filter(action="token.leased").count() == 1


def test_nothing_is_held_where_no_revocation_is_heard(rows: list[Connection], listening: None) -> None:
    """I7: then each use asks the database, and none of them is kept."""
    mine = give(rows[0])
    epochs.stop_polling()
    assert leases.held(rows[0].pk, "test", None) is None
    assert give(rows[0]) is not mine
    assert give(rows[0], "later")
    epochs.start_polling(60.0)
    assert leases.held(rows[0].pk, "later", None) is None


@pytest.mark.parametrize(("since", "kept"), [(0.0, True), (2.5, True), (5.5, False)])
def test_what_is_held_ends_five_seconds_after_the_log_took_no_row(
    rows: list[Connection], listening: None, since: float, kept: bool
) -> None:
    """V21."""
    mine = give(rows[0])
    leases._unrecorded_since = time.monotonic() - since
    assert leases.held(rows[0].pk, "test", None) is (mine if kept else None)


def test_a_lease_that_has_run_out_is_made_anew_and_the_others_stay(rows: list[Connection], listening: None) -> None:
    over = give(rows[0], seconds_left=0.0)
    other = give(rows[0], "other")
    assert leases.held(rows[0].pk, "test", None) is None
    fresh = give(rows[0])
    assert fresh is not over
    assert fresh.good_until == inf
    assert leases.held(rows[0].pk, "other", None) is other


def test_a_refused_token_is_forgotten_for_every_purpose(rows: list[Connection], listening: None) -> None:
    """Not its successor, and not what another connection holds."""
    for purpose in ("one", "two"):
        give(rows[0], purpose)
    successor, elsewhere = give(rows[0], "three", NEW), give(rows[1], "one")
    leases.drop_token(rows[0].pk, Secret(OLD.reveal()))
    assert leases.held(rows[0].pk, "one", None) is None
    assert leases.held(rows[0].pk, "two", None) is None
    assert leases.held(rows[0].pk, "three", None) is successor
    assert leases.held(rows[1].pk, "one", None) is elsewhere


def test_what_is_forgotten_is_forgotten_for_one_purpose(rows: list[Connection], listening: None) -> None:
    """A probe opens what is stored, whatever this process holds; nobody else loses anything."""
    kept = [give(rows[0], "other"), give(rows[1], "test")]
    give(rows[0])
    leases.forget(rows[0].pk, "test")
    assert leases.held(rows[0].pk, "test", None) is None
    assert [leases.held(rows[0].pk, "other", None), leases.held(rows[1].pk, "test", None)] == kept


def test_each_lease_is_recorded_with_whose_and_what_for(rows: list[Connection]) -> None:
    """I8. What is handed out names the same."""
    row, grant = rows[0], many.a_grant()
    lease = leases.write(row, grant, "sidebar.lookup", 60.0)
    entry = AuditEntry.objects.get(action="token.leased")
    assert (entry.organization_id, entry.actor, entry.target, entry.result) == (
        row.organization_id,
        f"member:{row.member_id}",
        str(row.pk),
        "ok",
    )
    token = grants.fingerprint(grant.access_token)
    assert entry.facts == {"purpose": "sidebar.lookup", "generation": row.generation, "token": token}
    assert (lease.access.token, lease.access.api_url, lease.page_url) == (
        grant.access_token,
        grant.api_url,
        grant.page_url,
    )
    assert (lease.generation, lease.organization_id, lease.member_id) == (1, row.organization_id, row.member_id)
    assert 50 < lease.good_until - time.monotonic() <= 60
    assert used(row.pk)[1] == "sidebar.lookup"


@pytest.mark.parametrize(
    ("purpose", "actor"),
    [("vault.probe", "task:probe"), ("vault.profile", "task:profile"), ("vault.doctor", "operator:doctor")],
)
def test_who_uses_a_grant_in_its_persons_absence_is_named(rows: list[Connection], purpose: str, actor: str) -> None:
    leases.write(rows[0], many.a_grant(), purpose)
    assert AuditEntry.objects.get(action="token.leased").actor == actor


def test_a_probe_is_no_use(rows: list[Connection]) -> None:
    """What people read as the last use stays."""
    used_before(75)
    leases.write(rows[0], many.a_grant(), "vault.probe")
    assert used(rows[0].pk) == (False, "test")


# -- the log takes no row -------------------------------------------------------------------------------------------


def fail(row: Connection, sqlstate: str) -> None:
    """While a lease is recorded, PostgreSQL itself reports this state."""
    with leases._recording(row), connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}'; END $$")


@pytest.fixture
def outside(transactional_db: None) -> None:
    """Statements that fail leave no transaction behind."""


@pytest.mark.parametrize("sqlstate", ["53100", "25006", "42501", "58030"])
def test_a_database_that_takes_no_row_starts_the_clock(outside: None, rows: list[Connection], sqlstate: str) -> None:
    """V21: disk full, read-only, no right, a failing disk. Counted from the first time, until one is taken."""
    with pytest.raises(Transient, match=r"^Our audit log takes no entry just now, so nothing is done") as told:
        fail(rows[0], sqlstate)
    assert (told.value.provider, told.value.retry_after) == ("salesforce", 10.0)
    first = leases._unrecorded_since
    assert first is not None
    with pytest.raises(Transient):
        fail(rows[0], sqlstate)
    assert leases._unrecorded_since == first
    leases.write(rows[0], many.a_grant(), "test")
    assert leases._unrecorded_since is None


@pytest.mark.parametrize("sqlstate", ["23505", "40001", "57014"])
def test_other_trouble_of_the_database_is_told_as_it_is(outside: None, rows: list[Connection], sqlstate: str) -> None:
    """A conflict or a cancelled statement says nothing about the log."""
    with pytest.raises(DatabaseError):
        fail(rows[0], sqlstate)
    assert leases._unrecorded_since is None


# -- what people see ------------------------------------------------------------------------------------------------


def used(connection_id: UUID) -> tuple[bool, str]:
    """Whether it says "just now", and what for."""
    row = Connection.objects.get(pk=connection_id)
    return bool(row.last_used_at and row.last_used_at > clock.now() - timedelta(seconds=20)), row.last_used_for


def used_before(seconds: float, purpose: str = "test") -> None:
    Connection.objects.update(last_used_at=Now() - timedelta(seconds=seconds), last_used_for=purpose)


def test_the_last_use_is_written_once_a_minute(rows: list[Connection]) -> None:
    mine, other = rows[1].pk, rows[0].pk
    used_before(45)
    leases.note_use(mine, "test")
    assert used(mine) == (False, "test")
    used_before(75)
    leases.note_use(mine, "test")
    assert used(mine) == (True, "test")
    assert used(other) == (False, "test")


def test_another_use_and_the_first_one_are_written_at_once(rows: list[Connection]) -> None:
    mine = rows[0].pk
    used_before(45)
    leases.note_use(mine, "other")
    assert used(mine) == (True, "other")
    Connection.objects.update(last_used_at=None)
    leases.note_use(mine, "other")
    assert used(mine) == (True, "other")


def test_a_success_is_written_once_a_minute_for_each_connection(rows: list[Connection]) -> None:
    for row in rows:
        leases.note_success(row.pk)
    assert not Connection.objects.filter(last_success_at=None).exists()
    Connection.objects.update(last_success_at=None)
    leases.note_success(rows[0].pk)
    assert not Connection.objects.exclude(last_success_at=None).exists()
    leases._noted.clear()
    leases.note_success(rows[0].pk)
    assert Connection.objects.exclude(last_success_at=None).get().pk == rows[0].pk
