"""Renewal of a grant: one call however many ask, nothing lost however we die (C13; docs/vault.md 5, 6, V1 to V14)."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.utils import timezone

from organizations.models import AuditEntry
from providers.base import Access, Secret
from providers.errors import NeedsReconnect, RateLimited, Transient
from tests.vault.conftest import Connected
from tests.vault.rotating import Rotating, cut, page
from vault import answers, clients, grants, incidents, renewal, settling, upkeep
from vault.models import Attempt, Connection, Credential, Incident, State
from vault.tokens import ConnectionTokens

pytestmark = [
    pytest.mark.django_db(databases=["default", "keys"], transaction=True),
    pytest.mark.usefixtures("judged"),
]


def tokens(alice: Connected, purpose: str = "test") -> ConnectionTokens:
    return ConnectionTokens(alice.connection.pk, purpose)


def renew(alice: Connected) -> Access:
    source = tokens(alice)
    return source.access(rejected=source.access().token)


def retry_now(connection_id: UUID) -> None:
    Connection.objects.filter(pk=connection_id).update(retry_at=None)


def at_once(count: int, work: Callable[[], Access]) -> list[Any]:
    """Run `work` in threads that start together; results and exceptions."""
    barrier = threading.Barrier(count)
    results: list[Any] = []

    def one() -> None:
        barrier.wait()
        try:
            results.append(work())
        except Exception as error:  # noqa: BLE001  the test looks at them
            results.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def test_a_warm_lease_makes_no_query(
    alice: Connected, provider: Rotating, polled: None, django_assert_num_queries: Any
) -> None:
    """docs/vault.md 7: one audit row per lease and purpose, written before; then RAM."""
    source = tokens(alice, "sidebar.lookup")
    assert source.access().token.reveal() == provider.access_token
    with django_assert_num_queries(0):
        assert source.access().token.reveal() == provider.access_token
    leased = AuditEntry.objects.filter(action="token.leased")
    assert [entry.facts["purpose"] for entry in leased] == ["sidebar.lookup"]
    assert provider.access_token not in str(leased[0].facts)
    assert alice.again().last_used_for == "sidebar.lookup"
    assert provider.server.seen == []


def test_twenty_threads_with_a_refused_token_make_one_call(alice: Connected, provider: Rotating) -> None:
    """V1, I1, I3."""
    provider.delay = 0.2
    old = tokens(alice).access().token
    found = [each.token.reveal() for each in at_once(20, lambda: tokens(alice).access(rejected=old))]
    assert found == [provider.access_token] * 20
    assert (provider.refreshes, provider.reuses) == (1, 0)
    assert alice.again().state == State.HEALTHY
    assert alice.again().generation == alice.connection.generation + 1


def test_an_error_is_shared_by_all_who_wait(alice: Connected, provider: Rotating) -> None:
    provider.delay = 0.2
    provider._rotate = dict  # type: ignore[method-assign]
    provider.instead = lambda handler: handler.answer(503, {})
    old = tokens(alice).access().token
    found = at_once(20, lambda: tokens(alice).access(rejected=old))
    assert all(isinstance(each, Transient) for each in found)
    assert provider.refreshes == 1


def test_a_rotated_refresh_token_replaces_the_old_one(alice: Connected, provider: Rotating) -> None:
    for _ in range(3):
        assert renew(alice).token.reveal() == provider.access_token
    kept = grants.load(alice.again())
    assert kept.refresh_token is not None
    assert kept.refresh_token.reveal() == provider.refresh_token
    assert (provider.refreshes, provider.reuses) == (3, 0)


def test_an_answer_without_refresh_token_keeps_the_old_one(alice: Connected, provider: Rotating) -> None:
    """V10."""
    provider.rotates = False
    renew(alice)
    kept = grants.load(alice.again())
    assert kept.refresh_token is not None
    assert kept.refresh_token.reveal() == provider.refresh_token


def test_a_refusal_is_final_and_asked_once(alice: Connected, provider: Rotating) -> None:
    """C17, I6, FT27: at most one further attempt after the revocation."""
    old = tokens(alice).access().token
    provider.alive = False
    for _ in range(5):
        with pytest.raises(NeedsReconnect):
            tokens(alice).access(rejected=old)
    assert provider.refreshes == 1
    assert alice.again().state == State.NEEDS_RECONNECT
    with pytest.raises(NeedsReconnect):
        clients.salesforce_connection_of(alice.member)
    assert AuditEntry.objects.filter(action="connection.needs_reconnect").count() == 1


def test_a_refusal_of_an_older_token_is_not_believed(alice: Connected, provider: Rotating) -> None:
    """V8, FT28: another process has rotated while our refused request was under way."""
    old = tokens(alice).access().token

    def other_process_stores_a_newer_grant() -> None:
        provider.meanwhile = lambda: None
        row = Connection.objects.get(pk=alice.connection.pk)
        newer = grants.load(row).renewed(access_token=Secret("newer-token"), refresh_token=Secret("newer-refresh"))
        grants.store(row, newer)
        connections.close_all()

    provider.alive = False
    provider.meanwhile = other_process_stores_a_newer_grant
    assert tokens(alice).access(rejected=old).token.reveal() == "newer-token"
    assert alice.again().state in (State.HEALTHY, State.REFRESHING)


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_provider_trouble_never_kills(alice: Connected, provider: Rotating, status: int) -> None:
    """V9, FT18, I6: back-off, and healthy again afterwards."""
    old = tokens(alice).access().token
    rotate, provider._rotate = provider._rotate, dict  # type: ignore[method-assign]
    provider.instead = lambda handler: handler.answer(status, {"error": "unavailable"})
    with pytest.raises((Transient, Exception)) as caught:
        tokens(alice).access(rejected=old)
    assert not isinstance(caught.value, NeedsReconnect)
    assert alice.again().state == State.DEGRADED
    with pytest.raises(Transient) as waiting:
        tokens(alice).access(rejected=old)
    assert waiting.value.retry_after > 0
    assert provider.refreshes == 1, "the second request waits for the back-off"
    provider.instead, provider._rotate = None, rotate  # type: ignore[method-assign]
    retry_now(alice.connection.pk)
    assert tokens(alice).access(rejected=old).token.reveal() == provider.access_token
    assert alice.again().state == State.HEALTHY


def test_an_html_page_with_status_200_is_no_answer(alice: Connected, provider: Rotating) -> None:
    """V9: a captive portal; the refresh never reached Salesforce, and the next one does."""
    old = tokens(alice).access().token
    rotate, provider._rotate = provider._rotate, dict  # type: ignore[method-assign]
    provider.instead = page
    with pytest.raises(Transient):
        tokens(alice).access(rejected=old)
    assert alice.again().state == State.DEGRADED
    assert Attempt.objects.get().outcome == answers.UNKNOWN
    assert Attempt.objects.get().sealed_answer is None
    provider.instead, provider._rotate = None, rotate  # type: ignore[method-assign]
    retry_now(alice.connection.pk)
    assert tokens(alice).access(rejected=old).token.reveal() == provider.access_token
    assert alice.again().state == State.HEALTHY


@pytest.mark.oracle(reuses=1)
def test_a_lost_answer_is_tried_once_more_and_then_final(alice: Connected, provider: Rotating) -> None:
    """V3, V4: rotated there, never stored here. The re-use is refused, and only then the grant is dead."""
    old = tokens(alice).access().token
    provider.instead = cut
    with pytest.raises(Transient) as lost:
        tokens(alice).access(rejected=old)
    assert lost.value.outcome_unknown
    row = alice.again()
    assert row.state == State.DEGRADED
    assert "connect again" in row.reason, "the person is told early"
    retry_now(row.pk)
    Connection.objects.update(connected_at="2020-01-01T00:00:00Z")
    assert upkeep.due_for_renewal() == [row.pk]
    upkeep.keep_alive(row.pk)
    assert provider.refreshes == 1, "never retried without need while the outcome is unknown"
    with pytest.raises(NeedsReconnect, match="interrupted"):
        tokens(alice).access(rejected=old)
    assert provider.refreshes == 2
    assert alice.again().state == State.NEEDS_RECONNECT


@pytest.mark.oracle(reuses=1)
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_gateways_answer_may_hide_a_rotation(alice: Connected, provider: Rotating, status: int) -> None:
    """V9, V4, I6: Salesforce has rotated behind it. Not dead, never asked without need, and the refusal says why."""
    old = tokens(alice).access().token
    provider.instead = lambda handler: handler.answer(status, {"error": "bad gateway"}, {"Retry-After": "7"})
    with pytest.raises(Transient) as lost:
        tokens(alice).access(rejected=old)
    assert (lost.value.outcome_unknown, lost.value.retry_after) == (True, 7.0)
    row = alice.again()
    assert (row.state, Attempt.objects.get().outcome) == (State.DEGRADED, answers.UNKNOWN)
    assert "connect again" in row.reason
    Connection.objects.update(connected_at="2020-01-01T00:00:00Z", retry_at=None)
    upkeep.keep_alive(row.pk)
    assert provider.refreshes == 1
    with pytest.raises(NeedsReconnect, match="interrupted"):
        tokens(alice).access(rejected=old)
    assert Incident.objects.get().kind == incidents.REUSE


def test_maintenance_stops_no_renewal_for_good(alice: Connected, provider: Rotating) -> None:
    """V9: 503 with Retry-After, said before anything was done. Who needs a token is renewed, and so is the idle."""
    old = tokens(alice).access().token
    rotate, provider._rotate = provider._rotate, dict  # type: ignore[method-assign]
    provider.instead = lambda handler: handler.answer(503, {}, {"Retry-After": "7"})
    for _ in range(2):
        with pytest.raises(Transient):
            tokens(alice).access(rejected=old)
        retry_now(alice.connection.pk)
    provider.instead, provider._rotate = None, rotate  # type: ignore[method-assign]
    assert tokens(alice).access(rejected=old).token.reveal() == provider.access_token
    assert (alice.again().state, alice.again().reason) == (State.HEALTHY, "")
    Attempt.objects.filter(outcome=answers.RENEWED).update(ended_at="2020-01-02T00:00:00Z")
    Connection.objects.update(connected_at="2020-01-01T00:00:00Z")
    upkeep.keep_alive(alice.connection.pk)
    assert provider.refreshes == 4


def test_being_asked_to_wait_is_no_unknown_outcome(alice: Connected, provider: Rotating) -> None:
    """V9: 429 stands instead of an answer; a refusal after it is a plain one."""
    old = tokens(alice).access().token
    provider._rotate = dict  # type: ignore[method-assign]
    provider.instead = lambda handler: handler.answer(429, {})
    with pytest.raises(RateLimited):
        tokens(alice).access(rejected=old)
    assert Attempt.objects.get().outcome == answers.FAILED
    assert "connect again" not in alice.again().reason
    retry_now(alice.connection.pk)
    provider.alive = False
    with pytest.raises(NeedsReconnect, match="revoked or has expired"):
        tokens(alice).access(rejected=old)
    assert not Incident.objects.exists()


def test_a_request_that_never_arrived_is_tried_again(alice: Connected, provider: Rotating) -> None:
    """V2, V4: success of the second attempt means the first never arrived."""
    old = tokens(alice).access().token
    rotate, provider._rotate = provider._rotate, dict  # type: ignore[method-assign]
    provider.instead = cut
    with pytest.raises(Transient):
        tokens(alice).access(rejected=old)
    provider.instead, provider._rotate = None, rotate  # type: ignore[method-assign]
    retry_now(alice.connection.pk)
    assert tokens(alice).access(rejected=old).token.reveal() == provider.access_token
    assert alice.again().state == State.HEALTHY


def test_the_same_person_may_be_named_at_another_host(alice: Connected, provider: Rotating) -> None:
    """V11: the ids of the identity URL count; Salesforce names its login host there, or the organization's own."""
    provider.changes = {"id": provider.identity.replace(provider.server.url, "https://na1.salesforce.com")}
    assert renew(alice).token.reveal() == provider.access_token
    assert alice.again().state == State.HEALTHY


def test_another_persons_token_is_quarantined(alice: Connected, provider: Rotating) -> None:
    """V11."""
    old = tokens(alice).access().token
    provider.changes = {"id": provider.identity.replace("005000000000001AAA", "005000000000002AAA")}
    with pytest.raises(NeedsReconnect, match="another person"):
        tokens(alice).access(rejected=old)
    assert grants.load(alice.again()).access_token.reveal() == old.reveal()
    assert Attempt.objects.get().outcome == answers.QUARANTINED
    assert AuditEntry.objects.get(action="connection.needs_reconnect").result == "quarantined"


@pytest.mark.parametrize("host", ["https://evil.example", "http://localhost:1", "https://169.254.169.254", "x"])
def test_a_host_that_is_not_allowed_is_quarantined(alice: Connected, provider: Rotating, host: str) -> None:
    """V12: the token never goes there."""
    old = tokens(alice).access().token
    provider.changes = {"instance_url": host}
    with pytest.raises(NeedsReconnect, match="host"):
        tokens(alice).access(rejected=old)
    assert Attempt.objects.get().outcome == answers.QUARANTINED


def test_a_move_to_another_allowed_host_is_followed_and_audited(alice: Connected, provider: Rotating) -> None:
    """V12: an organization migrates."""
    provider.changes = {"instance_url": "https://acme.my.salesforce.com"}
    assert renew(alice).api_url == "https://acme.my.salesforce.com"
    assert AuditEntry.objects.get(action="connection.host_changed").facts == {"host": "https://acme.my.salesforce.com"}


def test_a_lease_whose_holder_died_is_taken_over(alice: Connected, provider: Rotating) -> None:
    """V2: by the database's clock."""
    old = tokens(alice).access().token
    begun = renewal._begin(alice.connection.pk, alice.connection.generation)
    assert isinstance(begun, renewal.Begun)
    assert renewal._begin(alice.connection.pk, 1) is renewal.Instead.SOMEONE_ELSE_DOES
    past = timezone.now() - timedelta(seconds=1)
    Connection.objects.filter(pk=alice.connection.pk).update(lease_until=past)
    assert tokens(alice).access(rejected=old).token.reveal() == provider.access_token
    assert set(Attempt.objects.values_list("outcome", flat=True)) == {answers.UNKNOWN, answers.RENEWED}


def test_a_slow_holders_answer_is_weighed_not_lost(alice: Connected, provider: Rotating) -> None:
    """V6: paused after the provider's answer; meanwhile someone else was refused. The late tokens work: adopted."""
    begun = renewal._begin(alice.connection.pk, alice.connection.generation)
    assert isinstance(begun, renewal.Begun)
    body = provider_answer(provider)
    Connection.objects.filter(pk=alice.connection.pk).update(
        state=State.NEEDS_RECONNECT, lease_until=None, lease_by="", reason="refused"
    )
    Attempt.objects.update(ended_at=timezone.now(), outcome=answers.UNKNOWN)
    answers.keep(begun.attempt.id, answers.sealer(begun.connection, begun.attempt)(body))
    settling.settle(begun.attempt.id)
    row = alice.again()
    assert row.state == State.HEALTHY
    assert grants.load(row).access_token.reveal() == provider.access_token


def test_an_answer_that_comes_after_a_new_sign_in_is_revoked(alice: Connected, provider: Rotating) -> None:
    """V14: never stored over the new grant; ended at the provider instead."""
    begun = renewal._begin(alice.connection.pk, alice.connection.generation)
    assert isinstance(begun, renewal.Begun)
    body = provider_answer(provider)
    late = provider.refresh_token
    row = alice.again()
    fresh = alice.grant.renewed(id=UUID(int=5), access_token=Secret("fresh"), refresh_token=Secret("fresh-refresh"))
    grants.store(row, fresh)
    answers.keep(begun.attempt.id, answers.sealer(begun.connection, begun.attempt)(body))
    provider.server.behave = provider._behave
    settling.settle(begun.attempt.id)
    upkeep.finish_revocations()
    assert grants.load(alice.again()).access_token.reveal() == "fresh"
    assert provider.revoked == [late]


def provider_answer(provider: Rotating) -> bytes:
    """What the provider would have answered to the refresh under way."""
    import json

    provider.refreshes += 1
    return json.dumps(provider._rotate()).encode()


def test_a_grant_without_refresh_token_ends_without_a_call(alice: Connected, provider: Rotating) -> None:
    """C10: the sidebar works until Salesforce refuses the token; then only the person can mend it."""
    grants.store(alice.again(), alice.grant.renewed(refresh_token=None))
    assert tokens(alice).access().token.reveal() == provider.access_token
    with pytest.raises(NeedsReconnect, match="no lasting access"):
        tokens(alice).access(rejected=Secret(provider.access_token))
    assert provider.refreshes == 0


def test_a_changed_row_is_never_used(alice: Connected, provider: Rotating) -> None:
    """V19, I5: a flipped byte, another generation, another grant: TokenTampered, and no call."""
    from vault.errors import TokenTampered

    credential = Credential.objects.get(connection=alice.connection)
    blob = bytearray(credential.sealed)
    blob[-1] ^= 1
    for change in ({"sealed": bytes(blob)}, {"generation": 0}, {"grant_id": UUID(int=1)}):
        Credential.objects.filter(pk=credential.pk).update(**change)
        with pytest.raises(TokenTampered):
            tokens(alice).access()
        credential.save()
    assert tokens(alice).access().token.reveal() == provider.access_token
    assert provider.server.seen == []
