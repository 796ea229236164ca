"""Which token is handed out, when it is renewed first, and what is told where none is left (docs/vault.md 5, 7)."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from math import inf
from uuid import UUID, uuid4

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from organizations import epochs
from organizations.models import AuditEntry, Member
from providers.base import Secret
from providers.errors import FreshTokenRefused, NeedsReconnect, Transient
from tests.vault import many
from tests.vault.conftest import Connected
from tests.vault.rotating import Rotating
from vault import answers, clock, grants, leases, outbound, renewal
from vault.errors import ConnectRequired
from vault.leases import Lease
from vault.models import Connection, State
from vault.tokens import ConnectionTokens

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process would hear of a revocation. The next look at the epochs is a minute away: none comes in between."""
    monkeypatch.setattr(epochs, "PROMPT_FOR", 60.0)
    epochs.start_polling(60.0)
    yield
    epochs.stop_polling()


def tokens(alice: Connected, purpose: str = "test") -> ConnectionTokens:
    return ConnectionTokens(alice.connection.pk, purpose)


def store(alice: Connected, seconds_left: float | None, **changes: object) -> None:
    """The newest grant again, with so long to live."""
    row = alice.again()
    with transaction.atomic():
        grants.store(row, grants.load(row).renewed(expires_at=clock.after(seconds_left), **changes))


def test_a_token_is_handed_out_without_a_database_connection(alice: Connected) -> None:
    """FT14: its user now waits for the provider."""
    source = tokens(alice)
    access = source.access()
    assert connection.connection is None
    assert source.generation == alice.connection.generation
    assert access.token.reveal() == alice.grant.access_token.reveal()


def test_a_lease_is_taken_once_and_lives_as_long_as_its_token(alice: Connected, listening: None) -> None:
    lease = tokens(alice).lease()
    assert lease.good_until == inf, "no end was announced"
    assert tokens(alice).lease() is lease
    store(alice, 3600.0)
    other = tokens(alice, "other").lease()
    assert 3500 < other.good_until - time.monotonic() <= 3600


def test_who_waits_for_anothers_look_up_waits_once_and_holds_no_connection(
    alice: Connected, listening: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FT14, V1: two waits after one another would be longer than a request may take."""
    source, entered, held = tokens(alice), threading.Event(), threading.Event()
    read = source._read

    def slowly() -> Lease:
        entered.set()
        held.wait(10)
        return read()

    monkeypatch.setattr(source, "_read", slowly)
    monkeypatch.setattr("vault.tokens._reads._patience", 0.3)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(source.lease)
        assert entered.wait(10)
        began = time.monotonic()
        with pytest.raises(Transient):
            source.lease()
        assert connection.connection is None
        assert time.monotonic() - began < 3
        held.set()
        lease = first.result(20)
        pool.submit(connections.close_all).result(20)
    assert source.lease() is lease


@pytest.mark.parametrize("left", [-1.0, 5.0])
def test_a_token_that_has_run_out_is_renewed_first(alice: Connected, provider: Rotating, left: float) -> None:
    """It would run out on its way; the caller never sees it, and nobody is asked twice."""
    store(alice, left)
    provider.changes = {"expires_in": 3600}
    lease = tokens(alice).lease()
    assert lease.access.token.reveal() == provider.access_token != alice.grant.access_token.reveal()
    assert lease.generation == alice.again().generation == 3
    assert provider.refreshes == 1
    assert AuditEntry.objects.get(action="token.presented").facts["purpose"] == "test"


def test_a_token_that_lives_a_little_more_than_ten_seconds_is_good(alice: Connected, provider: Rotating) -> None:
    """Tried again where the machine was so busy that the time was over."""
    for tried in range(5):
        store(alice, 10.9)
        tokens(alice).access()
        if provider.refreshes == tried:
            return
    pytest.fail("renewed each time")


def test_a_token_that_somebody_else_has_renewed_is_not_renewed_again(
    alice: Connected, provider: Rotating, listening: None
) -> None:
    """The refused one is forgotten for every purpose, so that nobody else runs into it."""
    old = tokens(alice).access().token
    tokens(alice, "other").access()
    store(alice, None, access_token=Secret("newer"))
    assert tokens(alice).access(rejected=old).token.reveal() == "newer"
    assert provider.refreshes == 0
    assert leases.held(alice.connection.pk, "other", None) is None


def test_a_provider_that_refuses_what_it_has_just_issued_is_left_alone(alice: Connected, provider: Rotating) -> None:
    """I6: a renewal brings the token that was refused. That is no verdict on the grant; nobody renews on and on."""
    old = tokens(alice).access().token
    provider.changes = {"access_token": old.reveal()}
    source = tokens(alice)
    with pytest.raises(FreshTokenRefused, match=r"^Salesforce refuses even a fresh token of this connection just now"):
        source.access(rejected=old)
    assert (provider.refreshes, provider.reuses) == (1, 0)
    assert source.generation == alice.again().generation
    assert alice.again().state == State.DEGRADED
    with pytest.raises(Transient, match=r"^Salesforce refuses even a fresh token"):
        source.access(rejected=old)
    assert provider.refreshes == 1


def test_what_another_has_renewed_a_moment_ago_may_have_been_revoked_since(
    alice: Connected, provider: Rotating
) -> None:
    """Whoever sees it refused for the first time asks the token endpoint once; for the purpose that he came for."""
    renewal.renew(alice.connection.pk, beyond=alice.connection.generation)
    fresh = tokens(alice).access().token
    assert tokens(alice, "other").access(rejected=fresh).token.reveal() == provider.access_token != fresh.reveal()
    assert provider.refreshes == 2
    presented = AuditEntry.objects.filter(action="token.presented").order_by("sequence")
    assert [each.facts["purpose"] for each in presented] == ["vault.renewal", "other"]


def test_a_person_who_was_sent_away_gets_nothing(alice: Connected) -> None:
    """I7: also before his connections have been ended."""
    Member.objects.filter(pk=alice.member.pk).update(is_active=False)
    with pytest.raises(ConnectRequired) as told:
        tokens(alice).access()
    assert told.value.provider == "salesforce"


def test_an_answer_that_a_crash_left_behind_is_used_first(alice: Connected, provider: Rotating) -> None:
    """I2: it came, and its process died before it was stored. No further call."""
    begun = renewal._begin(alice.connection.pk, alice.connection.generation)
    assert isinstance(begun, renewal.Begun)
    outbound.give_back_database()
    raw = grants_answer(provider)
    answers.keep(begun.attempt.id, answers.sealer(begun.connection, begun.attempt)(raw))
    Connection.objects.filter(pk=alice.connection.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert tokens(alice).access().token.reveal() == provider.access_token != alice.grant.access_token.reveal()
    assert provider.server.seen == []


def grants_answer(provider: Rotating) -> bytes:
    """What the provider would have answered to the refresh under way."""
    import json

    provider.refreshes += 1
    return json.dumps(provider._rotate()).encode()


def test_only_this_connections_token_is_handed_out() -> None:
    """Also where another one sorts before it."""
    many.seed(2, 1)
    first, second = Connection.objects.order_by("pk")
    for row, text in ((first, "first"), (second, "second")):
        grants.store(row, many.a_grant().renewed(access_token=Secret(text)))
    assert ConnectionTokens(first.pk, "test").access().token.reveal() == "first"
    assert ConnectionTokens(second.pk, "test").access().token.reveal() == "second"


def test_without_a_connection_only_connecting_helps() -> None:
    with pytest.raises(ConnectRequired):
        ConnectionTokens(uuid4(), "test").access()


@pytest.mark.parametrize(
    ("state", "error"),
    [
        (State.NEEDS_RECONNECT, NeedsReconnect),
        (State.REVOKING, ConnectRequired),
        (State.SHREDDED, ConnectRequired),
    ],
)
def test_a_connection_that_must_not_be_used_hands_out_nothing(state: State, error: type[Exception]) -> None:
    many.seed(1, 1)
    Connection.objects.update(state=state)
    (mine,) = Connection.objects.values_list("pk", flat=True)
    assert isinstance(mine, UUID)
    with pytest.raises(error):
        ConnectionTokens(mine, "test").access()
