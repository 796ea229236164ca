"""Old rows put back by somebody who can write SQL: one of them, or both together (I3, I5, docs/vault.md 2)."""

import threading
from typing import Any

import pytest
from django.db import connection as database
from django.db import connections, transaction

from organizations import audit
from organizations.models import AuditEntry
from tests.vault import many
from tests.vault.conftest import Connected
from tests.vault.rotating import Rotating
from vault import grants, renewal, revocation
from vault.errors import TokenTampered
from vault.models import Connection, Credential, DiscardedGrant, State
from vault.tokens import ConnectionTokens

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def snapshot() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    return [dict(row) for row in Connection.objects.values()], [dict(row) for row in Credential.objects.values()]


def put_back(rows: list[dict[str, Any]], model: type[Any]) -> None:
    """Whole rows, as they were."""
    for row in rows:
        if not model.objects.filter(pk=row["id"]).update(**row):
            model.objects.create(**row)


@pytest.mark.oracle(finds=["I2", "I5"])
def test_one_old_row_alone_is_refused(alice: Connected, provider: Rotating) -> None:
    """V19, I5: the credential without its connection, and the other way round."""
    before = snapshot()
    renewal.renew(alice.connection.pk, beyond=1)
    after = snapshot()
    put_back(before[1], Credential)
    with pytest.raises(TokenTampered):
        grants.load(alice.again())
    put_back(after[1], Credential)
    assert grants.load(alice.again())
    put_back(before[0], Connection)
    with pytest.raises(TokenTampered):
        grants.load(alice.again())


@pytest.mark.oracle(finds=["I2"])
def test_both_rows_put_back_together_are_refused(alice: Connected, provider: Rotating) -> None:
    """V19, I3: the audit log knows a newer generation, so the old refresh token is not presented again."""
    renewal.renew(alice.connection.pk, beyond=1)
    before = snapshot()
    renewal.renew(alice.connection.pk, beyond=2)
    put_back(before[0], Connection)
    put_back(before[1], Credential)
    with pytest.raises(TokenTampered, match="earlier generation"):
        grants.load(alice.again())
    with pytest.raises(TokenTampered):
        ConnectionTokens(alice.connection.pk, "test").access()
    with pytest.raises(TokenTampered):
        renewal.renew(alice.connection.pk, beyond=2)
    assert (provider.refreshes, provider.reuses) == (2, 0)


def test_an_ended_grant_put_back_is_refused(alice: Connected, provider: Rotating) -> None:
    """V19, I7: who disconnects does not come back to life by SQL."""
    before = snapshot()
    assert revocation.disconnect(alice.connection.pk, "operator")
    assert not DiscardedGrant.objects.exists()
    put_back(before[0], Connection)
    put_back(before[1], Credential)
    assert alice.again().state == State.HEALTHY
    with pytest.raises(TokenTampered):
        ConnectionTokens(alice.connection.pk, "test").access()


@pytest.mark.oracle(finds=["I2", "I8"])
def test_who_puts_the_log_back_too_breaks_its_chain(alice: Connected, provider: Rotating) -> None:
    """What is left to him is found by `audit_verify`: the log's end has a MAC of its own."""
    before = snapshot()
    renewal.renew(alice.connection.pk, beyond=1)
    put_back(before[0], Connection)
    put_back(before[1], Credential)
    AuditEntry.objects.filter(action="token.renewed").delete()
    assert grants.load(alice.again())
    assert audit.verify(alice.member.organization_id) is not None


def test_every_stored_change_is_fenced_in_the_log(alice: Connected, provider: Rotating) -> None:
    renewal.renew(alice.connection.pk, beyond=1)
    revocation.disconnect(alice.connection.pk, "operator")
    about = AuditEntry.objects.filter(target=str(alice.connection.pk), facts__has_key="fence")
    assert list(about.order_by("sequence").values_list("facts__fence", flat=True)) == [2, 3]


def test_a_renewal_between_two_reads_is_no_tampering(alice: Connected, provider: Rotating) -> None:
    """A row that was read a moment ago is brought to the generation that its credential is of."""
    stale = alice.again()
    renewal.renew(stale.pk, beyond=1)
    assert grants.load(stale).access_token.reveal() == provider.access_token
    assert stale.generation == 2


def test_readers_never_see_a_half_of_a_renewal(alice: Connected, provider: Rotating) -> None:
    """Connection, credential and log are read in one statement."""
    stop, failures = threading.Event(), list[str]()

    def read() -> None:
        try:
            while not stop.is_set():
                grants.load(Connection.objects.get(pk=alice.connection.pk))
        except Exception as error:  # noqa: BLE001  what it is, is the result
            failures.append(repr(error))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(40):
        with transaction.atomic():
            row = Connection.objects.select_for_update().get(pk=alice.connection.pk)
            grants.store(row, many.a_grant(grants.load(row).id))
            audit.record(row.organization_id, "task:renewal", "token.renewed", row.pk, fence=row.generation)
    stop.set()
    for thread in threads:
        thread.join(20)
    assert failures == []


def test_the_look_into_the_log_uses_its_index(alice: Connected) -> None:
    """It is part of every lease, so it must not walk an organization's log."""
    for number in range(300):
        audit.record(alice.member.organization_id, "task:test", "token.leased", alice.connection.pk, generation=number)
    audit.record(alice.member.organization_id, "task:test", "token.renewed", alice.connection.pk, fence=1)
    with database.cursor() as cursor:
        cursor.execute("ANALYZE organizations_auditentry")
    fence = audit.newest_fence("connection__organization_id", "connection_id")
    plan = Credential.objects.annotate(fence=fence).filter(connection_id=alice.connection.pk).explain()
    assert "audit_newest_fence" in plan
