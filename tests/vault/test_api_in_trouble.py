"""I6, G7: an API that refuses every token while the token endpoint renews them. Grants live through it, in words."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import connections
from django.db.models.functions import Now

from organizations.models import AuditEntry, Member
from providers.base import Crm, Secret
from providers.errors import FreshTokenRefused, NeedsReconnect, ProviderError, Transient
from tests.providers.faulty import Handler
from tests.vault.conftest import Connected
from tests.vault.rotating import GRANT, USER, Rotating
from tests.vault.test_tokens import store
from vault import clients, probe, renewal, standing, states
from vault.models import Attempt, Connection, State

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)

SESSION_GONE = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]


def crm(alice: Connected) -> Crm:
    return clients.crm_for(clients.salesforce_connection_of(alice.member), "sidebar.lookup")


def use(alice: Connected) -> None:
    crm(alice).create("Contact", {"LastName": "Doe"})


@pytest.fixture
def api(alice: Connected, provider: Rotating) -> Callable[[bool], None]:
    """Whether the API accepts tokens. Like a use, each call is in the ledger."""
    oauth, accepts = provider.server.behave, [False]

    def behave(handler: Handler) -> None:
        seen = provider.server.seen[-1]
        if not seen.path.startswith("/services/data"):
            oauth(handler)
            return
        bearer = seen.headers.get("Authorization", "").removeprefix("Bearer ")
        provider.ledger.used(seen.path, 201 if accepts[0] else 401, GRANT, USER, bearer)
        if accepts[0]:
            handler.answer(201, {"id": "003000000000001AAA", "success": True, "errors": []})
        else:
            handler.answer(401, SESSION_GONE)

    provider.server.behave = behave
    return lambda yes: accepts.__setitem__(0, yes)


def wait_is_over() -> None:
    """All of it was a while ago."""
    Connection.objects.update(retry_at=Now() - timedelta(seconds=1))
    Attempt.objects.update(ended_at=Now() - timedelta(seconds=30))


def it_has_lasted() -> None:
    """So that the waits are long enough to be looked at."""
    Connection.objects.update(cause="token_refused", failures=3)


def wait(alice: Connected) -> float:
    row = Connection.objects.annotate(clock=Now()).get(pk=alice.connection.pk)
    return (row.retry_at - row.clock).total_seconds() if row.retry_at else 0.0


def test_a_fault_of_the_api_ends_no_grant(
    alice: Connected, provider: Rotating, api: Callable[[bool], None], polled: None
) -> None:
    """The person reads the reason and is asked to wait; he stays a confirmed member; afterwards all is well."""
    with pytest.raises(FreshTokenRefused) as told:
        use(alice)
    row = alice.again()
    assert (row.state, row.reason, row.cause) == (State.DEGRADED, str(told.value), "token_refused")
    assert Member.objects.get(pk=alice.member.pk).is_confirmed
    assert (provider.refreshes, provider.alive) == (1, True)
    (shown,) = standing.of(alice.member)
    assert (shown.status.words, shown.status.tone) == ("Connected, with trouble", "warn")
    assert shown.status.reason == row.reason
    assert shown.status.advice == "There is nothing to do: we keep trying."
    api(True)
    use(alice)
    row = alice.again()
    assert (row.state, row.reason, row.failures, row.retry_at) == (State.HEALTHY, "", 0, None)
    assert [each.status for each in provider.ledger.uses if each.path.startswith("/services/data")] == [401, 401, 201]


def test_it_is_renewed_once_in_each_back_off(alice: Connected, provider: Rotating, api: Callable[[bool], None]) -> None:
    """A renewal that worked does not reset the waits: it says nothing about the API."""
    it_has_lasted()
    waits = []
    for number in range(1, 5):
        for _ in range(3):
            with pytest.raises(Transient):
                use(alice)
        assert provider.refreshes == number
        assert alice.again().state == State.DEGRADED
        waits.append(wait(alice))
        wait_is_over()
    for number, each in enumerate(waits):
        assert 16 * 2**number - 8 < each <= 16 * 2**number
    assert AuditEntry.objects.filter(action="token.refused_fresh").count() == 4
    assert provider.reuses == 0


def test_many_callers_make_no_storm_of_renewals(
    alice: Connected, provider: Rotating, api: Callable[[bool], None], polled: None
) -> None:
    def call(_: int) -> None:
        try:
            with suppress(Transient):
                use(alice)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(call, range(100)))
    assert provider.refreshes <= 3
    assert (alice.again().state, provider.alive, provider.reuses) == (State.DEGRADED, True, 0)


def test_the_verdict_is_the_token_endpoints(alice: Connected, provider: Rotating, api: Callable[[bool], None]) -> None:
    it_has_lasted()
    with pytest.raises(FreshTokenRefused):
        use(alice)
    provider.alive = False
    with pytest.raises(ProviderError):
        use(alice)
    assert alice.again().state == State.DEGRADED, "nobody has been asked yet"
    wait_is_over()
    with pytest.raises(NeedsReconnect):
        use(alice)
    assert alice.again().state == State.NEEDS_RECONNECT


def test_a_probe_decides_where_nobody_calls(alice: Connected, provider: Rotating, api: Callable[[bool], None]) -> None:
    with pytest.raises(FreshTokenRefused):
        use(alice)
    row = alice.again()
    assert row.probe_at is not None
    wait_is_over()
    probe.probe(row.pk)
    row = alice.again()
    assert (row.state, row.reason, row.probe_at) == (State.HEALTHY, "", None)


def test_a_probe_whose_fresh_token_is_refused_too_proves_nothing(alice: Connected, provider: Rotating) -> None:
    def refuse(handler: Handler) -> None:
        if provider.server.seen[-1].path.endswith("/userinfo"):
            handler.answer(403, b"Bad_OAuth_Token")
        else:
            provider._behave(handler)

    provider.server.behave = refuse
    probe.probe(alice.connection.pk)
    row = alice.again()
    assert (row.state, row.cause, provider.refreshes) == (State.DEGRADED, "token_refused", 1)


def test_a_doubt_that_comes_during_a_renewal_leaves_it_alone(alice: Connected, provider: Rotating) -> None:
    """Its holder goes on; when it has worked, the doubt and its wait are still there."""
    error = FreshTokenRefused("salesforce", "Salesforce")

    def meanwhile() -> None:
        states.doubt(alice.connection.pk, alice.connection.generation, error)
        connections.close_all()  # of the provider's thread

    provider.meanwhile = meanwhile
    renewal.renew(alice.connection.pk, beyond=alice.connection.generation)
    row = alice.again()
    assert (row.state, row.cause, row.failures, row.lease_until) == (State.DEGRADED, "token_refused", 1, None)
    assert wait(alice) > 0
    states.doubt(row.pk, alice.connection.generation, error)
    assert alice.again().failures == 1, "about a generation that has passed"


def test_a_token_that_was_replaced_meanwhile_is_no_fresh_one(
    alice: Connected, provider: Rotating, api: Callable[[bool], None], polled: None
) -> None:
    """This process still holds the one before. That the next is refused as well is for the token endpoint to explain:
    the person hears at once that the grant was revoked, and is not asked to try again."""
    use_it = crm(alice)
    store(alice, None, access_token=Secret("newer"))
    provider.alive = False
    before = len(provider.server.seen)
    with pytest.raises(NeedsReconnect):
        use_it.create("Contact", {"LastName": "Doe"})
    assert [seen.path.startswith("/services/data") for seen in provider.server.seen[before:]] == [True, True, False]
    assert alice.again().state == State.NEEDS_RECONNECT


def test_filing_a_mail_tells_of_it_too(alice: Connected, api: Callable[[bool], None]) -> None:
    activities = clients.activities_for(clients.salesforce_connection_of(alice.member), "sync.write")
    with pytest.raises(FreshTokenRefused):
        activities.people(["jane@x.example"])
    assert alice.again().state == State.DEGRADED
