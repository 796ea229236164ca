"""Each step of a renewal by itself: what it writes before the call, what it says where it does not call, and after."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from providers.errors import NeedsReconnect, Transient
from tests.vault.conftest import Connected
from tests.vault.rotating import Rotating, cut
from vault import answers, grants, incidents, renewal, states
from vault.errors import ConnectRequired
from vault.models import Attempt, Connection, Credential, Incident, State
from vault.renewal import Begun, Instead

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def begin(alice: Connected) -> Begun | Instead:
    return renewal._begin(alice.connection.pk, alice.connection.generation)


def neighbour(alice: Connected, **changes: Any) -> Connection:
    """Another connection, which nothing here may touch."""
    values = {"provider": "google", "subject": "other", "state": State.HEALTHY, "generation": 1}
    row = Connection(organization=alice.member.organization, member=alice.member)
    for name, value in (values | changes).items():
        setattr(row, name, value)
    row.save()
    return row


def test_the_lease_and_the_attempt_are_on_record_before_the_call(alice: Connected) -> None:
    """V2, V7."""
    other = neighbour(alice)
    begun = begin(alice)
    assert isinstance(begun, Begun)
    row = Connection.objects.annotate(left=F("lease_until") - Now()).get(pk=alice.connection.pk)
    assert timedelta(0) < renewal.LEASE - row.left < timedelta(seconds=5)
    assert row.state == State.REFRESHING
    host, process, random = row.lease_by.split(":")
    assert host
    assert process.isdecimal()
    assert len(random) == 8
    attempt = Attempt.objects.get()
    assert (attempt.connection_id, attempt.grant_id, attempt.generation) == (row.pk, alice.grant.id, row.generation)
    assert (attempt.ended_at, attempt.outcome, attempt.sealed_answer) == (None, "", None)
    assert Connection.objects.get(pk=other.pk).lease_until is None
    assert begin(alice) is Instead.SOMEONE_ELSE_DOES


@pytest.mark.parametrize(
    "changes",
    [
        {"lease_until": Now() - timedelta(seconds=1)},
        {"retry_at": Now() - timedelta(seconds=1)},
        {"state": State.DEGRADED, "lease_until": None, "retry_at": None},
    ],
)
def test_what_is_over_holds_nobody_up(alice: Connected, changes: dict[str, Any]) -> None:
    Connection.objects.filter(pk=alice.connection.pk).update(**changes)
    assert isinstance(begin(alice), Begun)


def test_who_comes_too_late_or_for_nothing_is_told(alice: Connected) -> None:
    """V8, I7."""
    assert renewal._begin(alice.connection.pk, alice.connection.generation - 1) is Instead.ALREADY_NEWER
    Connection.objects.update(state=State.REVOKING)
    with pytest.raises(ConnectRequired):
        begin(alice)
    Connection.objects.update(state=State.NEEDS_RECONNECT, reason="Gone.")
    with pytest.raises(NeedsReconnect, match="Gone"):
        begin(alice)
    Connection.objects.update(state=State.HEALTHY, reason="")


@pytest.mark.parametrize(("reason", "says"), [("", "Salesforce does not answer."), ("Slow.", "Slow.")])
def test_who_has_to_wait_hears_how_long(alice: Connected, reason: str, says: str) -> None:
    Connection.objects.update(retry_at=Now() + timedelta(seconds=40), reason=reason)
    neighbour(alice)
    with pytest.raises(Transient) as caught:
        begin(alice)
    assert (str(caught.value), caught.value.provider) == (says, "salesforce")
    assert 35 < caught.value.retry_after <= 40


def test_a_renewal_that_takes_too_long_for_a_request(alice: Connected) -> None:
    neighbour(alice)
    error = renewal._still_under_way(alice.connection.pk)
    assert str(error) == "The connection to Salesforce is being renewed."
    assert (error.provider, error.retry_after) == ("salesforce", 2.0)


def test_without_lasting_access_the_cause_is_named(alice: Connected) -> None:
    grants.store(alice.again(), alice.grant.renewed(refresh_token=None))
    with pytest.raises(NeedsReconnect, match=r"^You granted no lasting access, so this connection has run out\.$"):
        renewal._begin(alice.connection.pk, alice.connection.generation + 1)
    assert alice.again().cause == "no_refresh_token"
    assert not Attempt.objects.exists()


def test_only_what_nobody_answered_becomes_unknown(alice: Connected) -> None:
    """V3: an answer that is kept, an attempt that has ended and another connection's are left alone."""
    row = alice.again()
    common: dict[str, Any] = {"connection": row, "grant_id": alice.grant.id, "generation": row.generation}
    lost = Attempt.objects.create(**common)
    answered = Attempt.objects.create(**common, sealed_answer=b"sealed")
    ended = Attempt.objects.create(**common, ended_at=Now(), outcome=answers.FAILED)
    foreign = Attempt.objects.create(connection=neighbour(alice), grant_id=uuid4(), generation=1)
    renewal._close_lost(row)
    found = {each.pk: (each.outcome, each.ended_at is not None) for each in Attempt.objects.all()}
    assert found[lost.pk] == (answers.UNKNOWN, True)
    assert found[answered.pk] == ("", False)
    assert found[ended.pk] == (answers.FAILED, True)
    assert found[foreign.pk] == ("", False)
    Attempt.objects.all().delete()


@pytest.mark.parametrize(
    ("provider_name", "says", "renewed"),
    [
        ("salesforce", "A renewal of this connection was interrupted. You may have to connect again.", False),
        ("google", "A renewal of this connection was interrupted.", True),
    ],
)
def test_a_lost_holder_is_told_early(alice: Connected, provider_name: str, says: str, renewed: bool) -> None:
    """V3: and where a repetition is safe it is put down at once."""
    later = Now() + timedelta(hours=1)
    other = neighbour(alice, provider="microsoft")
    assert isinstance(begin(alice), Begun)
    mine = Connection.objects.filter(pk=alice.connection.pk)
    renewal.give_up_lost(alice.connection.pk)
    assert alice.again().state == State.REFRESHING, "it may live"
    mine.update(provider=provider_name, lease_until=Now() - timedelta(seconds=1), renew_at=later if renewed else None)
    Connection.objects.filter(pk=other.pk).update(renew_at=later)
    renewal.give_up_lost(other.pk)
    assert alice.again().state == State.REFRESHING
    renewal.give_up_lost(alice.connection.pk)
    row = Connection.objects.annotate(now=Now()).get(pk=alice.connection.pk)
    assert (row.state, row.reason) == (State.DEGRADED, says)
    assert row.retry_at is not None
    assert (row.retry_at - row.now).total_seconds() < 0.5, "the first try needs no wait"
    assert (row.renew_at is not None) == renewed
    assert row.renew_at is None or row.renew_at <= row.now
    assert Attempt.objects.get().outcome == answers.UNKNOWN
    theirs = Connection.objects.annotate(now=Now()).get(pk=other.pk)
    assert theirs.renew_at is not None
    assert theirs.renew_at > theirs.now
    mine.update(provider="salesforce")
    Attempt.objects.all().delete()


def renew(alice: Connected) -> None:
    Connection.objects.update(retry_at=None)
    renewal.renew(alice.connection.pk, beyond=alice.connection.generation)


def test_a_refusal_is_written_down_with_its_cause(alice: Connected, provider: Rotating) -> None:
    """A doubt about another grant, generation or connection says nothing of this one."""
    common: dict[str, Any] = {"ended_at": Now(), "outcome": answers.UNKNOWN}
    row = alice.again()
    Attempt.objects.create(connection=row, grant_id=uuid4(), generation=row.generation, **common)
    Attempt.objects.create(connection=row, grant_id=alice.grant.id, generation=0, **common)
    Attempt.objects.create(connection=neighbour(alice), grant_id=alice.grant.id, generation=row.generation, **common)
    provider.alive = False
    with pytest.raises(NeedsReconnect, match="revoked or has expired"):
        renew(alice)
    assert alice.again().cause == "ended"
    assert Attempt.objects.order_by("-started_at").first().outcome == answers.REFUSED  # type: ignore[union-attr]
    assert not Incident.objects.exists()


@pytest.mark.oracle(reuses=1)
@pytest.mark.parametrize(
    ("outcome", "says", "kind"),
    [
        (
            answers.UNKNOWN,
            "A renewal was interrupted, and Salesforce has ended the connection for safety.",
            incidents.REUSE,
        ),
        (
            answers.RESTORED,
            "Our database was restored from a backup, and Salesforce does not accept what it held.",
            incidents.RESTORED,
        ),
    ],
)
def test_a_refusal_after_a_doubt_says_so(
    alice: Connected, provider: Rotating, outcome: str, says: str, kind: str
) -> None:
    """V13, V20."""
    provider.instead = cut
    with pytest.raises(Transient):
        renew(alice)
    Attempt.objects.update(outcome=outcome)
    with pytest.raises(NeedsReconnect):
        renew(alice)
    assert (alice.again().reason, Incident.objects.get().kind) == (says, kind)


def test_trouble_is_written_down_with_its_cause(alice: Connected, provider: Rotating) -> None:
    provider._rotate = dict  # type: ignore[method-assign]
    provider.instead = lambda handler: handler.answer(400, {"error": "invalid_client"})
    with pytest.raises(Exception, match="client id"):
        renew(alice)
    row = Connection.objects.annotate(now=Now()).get(pk=alice.connection.pk)
    assert (row.state, row.cause, row.failures) == (State.DEGRADED, "client_refused", 1)
    assert row.retry_at is not None
    assert 1 < (row.retry_at - row.now).total_seconds() <= 2
    assert Attempt.objects.get().outcome == answers.FAILED
    assert Credential.objects.get().generation == alice.connection.generation


def test_who_connected_again_meanwhile_is_not_refused(alice: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    """V14: between our look at a grant without lasting access and the verdict."""
    grants.store(alice.again(), alice.grant.renewed(refresh_token=None))
    refuse = states.refuse

    def late(*given: Any, **named: Any) -> None:
        grants.store(alice.again(), alice.grant)
        refuse(*given, **named)

    monkeypatch.setattr(states, "refuse", late)
    assert renewal._begin(alice.connection.pk, alice.connection.generation + 1) is Instead.ALREADY_NEWER
    assert alice.again().state != State.NEEDS_RECONNECT


def test_an_attempt_begins_by_the_databases_clock(alice: Connected) -> None:
    """V22: an answer's end is counted from it. Now() is STATEMENT_TIMESTAMP() in PostgreSQL."""
    with CaptureQueriesContext(connection) as queries:
        assert isinstance(begin(alice), Begun)
    (made,) = (each["sql"] for each in queries if each["sql"].startswith('INSERT INTO "vault_attempt"'))
    assert "STATEMENT_TIMESTAMP()" in made


def test_who_is_not_renewing_has_lost_no_renewal(alice: Connected) -> None:
    """An old lease on a connection that works says nothing of it."""
    past = Now() - timedelta(minutes=5)
    Connection.objects.filter(pk=alice.connection.pk).update(lease_until=past, state=State.HEALTHY)
    renewal.give_up_lost(alice.connection.pk)
    assert (alice.again().state, alice.again().reason) == (State.HEALTHY, "")
