"""Healthy means proven within a day, by use or by a cheap question once a day; the truth is told within a minute."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from organizations import membership
from organizations.models import AuditEntry, Member
from providers.errors import Transient
from tests.organizations import people
from tests.providers.faulty import Handler
from tests.vault.conftest import Connected
from tests.vault.rotating import Rotating, cut
from vault import clock, findings, incidents, leases, probe, proof, renewal, standing, tasks, turns, underway, upkeep
from vault.models import Attempt, Connection, Credential, Incident, State

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)

USERINFO = "/services/oauth2/userinfo"


def age(alice: Connected, hours: float) -> None:
    """The last proof is that old."""
    at = Now() - timedelta(hours=hours)
    Connection.objects.filter(pk=alice.connection.pk).update(last_success_at=at, probe_at=None)


def run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.renew_grant, "delay", tasks.renew_grant)
    monkeypatch.setattr(tasks.prove_grant, "delay", tasks.prove_grant)
    tasks.look_after_grants()


def paths(provider: Rotating) -> list[str]:
    return [seen.path for seen in provider.server.seen]


@pytest.mark.parametrize("state", [State.HEALTHY, State.REFRESHING])
def test_connected_is_said_for_a_day_after_a_proof(alice: Connected, state: State) -> None:
    """Also while it is being renewed: that somebody asks proves nothing."""
    Connection.objects.update(state=state)
    (mine,) = standing.of(alice.member)
    assert (mine.status.words, mine.status.tone) == ("Connected", "good")
    age(alice, 25)
    (mine,) = standing.of(alice.member)
    assert (mine.status.words, mine.status.tone) == ("Not proven lately", "warn")
    assert [each.message for each in findings.proofs()] == ["Connections not proven to work within a day: 1."]


def test_healthy_is_said_for_a_day_after_a_proof(alice: Connected) -> None:
    assert proof.shown(alice.again()).state is State.HEALTHY
    age(alice, 25)
    shown = proof.shown(alice.again())
    assert shown.state is State.DEGRADED
    assert shown.reason == "Salesforce could not be asked within the last day whether this connection works."
    assert shown.proven_at is not None
    assert alice.again().state == State.HEALTHY, "what is stored does not change by looking at it"
    assert [each.message for each in findings.proofs()] == ["Connections not proven to work within a day: 1."]


def test_the_api_says_when_it_was_proven(alice: Connected) -> None:
    people.add_in()
    age(alice, 25)
    (shape,) = people.api(alice.member).call("get", "connections/").json()["connections"]
    assert shape["state"] == "degraded"
    assert shape["proven_at"] is not None
    leases.note_success(alice.connection.pk)
    (shape,) = people.api(alice.member).call("get", "connections/").json()["connections"]
    assert (shape["state"], shape["reason"]) == ("healthy", "")


def test_who_was_not_used_is_asked_once_a_day(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One question that costs no API call, with a lease and its audit row."""
    run(monkeypatch)
    assert paths(provider) == []
    age(alice, 23.5)
    for _ in range(3):
        run(monkeypatch)
    assert paths(provider) == [USERINFO]
    assert proof.is_proven(alice.again())
    leased = AuditEntry.objects.filter(action="token.leased").values_list("facts", flat=True)
    assert [each["purpose"] for each in leased] == [probe.PURPOSE]


def test_a_session_that_is_over_is_renewed_and_that_is_the_proof(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    age(alice, 30)
    provider.access_token = "over"
    run(monkeypatch)
    assert paths(provider) == [USERINFO, "/services/oauth2/token", USERINFO]
    assert proof.shown(alice.again()).state is State.HEALTHY


def test_a_dead_grant_is_found_without_anybody_using_it(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I10: the first refusal is shown at once, and nothing is asked again."""
    people.add_in()
    age(alice, 30)
    provider.alive = False
    run(monkeypatch)
    (shape,) = people.api(alice.member).call("get", "connections/").json()["connections"]
    assert shape["state"] == "needs_reconnect"
    assert shape["reason"]
    Connection.objects.update(probe_at=Now())
    run(monkeypatch)
    assert paths(provider) == [USERINFO, "/services/oauth2/token"]


def test_a_provider_that_is_away_is_asked_again_seldom(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Degraded, with words; a quarter of an hour later at the earliest, doubling; a proof mends it."""
    age(alice, 30)
    provider.server.behave = lambda handler: handler.answer(503, {})
    waits = []
    for _ in range(8):
        run(monkeypatch)
        row = alice.again()
        assert (row.state, row.reason) == (State.DEGRADED, "Salesforce does not answer properly.")
        assert row.probe_at is not None
        waits.append(round((row.probe_at - timezone.now()).total_seconds() / 60))
        run(monkeypatch)
        Connection.objects.update(probe_at=Now(), retry_at=None)
    assert waits == [15, 30, 60, 120, 240, 360, 360, 360]
    assert len(provider.server.seen) == 8
    provider.server.behave = provider._behave
    run(monkeypatch)
    assert alice.again().state == State.HEALTHY
    assert alice.again().probe_at is None


def test_retry_after_holds_for_probes_and_renewals(alice: Connected, provider: Rotating) -> None:
    age(alice, 30)
    provider.server.behave = lambda handler: handler.answer(429, {}, {"Retry-After": "1800"})
    probe.probe(alice.connection.pk)
    row = alice.again()
    assert row.retry_at is not None
    assert row.probe_at is not None
    assert min(row.retry_at, row.probe_at) > timezone.now() + timedelta(minutes=29)
    Connection.objects.update(probe_at=Now())
    assert list(turns.to_prove()) == []
    with pytest.raises(Transient):
        renewal.renew(row.pk, beyond=row.generation)
    assert len(provider.server.seen) == 1


def test_a_proof_does_not_hide_a_renewal_that_failed(alice: Connected, provider: Rotating) -> None:
    """V3: the access token works, and the person still reads that he may have to connect again."""
    provider.instead = cut
    with pytest.raises(Transient):
        renewal.renew(alice.connection.pk, beyond=alice.connection.generation)
    leases.note_success(alice.connection.pk)
    row = alice.again()
    assert row.state == State.DEGRADED
    assert "connect again" in row.reason
    assert proof.is_proven(row)


def test_nobody_asks_in_the_name_of_who_was_switched_off(alice: Connected, provider: Rotating) -> None:
    age(alice, 30)
    membership.change_active("operator", alice.member, False)
    assert list(turns.to_prove()) == []
    probe.probe(alice.connection.pk)
    assert provider.server.seen == []


def begin_and_die(alice: Connected) -> None:
    """A process takes the lease, sends, and is gone; half a minute passes."""
    assert isinstance(renewal._begin(alice.connection.pk, alice.connection.generation), renewal.Begun)
    Connection.objects.update(lease_until=Now() - timedelta(seconds=1))


def test_a_renewal_whose_holder_died_is_seen_to_by_the_timetable(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V2, I10: nobody calls, and yet the state is true within a lease and a quarter of a minute. The token works."""
    begin_and_die(alice)
    run(monkeypatch)
    row = alice.again()
    assert row.state == State.DEGRADED
    assert row.reason == "A renewal of this connection was interrupted. You may have to connect again."
    assert Attempt.objects.get().outcome == "unknown"
    assert provider.refreshes == 0


def test_nothing_renews_ahead_of_need_after_a_holder_died(alice: Connected, provider: Rotating) -> None:
    """V3, I3: his answer may have come to him, so the refresh token that we have may be used up. Before anybody has
    closed his attempt: by the choice of what is due, and by the renewal itself, which looks again."""
    begin_and_die(alice)
    provider._rotate()
    mine = alice.again()
    Connection.objects.update(connected_at="2020-01-01T00:00:00Z", renew_at=Now())
    assert list(turns.to_renew()) == []
    upkeep.keep_alive(mine.pk)
    upkeep.renew_ahead(mine.pk, mine.generation)
    renewal.renew_ahead(mine.pk, beyond=mine.generation)
    assert (provider.refreshes, provider.reuses, provider.alive) == (0, 0, True)
    assert AuditEntry.objects.filter(action=renewal.PRESENTED).count() == 1, "the dead one's"
    assert alice.again().state == State.REFRESHING, "left as it was found"


def test_a_question_that_was_put_off_hides_no_dead_holder(alice: Connected, provider: Rotating) -> None:
    """I10: whatever it was put off for; and it is claimed like any other."""
    begin_and_die(alice)
    Connection.objects.update(probe_at=Now() + timedelta(hours=6))
    assert list(turns.to_prove()) == [alice.connection.pk]
    assert list(turns.to_prove()) == [], "claimed"


def test_a_dead_holder_is_told_of_where_nobody_answers(alice: Connected, provider: Rotating) -> None:
    """I10: that somebody died is no secret of the provider's. Then it is asked as seldom as any."""
    begin_and_die(alice)
    provider.server.behave = lambda handler: handler.answer(503, {})
    probe.probe(alice.connection.pk)
    row = alice.again()
    assert row.state == State.DEGRADED
    assert row.reason == "A renewal of this connection was interrupted. You may have to connect again."
    assert list(turns.to_prove()) == []


@pytest.mark.parametrize("trouble", ["held", "ending"])
def test_trouble_of_our_own_is_no_news_of_a_connection(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """A renewal that another process is long at, and this one's end: nothing was heard of the provider."""
    provider.access_token = "over"
    if trouble == "held":
        monkeypatch.setattr(renewal, "DEADLINE", 0.2)
        Connection.objects.update(state=State.REFRESHING, lease_until=Now() + timedelta(seconds=30))
    monkeypatch.setattr(underway.renewals, "_is_closing", trouble == "ending")
    before = Connection.objects.values().get()
    probe.probe(alice.connection.pk)
    after = Connection.objects.values().get()
    assert after == before


@pytest.mark.oracle(reuses=1)
def test_a_rotation_that_was_lost_is_told_without_anybody_calling(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V3, V13, I10: one try when the access token has ended, then the truth and an incident."""
    begin_and_die(alice)
    provider._rotate()
    provider.refresh_token = "the next"
    run(monkeypatch)
    row = alice.again()
    assert row.state == State.NEEDS_RECONNECT
    assert "interrupted" in row.reason
    assert (provider.refreshes, provider.reuses) == (1, 1)
    found = Incident.objects.get()
    assert (found.kind, found.connection_id) == (incidents.REUSE, row.pk)


# -- incidents --------------------------------------------------------------------------------------------------


@pytest.fixture
def colleagues(alice: Connected) -> list[Connection]:
    """Bob's grant in Alice's organization, and one of hers at another provider."""
    bob = Member.objects.get(name="Bob Brown")
    same = {"organization": alice.member.organization, "state": State.HEALTHY, "last_success_at": timezone.now()}
    return [
        Connection.objects.create(member=bob, provider="salesforce", subject="bob", login_url="https://x", **same),
        Connection.objects.create(member=alice.member, provider="google", subject="a", login_url="https://y", **same),
    ]


def test_an_incident_has_the_other_grants_looked_at(
    alice: Connected, provider: Rotating, colleagues: list[Connection]
) -> None:
    """V13: those of the organization at that provider; by the cheap question, not by a renewal."""
    begin_and_die(alice)
    provider.alive = False
    probe.probe(alice.connection.pk)
    incidents.spread()
    incidents.spread()
    assert list(turns.to_prove()) == [colleagues[0].pk]
    assert list(turns.to_prove()) == []
    told = Incident.objects.get()
    assert (told.kind, told.connection_id) == ("reuse", alice.connection.pk)
    assert told.organization_id == alice.member.organization_id
    assert AuditEntry.objects.get(action="incident.recorded").result == "reuse"
    (line,) = findings.lately()
    assert "1 within seven days" in line.message
    assert line.advice.startswith("The people concerned connect again")


def test_a_plain_refusal_is_no_incident(alice: Connected, provider: Rotating) -> None:
    """The person withdrew his consent: his own business."""
    age(alice, 30)
    provider.alive = False
    probe.probe(alice.connection.pk)
    assert alice.again().state == State.NEEDS_RECONNECT
    assert not Incident.objects.exists()


def test_an_answer_for_another_person_is_an_incident(alice: Connected, provider: Rotating) -> None:
    """V11."""
    provider.access_token = "over"
    provider.changes = {"id": provider.identity.replace("005000000000001AAA", "005000000000002AAA")}
    probe.probe(alice.connection.pk)
    assert Incident.objects.get().kind == incidents.QUARANTINED


def test_a_grant_that_does_not_open_is_told_once(alice: Connected, provider: Rotating) -> None:
    """V19: a changed row; nobody has used it, and yet an administrator hears of it."""
    Credential.objects.update(grant_id=uuid4())
    for _ in range(3):
        age(alice, 30)
        probe.probe(alice.connection.pk)
    assert Incident.objects.get().kind == incidents.TAMPERED
    assert list(turns.to_prove()) == [], "not asked for again before six hours have passed"
    assert provider.server.seen == []


def test_a_failing_colleague_keeps_nobody_waiting(alice: Connected, colleagues: list[Connection]) -> None:
    """Every one that is due is chosen, whatever became of the others."""
    Connection.objects.update(last_success_at=None)
    Connection.objects.bulk_create(
        Connection(
            organization=alice.member.organization,
            member=alice.member,
            provider="salesforce",
            subject=f"failing-{number}",
            state=State.DEGRADED,
        )
        for number in range(450)
    )
    assert len(set(turns.to_prove())) == Connection.objects.count() == 453


def test_the_provider_may_not_answer_at_all(alice: Connected, provider: Rotating) -> None:
    age(alice, 30)

    def silent(handler: Handler) -> None:
        cut(handler)

    provider.server.behave = silent
    probe.probe(alice.connection.pk)
    assert alice.again().state == State.DEGRADED
    assert proof.shown(alice.again(), clock.now()).proven_at is not None
