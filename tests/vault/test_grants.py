"""What is sealed, where, and how it goes in and out of its row (docs/vault.md 2). Calls nobody."""

import hashlib
import hmac
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from organizations import audit
from providers.base import Secret
from tests.vault import many
from vault import clock, grants, keys
from vault.cipher import Place
from vault.errors import KeyGone, TokenTampered
from vault.grants import Grant
from vault.models import Connection, Credential

pytestmark = pytest.mark.django_db(databases=["default", "keys"])


@pytest.fixture
def rows() -> list[Connection]:
    """One connection in each of two organizations."""
    many.seed(2, 2)
    return list(Connection.objects.order_by("pk"))


def a_grant() -> Grant:
    """Every part differs from every other."""
    return Grant(
        access_token=Secret("access"),
        refresh_token=Secret("refresh"),
        client_id="client",
        login_url="https://login",
        issuer="https://issuer",
        token_endpoint="https://issuer/token",
        revocation_endpoint="https://issuer/revoke",
        api_url="https://api",
        page_url="https://pages",
        identity="identity",
        scopes=("one", "two"),
        expires_at=clock.now(),
        id=uuid4(),
        member=None,
    )


def told(grant: Grant) -> list[object]:
    refresh = grant.refresh_token and grant.refresh_token.reveal()
    return [
        grant.access_token.reveal(),
        refresh,
        grant.client_id,
        grant.login_url,
        grant.issuer,
        grant.token_endpoint,
        grant.revocation_endpoint,
        grant.api_url,
        grant.page_url,
        grant.identity,
        grant.scopes,
        grant.expires_at,
        grant.id,
        grant.member,
    ]


@pytest.mark.parametrize(
    "without", [{}, {"member": uuid4()}, {"refresh_token": None}, {"expires_at": None}, {"scopes": ()}]
)
def test_a_grant_comes_back_as_it_was(without: dict[str, object]) -> None:
    grant = a_grant().renewed(**without)
    assert told(Grant.from_json(grant.to_json())) == told(grant)


def test_a_renewed_grant_changes_only_what_is_said() -> None:
    grant = a_grant()
    fresh = Secret("fresh")
    assert told(grant.renewed(access_token=fresh)) == ["fresh", *told(grant)[1:]]
    assert grant.access_token.reveal() == "access"


def test_where_a_credential_is_sealed_to(rows: list[Connection]) -> None:
    """I5. Each part is spelled out: what was sealed before a release must open after it."""
    row = rows[0]
    credential = Credential.objects.get(connection=row)
    assert grants.place_of(credential) == Place(
        row.organization_id, "vault_credential", credential.id, "sealed", "salesforce", 1, str(row.pk)
    )


def test_the_newest_grant_replaces_the_one_before(rows: list[Connection]) -> None:
    """One row each; the caller's connection follows, and so does one that was read before."""
    row, before, other = rows[1], Connection.objects.get(pk=rows[1].pk), grants.load(rows[0])
    for generation in (2, 3):
        grant = a_grant().renewed(member=row.member_id)
        grants.store(row, grant)
        assert row.generation == generation
        assert told(grants.load(before)) == told(grant)
        assert before.generation == generation
    stored = Credential.objects.get(connection=row)
    assert (stored.generation, stored.grant_id) == (3, grant.id)
    assert Connection.objects.get(pk=row.pk).generation == 3
    assert told(grants.load(rows[0])) == told(other)
    assert Credential.objects.count() == 2


def test_the_first_grant_of_a_connection(rows: list[Connection]) -> None:
    Credential.objects.filter(connection=rows[0]).delete()
    grant = a_grant()
    grants.store(rows[0], grant)
    assert told(grants.load(rows[0])) == told(grant.renewed(member=rows[0].member_id))


def test_storing_writes_no_other_column(rows: list[Connection]) -> None:
    """The caller may hold an older reading of the row."""
    Connection.objects.update(reason="written meanwhile")
    grants.store(rows[0], a_grant().renewed(expires_at=clock.after(1000.0)))
    row = Connection.objects.get(pk=rows[0].pk)
    assert row.reason == "written meanwhile"
    assert row.renew_at is not None


def test_another_grant_than_its_row_names_is_refused(rows: list[Connection]) -> None:
    Credential.objects.filter(connection=rows[0]).update(grant_id=uuid4())
    with pytest.raises(TokenTampered, match="another grant"):
        grants.load(rows[0])


@pytest.mark.parametrize("generation", [0, 2])
def test_another_generation_than_its_connections_is_refused(rows: list[Connection], generation: int) -> None:
    Connection.objects.filter(pk=rows[0].pk).update(generation=generation)
    with pytest.raises(TokenTampered, match="another generation"):
        grants.load(rows[0])


def test_a_generation_that_the_audit_log_is_ahead_of_is_refused(rows: list[Connection]) -> None:
    """I3: only the entries about this connection count, and of those only the newest that names a generation."""
    row, other = rows

    def noted(**facts: int) -> None:
        audit.record(row.organization_id, "operator", "test", row.pk, "ok", **facts)

    audit.record(other.organization_id, "operator", "test", other.pk, fence=7)
    noted(fence=1)
    noted()
    assert grants.load(row)
    noted(fence=2)
    with pytest.raises(TokenTampered, match="earlier generation"):
        grants.load(row)


def test_what_does_not_open_is_none_where_it_only_ends(rows: list[Connection]) -> None:
    row = rows[0]
    grant = grants.load_if_any(row)
    assert grant is not None
    assert grant.access_token.reveal() == many.TOKEN
    Credential.objects.filter(connection=row).update(grant_id=uuid4())
    assert grants.load_if_any(row) is None
    keys.shred(row.organization_id)
    with pytest.raises(KeyGone):
        grants.load(row)
    assert grants.load_if_any(row) is None
    Credential.objects.filter(connection=row).delete()
    assert grants.load_if_any(row) is None


def test_opened_keys_need_no_look_at_the_key_store(rows: list[Connection]) -> None:
    """Both kinds of this one organization: the key that opens, and the key that seals. A key service may be behind."""
    keys.forget_all()
    mine = rows[1]
    grants.open_keys(mine.pk)
    with CaptureQueriesContext(connections["keys"]) as asked:
        grants.store(mine, grants.load(mine))
        assert len(asked) == 0
        grants.load(rows[0])
        assert len(asked) == 1, "nobody else's key was opened"
    grants.open_keys(uuid4())


# -- when to renew ----------------------------------------------------------------------------------------------------


def test_grants_that_begin_together_are_due_all_over_a_tenth_of_their_life() -> None:
    """docs/vault.md 5: from 75 to 85 percent, evenly, by the connection's id alone."""
    life = timedelta(days=1000)
    began = clock.now()
    grant = a_grant().renewed(expires_at=began + life)

    def share(connection_id: UUID) -> float:
        due = grants._due(connection_id, grant)
        assert due is not None
        return (due - began) / life

    shares = sorted(share(UUID(int=number)) for number in range(300))
    assert 0.75 <= shares[0] < 0.755
    assert 0.845 < shares[-1] < 0.8501
    assert sum(each < 0.8 for each in shares) in range(110, 190)
    assert share(UUID(int=1)) == pytest.approx(share(UUID(int=1)), abs=1e-6)


def test_what_has_run_out_is_due_and_what_does_not_is_never() -> None:
    over = a_grant().renewed(expires_at=clock.now() - timedelta(hours=1))
    due = grants._due(uuid4(), over)
    assert due is not None
    assert due <= clock.now()
    assert grants._due(uuid4(), replace(over, expires_at=None)) is None


# -- names of tokens --------------------------------------------------------------------------------------------------


def test_a_fingerprint_is_a_keyed_hash_that_stays_the_same(settings: Settings) -> None:
    """The audit log is kept for years: a token's name in it must not change with a release."""
    settings.AUDIT_KEY = "a key"
    key = hashlib.sha256(b"token fingerprint v1a key").digest()
    wanted = hmac.new(key, b"token", hashlib.sha256).hexdigest()[:16]
    assert grants.fingerprint(Secret("token")) == wanted
    assert len(wanted) == 16
    settings.AUDIT_KEY = "another key"
    assert grants.fingerprint(Secret("token")) != wanted


def test_same_compares_what_is_inside() -> None:
    assert grants.same(Secret("one"), Secret("one")) is True
    assert grants.same(Secret("one"), Secret("two")) is False
