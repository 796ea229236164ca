"""The oracle can fail: one deliberate violation of each invariant, and it says so; and nothing where all is well."""

import logging
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.utils import timezone

from organizations import audit
from organizations.models import AuditEntry
from organizations.privacy.shapes import shapes_of
from providers.base import Secret
from providers.errors import NeedsReconnect
from simulators.ledger import Refresh, digest
from tests.faults import evidence
from tests.faults.oracle import Oracle
from tests.vault.conftest import Connected
from tests.vault.rotating import GRANT, USER, Rotating
from vault import answers, grants, keys, renewal, revocation
from vault.models import Attempt, Connection, Credential, DataKey, State
from vault.tokens import ConnectionTokens

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


@pytest.fixture
def witness(alice: Connected, provider: Rotating, oracle: Oracle) -> Oracle:
    """An oracle of its own, not the fixture that fails the test; it knows what the fixture's has heard."""
    found = Oracle()
    found.secrets, found.log = oracle.secrets, oracle.log
    found.witness(lambda: provider.ledger.as_json(provider.living()))
    return found


@pytest.fixture
def mended(oracle: Oracle) -> None:
    """These tests leave a violation behind on purpose: the fixture's own verdict is not asked for."""
    oracle.violations = list  # type: ignore[method-assign]


def renew(alice: Connected) -> Secret:
    source = ConnectionTokens(alice.connection.pk, "test")
    return source.access(rejected=source.access().token).token


def named(violations: list[str]) -> set[str]:
    return {each.partition(":")[0] for each in violations}


def presented(alice: Connected, token: Secret | None) -> None:
    """As the audit log has it before a renewal is sent."""
    assert token is not None
    told = grants.fingerprint(token)
    audit.record(alice.member.organization_id, "task:test", renewal.PRESENTED, alice.connection.pk, token=told)


def refusal(token: str, age: float = 0.0) -> Refresh:
    """As the ledger has it when the provider has refused `token` `age` seconds ago."""
    at = timezone.now().timestamp() - age
    return Refresh(digest(token), at - 0.1, GRANT, USER, "refused", "", at, delivered=True)


def test_it_says_nothing_where_all_is_well(alice: Connected, provider: Rotating, witness: Oracle) -> None:
    """Leases, two renewals, a refusal, an end: no violation. It has looked at something, too."""
    renew(alice)
    renew(alice)
    assert witness.violations() == []
    provider.alive = False
    with pytest.raises(NeedsReconnect):
        renew(alice)
    assert witness.violations() == []
    revocation.disconnect(alice.connection.pk, "operator")
    found = witness.evidence()
    assert witness.violations() == []
    assert len(found.ledger.refreshes) == 3
    assert len(found.secrets) >= 8
    assert {"log", "database default", "database keys", "valkey"} <= set(found.texts)
    assert len(found.texts["database default"]) > 3_000


def test_every_sealed_column_is_looked_at() -> None:
    """A sealed column that the oracle cannot read would not be judged."""
    assert evidence.sealed_columns() == set(evidence.READERS)


def test_i1_overlapping_refreshes(mended: None, alice: Connected, provider: Rotating, witness: Oracle) -> None:
    renew(alice)
    (entry,) = provider.ledger.refreshes
    presented(alice, alice.grant.refresh_token)
    assert entry.ended is not None
    provider.ledger.refreshes.append(replace(entry, began=entry.began - 0.5, ended=entry.ended + 0.5))
    assert named(witness.violations()) == {"I1"}
    provider.ledger.refreshes[-1].ended = entry.began
    assert witness.violations() == []


def test_i2_a_lost_refresh_token(mended: None, alice: Connected, provider: Rotating, witness: Oracle) -> None:
    renew(alice)
    provider.refresh_token = "another-one-that-was-never-stored"
    assert named(witness.violations()) == {"I2"}
    row = alice.again()
    Attempt.objects.create(connection=row, grant_id=alice.grant.id, generation=row.generation)
    assert witness.violations() == [], "an attempt of whose answer nobody knows"


def test_i3_a_reuse(mended: None, alice: Connected, provider: Rotating, witness: Oracle) -> None:
    """An older grant is presented: as if a row had been put back."""
    old = grants.load(alice.again())
    renew(alice)
    row = alice.again()
    grants.store(row, old)
    with pytest.raises(NeedsReconnect):
        renew(alice)
    assert "I3" in named(witness.violations())
    witness.reuses = 1
    assert "I3" not in named(witness.violations())


@pytest.mark.parametrize("leak", ["log", "table", "file", "output"])
def test_i4_a_secret_in_clear(
    mended: None, alice: Connected, provider: Rotating, witness: Oracle, leak: str, tmp_path: Path
) -> None:
    """Also a token that has been replaced since, and in another shape."""
    old = provider.access_token
    renew(alice)
    if leak == "log":
        logging.getLogger("sidebar.vault").warning("renewed %s", old)
    if leak == "table":
        Connection.objects.update(reason=old.encode().hex()[:200])
    if leak == "file":
        (tmp_path / "crash.txt").write_text(shapes_of(provider.refresh_token)[-1].decode())
        witness.look_into(tmp_path)
    if leak == "output":
        witness.read("standard error", provider.refresh_token.encode("utf-16-le"))
    assert named(witness.violations()) == {"I4"}


def test_i5_a_changed_and_a_moved_value(mended: None, alice: Connected, witness: Oracle) -> None:
    row = Credential.objects.get()
    Credential.objects.update(sealed=bytes(row.sealed)[:-1] + bytes([bytes(row.sealed)[-1] ^ 1]))
    assert named(witness.violations()) == {"I5"}
    Credential.objects.update(sealed=row.sealed)
    assert witness.violations() == []
    Connection.objects.update(generation=9)
    assert "I5" in named(witness.violations())


def test_i6_dead_without_a_verdict(mended: None, alice: Connected, provider: Rotating, witness: Oracle) -> None:
    from vault import states

    with pytest.raises(NeedsReconnect):
        states.refuse(alice.connection.pk, alice.again().generation, "because we say so")
    assert named(witness.violations()) == {"I6"}
    provider.ledger.used("/services/data/v62.0/query", 401, GRANT, USER, provider.access_token)
    assert "I6" in named(witness.violations()), "an API's refusal of an access token is no verdict"
    provider.ledger.uses.clear()
    provider.alive = False
    provider.ledger.refreshes.append(refusal(provider.refresh_token))
    presented(alice, alice.grant.refresh_token)
    assert witness.violations() == []


#: Of an API, of Microsoft's whose beginning is that of its question who one is, and two such questions.
USES = ("/services/data/v62.0/query", "/v1.0/me/messages", "/v1.0/me", "/services/oauth2/userinfo", "/id/00D/005")


@pytest.mark.parametrize("path", USES)
def test_i7_a_call_after_the_end(
    mended: None, alice: Connected, provider: Rotating, witness: Oracle, path: str
) -> None:
    """Also one that only asks whether the grant still works."""
    renew(alice)
    used = provider.access_token
    provider.ledger.used(path, 200, GRANT, USER, used)
    revocation.disconnect(alice.connection.pk, "operator")
    assert witness.violations() == []
    provider.ledger.used(path, 200, GRANT, USER, used)
    provider.ledger.uses[-1].at += 4
    assert witness.violations() == []
    provider.ledger.uses[-1].at += 2
    with connection.cursor() as cursor:  # as if ten seconds had gone by since
        cursor.execute("SELECT clock_timestamp() + interval '10 seconds'")
        (later,) = cursor.fetchone()
    found = witness.evidence()
    found.now = later
    from tests.faults.invariants import check

    assert named(check(found)) == {"I7"}


@pytest.mark.parametrize("path", USES)
def test_i8_a_use_without_an_audit_row(
    mended: None, alice: Connected, provider: Rotating, witness: Oracle, path: str
) -> None:
    """Also where it only asks whether the token works: a probe has a lease."""
    renew(alice)
    provider.ledger.used(path, 200, GRANT, USER, provider.access_token)
    assert witness.violations() == []
    provider.ledger.used(path, 200, GRANT, USER, Secret("never-leased-to-anybody").reveal())
    assert named(witness.violations()) == {"I8"}


def test_weighing_a_late_answer_is_no_use(mended: None, alice: Connected, provider: Rotating, witness: Oracle) -> None:
    """V6: of the attempt that it came to, while that is open; no question after it, and nothing but the question."""
    renew(alice)
    row, began = alice.again(), timezone.now()
    fields = {"connection": row, "grant_id": alice.grant.id, "generation": row.generation, "started_at": began}
    late = Attempt.objects.create(**fields, outcome=answers.REPLACED, ended_at=began + timedelta(seconds=30))
    provider.ledger.used("/v1.0/me", 401, GRANT, USER, Secret("of-a-late-answer-1").reveal())
    assert witness.violations() == []
    provider.ledger.used("/v1.0/me/messages", 401, GRANT, USER, Secret("of-a-late-answer-2").reveal())
    assert named(witness.violations()) == {"I8"}
    provider.ledger.uses.pop()
    Attempt.objects.filter(pk=late.pk).update(ended_at=began)
    assert named(witness.violations()) == {"I8"}
    Attempt.objects.filter(pk=late.pk).update(ended_at=None, outcome="")
    assert named(witness.violations()) == {"I8"}, "no answer has come that could be weighed"


def test_i8_a_refresh_without_an_audit_row(mended: None, alice: Connected, provider: Rotating, witness: Oracle) -> None:
    """Of this very token: another one's row, or an attempt alone, is no evidence."""
    Attempt.objects.create(connection=alice.connection, grant_id=alice.grant.id, generation=0, ended_at=timezone.now())
    provider.ledger.refreshes.append(refusal(provider.refresh_token))
    provider.ledger.refreshes[-1].delivered = False
    assert named(witness.violations()) == {"I8"}
    presented(alice, Secret("another-refresh-token"))
    assert named(witness.violations()) == {"I8"}
    presented(alice, alice.grant.refresh_token)
    assert witness.violations() == []


def test_i8_a_changed_audit_row(mended: None, alice: Connected, witness: Oracle) -> None:
    renew(alice)
    AuditEntry.objects.filter(action="token.leased").update(actor="somebody else")
    assert named(witness.violations()) == {"I8"}


def test_i9_a_key_that_is_gone(mended: None, alice: Connected, witness: Oracle) -> None:
    """A process that starts now could open nothing; this one still could, from RAM."""
    DataKey.objects.using("keys").filter(organization_id=alice.member.organization_id).delete()
    assert {"I5", "I9"} <= named(witness.violations())


def test_i10_a_death_nobody_sees(mended: None, alice: Connected, provider: Rotating, witness: Oracle) -> None:
    provider.ledger.refreshes.append(refusal(provider.refresh_token, age=59))
    presented(alice, alice.grant.refresh_token)
    assert witness.violations() == []
    provider.ledger.refreshes[-1].ended = (timezone.now() - timedelta(seconds=61)).timestamp()
    assert named(witness.violations()) == {"I10"}
    Connection.objects.update(state=State.NEEDS_RECONNECT, reason="")
    assert "I10" in named(witness.violations()), "without a reason nobody learns what to do"


def test_t_a_key_opened_in_a_transaction(mended: None, alice: Connected, oracle: Oracle) -> None:
    keys.forget_all()
    with transaction.atomic():
        grants.load(alice.again())
    assert oracle.waited == {"a data key was opened"}
    assert "T: a data key was opened in a transaction" in Oracle.violations(oracle)
