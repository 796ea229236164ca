"""The audit log takes no row: nothing is changed, no token is handed out, and what is held ends (V21, I8)."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from django.conf import settings as live
from django.db import DatabaseError, connection

from organizations import audit, epochs, membership
from organizations.models import AuditEntry
from providers.errors import Transient
from tests import servers
from tests.vault.conftest import Connected
from tests.vault.rotating import Rotating
from vault import grants, leases, renewal, revocation
from vault.models import Attempt, State
from vault.tokens import ConnectionTokens

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


@pytest.fixture(autouse=True)
def taking() -> Iterator[None]:
    leases._unrecorded_since = None
    yield
    leases._unrecorded_since = None


def run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def no_right(alice: Connected) -> Iterator[Callable[[], None]]:
    """Call it, and our role may no longer insert into the audit log."""
    yield lambda: run("REVOKE INSERT ON organizations_auditentry FROM CURRENT_USER")
    run("GRANT INSERT ON organizations_auditentry TO CURRENT_USER")


def holder(alice: Connected) -> ConnectionTokens:
    """Holds a lease that the poll no longer has a reason to drop: it has heard of all that was made for this test."""
    poller = epochs._poller
    assert poller is not None
    before, until = poller._last_success, time.monotonic() + 10
    while poller._last_success == before or not poller._seen:
        assert time.monotonic() < until
        time.sleep(0.05)
    held = ConnectionTokens(alice.connection.pk, "held")
    held.access()
    return held


def fill_up(alice: Connected) -> None:
    """Write the shortest entries there are until the last page of the audit log is full."""
    with suppress(DatabaseError):
        for _ in range(500):
            audit.record(alice.member.organization_id, "", "")
    with pytest.raises(DatabaseError, match="No space left on device"):
        audit.record(alice.member.organization_id, "", "")


def assert_nothing_happens(alice: Connected, provider: Rotating) -> None:
    entries = AuditEntry.objects.count()
    with pytest.raises(DatabaseError):
        membership.change_active("operator", alice.member, False)
    with pytest.raises(DatabaseError):
        revocation.disconnect(alice.connection.pk, alice.member)
    alice.member.refresh_from_db()
    assert alice.member.is_active
    assert alice.again().state == State.HEALTHY
    assert AuditEntry.objects.count() == entries
    assert provider.revoked == []


def assert_leases_end(alice: Connected, held: ConnectionTokens) -> None:
    """What was handed out, and recorded, before: five seconds more. Anything new: nothing."""
    since = leases._unrecorded_since
    assert since is not None
    assert held.access()
    with pytest.raises(Transient, match="audit log"):
        ConnectionTokens(alice.connection.pk, "another").access()
    assert leases._unrecorded_since == since, "counted from the first"
    time.sleep(max(0.0, since + leases.GRACE - time.monotonic()) + 0.1)
    with pytest.raises(Transient, match="audit log"):
        held.access()


def test_without_the_right_to_record_nothing_is_done(
    alice: Connected, provider: Rotating, polled: None, no_right: Callable[[], None]
) -> None:
    """V21, wherever it runs: our role may not insert."""
    held = holder(alice)
    no_right()
    with pytest.raises(Transient, match="audit log"):
        ConnectionTokens(alice.connection.pk, "new").access()
    assert_leases_end(alice, held)
    assert_nothing_happens(alice, provider)
    run("GRANT INSERT ON organizations_auditentry TO CURRENT_USER")
    assert held.access().token.reveal() == provider.access_token
    assert leases._unrecorded_since is None


def test_a_renewals_answer_waits_for_the_audit_log(
    alice: Connected, provider: Rotating, no_right: Callable[[], None]
) -> None:
    """I2, I8: the answer is kept sealed and unread; once rows are taken again it becomes the grant. One call."""
    begun = renewal._begin(alice.connection.pk, alice.connection.generation)
    assert isinstance(begun, renewal.Begun)
    no_right()
    with pytest.raises(DatabaseError):
        renewal._carry_out(begun)
    assert Attempt.objects.get().sealed_answer is not None
    run("GRANT INSERT ON organizations_auditentry TO CURRENT_USER")
    assert ConnectionTokens(alice.connection.pk, "test").access().token.reveal() == provider.access_token
    assert (provider.refreshes, provider.reuses) == (1, 0)
    kept = grants.load(alice.again())
    assert kept.refresh_token is not None
    assert kept.refresh_token.reveal() == provider.refresh_token


def test_no_refresh_token_is_presented_that_the_audit_log_does_not_tell_of(
    alice: Connected, provider: Rotating, no_right: Callable[[], None]
) -> None:
    """V21, I8: the row comes first; neither lease nor attempt is left of it."""
    no_right()
    with pytest.raises(DatabaseError):
        renewal.renew(alice.connection.pk, beyond=alice.connection.generation)
    assert provider.refreshes == 0
    assert not Attempt.objects.exists()
    assert (alice.again().state, alice.again().lease_until) == (State.HEALTHY, None)
    run("GRANT INSERT ON organizations_auditentry TO CURRENT_USER")
    renewal.renew(alice.connection.pk, beyond=alice.connection.generation)
    assert provider.refreshes == 1


# -- a disk that is really full -------------------------------------------------------------------------------


def superuser() -> psycopg.Connection:
    found = live.DATABASES["default"]
    password = (servers.folder() / "postgres" / "postgres.password").read_text().strip()
    return psycopg.connect(
        host=str(found["HOST"]),
        port=int(str(found["PORT"])),
        user="postgres",
        password=password,
        dbname=connection.settings_dict["NAME"],
        autocommit=True,
    )


_INSTEAD = "V21 is left to test_without_the_right_to_record_nothing_is_done."


@pytest.fixture
def small_disk(alice: Connected) -> Iterator[Path]:
    """The audit log on a disk of one megabyte of its own."""
    if os.geteuid() != 0 or servers.GIVEN.get("DATABASE_URL"):
        pytest.skip(f"NOT TESTED here: a really full disk. It takes root and a server of our own. {_INSTEAD}")
    folder = servers.folder() / "small-disk"
    folder.mkdir()
    owner = (servers.folder() / "postgres" / "data").stat()
    options = f"size=1m,mode=0700,uid={owner.st_uid},gid={owner.st_gid}"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"NOT TESTED here: a really full disk. Nothing may be mounted. {_INSTEAD}")
    try:
        with superuser() as database:
            database.execute(f"CREATE TABLESPACE small LOCATION '{folder}'")
            # Rows that earlier tests deleted leave room which a vacuum would hand out in the middle of this one.
            database.execute("ALTER TABLE organizations_auditentry SET (autovacuum_enabled = off)")
            database.execute("VACUUM FULL organizations_auditentry")
            database.execute("ALTER TABLE organizations_auditentry SET TABLESPACE small")
        yield folder
        with suppress(FileNotFoundError):
            (folder / "filler").unlink()
        with superuser() as database:
            database.execute("ALTER TABLE organizations_auditentry SET TABLESPACE pg_default")
            database.execute("ALTER TABLE organizations_auditentry RESET (autovacuum_enabled)")
            database.execute("DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk(alice: Connected, provider: Rotating, polled: None, small_disk: Path) -> None:
    """V21 with PostgreSQL's own 53100: no space left on device.

    Where no disk may be mounted this is skipped, aloud, and `test_without_the_right_to_record_nothing_is_done` stands
    for it: the same statements, refused by PostgreSQL for want of a right, and the same assertions."""
    held = holder(alice)
    with suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
        while filler.write(b"\0" * 4096):
            pass
    fill_up(alice)
    with pytest.raises(Transient, match="audit log"):
        ConnectionTokens(alice.connection.pk, "new").access()
    assert_leases_end(alice, held)
    assert_nothing_happens(alice, provider)
    (small_disk / "filler").unlink()
    assert held.access().token.reveal() == provider.access_token
