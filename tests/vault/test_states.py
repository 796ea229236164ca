"""Each move between the states of a connection, field by field: what it writes, what it leaves, whom it tells."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from organizations.models import AuditEntry, Epoch, Member
from providers.errors import FreshTokenRefused, NeedsReconnect
from tests.organizations import people
from vault import incidents, states
from vault.errors import ConnectRequired
from vault.models import Connection, Incident, State

pytestmark = pytest.mark.django_db

_TROUBLED: dict[str, Any] = {
    "state": State.DEGRADED,
    "reason": "trouble",
    "cause": "unreachable",
    "lease_by": "somebody",
    "failures": 3,
    "generation": 7,
}
HOUR = timedelta(hours=1)
_UNUSABLE = (State.CONNECTING, State.NEEDS_RECONNECT, State.REVOKING, State.SHREDDED)


def a_row(provider: str = "salesforce", **changes: Any) -> Connection:
    """A connection of Alice's in all sorts of trouble, beside one of Bob's that nothing may touch."""
    alice, bob, _ = people.everybody()
    Connection.objects.create(organization=bob.organization, member=bob, provider=provider, **_TROUBLED, subject="bob")
    row = Connection(organization=alice.organization, member=alice, provider=provider, subject="alice")
    row.retry_at = row.probe_at = row.lease_until = timezone.now()
    for name, value in (_TROUBLED | changes).items():
        setattr(row, name, value)
    row.save()
    return row


def stored(row: Connection) -> dict[str, Any]:
    return dict(Connection.objects.values().get(pk=row.pk))


def changed(row: Connection, before: dict[str, Any]) -> dict[str, Any]:
    """What is stored now and was not before. Bob's row is as it was."""
    bobs = stored(Connection.objects.get(subject="bob"))
    assert {name: bobs[name] for name in _TROUBLED} == _TROUBLED
    assert (bobs["last_success_at"], bobs["retry_at"]) == (None, None)
    return {name: value for name, value in stored(row).items() if value != before[name]}


def seconds_away(row: Connection) -> float:
    found = Connection.objects.annotate(now=Now()).get(pk=row.pk)
    assert found.retry_at is not None
    return (found.retry_at - found.now).total_seconds()


def told(row: Connection) -> list[tuple[str, str, str, str, dict[str, Any]]]:
    entries = AuditEntry.objects.filter(organization_id=row.organization_id, target=str(row.pk)).order_by("sequence")
    return [(each.actor, each.action, each.target, each.result, each.facts) for each in entries]


@pytest.mark.parametrize("state", states.USABLE)
def test_what_may_be_used(state: State) -> None:
    states.require_usable(Connection(provider="google", state=state))


def test_only_the_person_can_mend_what_was_refused() -> None:
    for reason, says in (("", "Google no longer accepts this connection."), ("Gone.", "Gone.")):
        with pytest.raises(NeedsReconnect) as caught:
            states.require_usable(Connection(provider="google", state=State.NEEDS_RECONNECT, reason=reason))
        assert (str(caught.value), caught.value.provider) == (says, "google")


@pytest.mark.parametrize("state", [State.CONNECTING, State.REVOKING, State.SHREDDED])
def test_there_is_nothing_to_mend(state: State) -> None:
    with pytest.raises(ConnectRequired) as caught:
        states.require_usable(Connection(provider="google", state=state))
    assert caught.value.provider == "google"


def test_an_accepted_grant_is_healthy_without_a_trace_of_the_trouble() -> None:
    row = a_row()
    before = stored(row)
    row.scopes = ["not ours to save"]
    states.mend(row)
    now = changed(row, before)
    assert timezone.now() - now.pop("last_success_at") < timedelta(seconds=10)
    assert now == {
        "state": State.HEALTHY,
        "reason": "",
        "cause": "",
        "failures": 0,
        "retry_at": None,
        "probe_at": None,
        "lease_by": "",
        "lease_until": None,
    }
    assert (row.lease_by, row.lease_until, row.failures) == ("", None, 0)


@pytest.mark.parametrize(("at", "confirmed"), [("salesforce", True), ("google", False)])
def test_salesforce_alone_vouches_for_a_person(at: str, confirmed: bool) -> None:
    row = a_row(at)
    Member.objects.update(is_confirmed=False)
    states.mend(row)
    assert Member.objects.get(pk=row.member_id).is_confirmed is confirmed


def test_a_renewal_mends_what_is_not_in_doubt() -> None:
    row = a_row()
    states.renewed(row)
    assert (stored(row)["state"], stored(row)["cause"]) == (State.HEALTHY, "")


@pytest.mark.parametrize(("at", "confirmed"), [("salesforce", True), ("google", False)])
def test_a_renewal_leaves_a_doubt_in_place(at: str, confirmed: bool) -> None:
    """I6: that the token endpoint renews says nothing about the API that refuses what it issues."""
    row = a_row(at, state=State.REFRESHING, cause="token_refused")
    Member.objects.update(is_confirmed=False)
    before = stored(row)
    row.scopes = ["not ours to save"]
    states.renewed(row)
    assert changed(row, before) == {"state": State.DEGRADED, "lease_by": "", "lease_until": None}
    assert Member.objects.get(pk=row.member_id).is_confirmed is confirmed


def doubt(row: Connection, generation: int = 7) -> None:
    states.doubt(row.pk, generation, FreshTokenRefused("google", "Google"))


def wait_is_over() -> None:
    Connection.objects.filter(subject="alice").update(retry_at=Now() - timedelta(seconds=1))


@pytest.mark.parametrize("state", [State.HEALTHY, State.REFRESHING, State.DEGRADED, State.SUSPECT])
def test_a_doubt_is_written_down_and_told(state: State) -> None:
    """A renewal under way goes on, and a suspicion stays one."""
    row = a_row("google", state=state, failures=2, reason="", cause="")
    before = stored(row)
    doubt(row)
    now = changed(row, before)
    assert 7 < seconds_away(row) <= 8
    probe_at = now.pop("probe_at")
    assert timedelta(minutes=14) < probe_at - timezone.now() <= timedelta(minutes=15)
    del now["retry_at"]
    if state == State.HEALTHY:
        assert now.pop("state") == State.DEGRADED
    error = FreshTokenRefused("google", "Google")
    assert now == {"reason": str(error)[:200], "cause": "token_refused", "failures": 3}
    assert told(row) == [("task:renewal", "token.refused_fresh", str(row.pk), "refused", {"generation": 7})]
    assert Epoch.objects.filter(kind="connection", key=str(row.pk)).exists()


def test_what_is_told_of_a_doubt_fits_its_column() -> None:
    row = a_row("google", retry_at=None)
    states.doubt(row.pk, 7, FreshTokenRefused("google", "G" * 300))
    assert stored(row)["reason"] == "G" * 200


def test_a_doubt_is_told_once_in_each_wait() -> None:
    row = a_row("google", failures=998, cause="token_refused", retry_at=None)
    for number in (999, 1_000, 1_000):
        doubt(row)
        doubt(row)
        assert stored(row)["failures"] == number
        assert 299 < seconds_away(row) <= 300
        wait_is_over()
    assert len(told(row)) == 3


@pytest.mark.parametrize(("state", "generation"), [(State.HEALTHY, 6), *((state, 7) for state in _UNUSABLE)])
def test_a_doubt_about_what_has_moved_on_changes_nothing(state: State, generation: int) -> None:
    row = a_row(state=state, retry_at=None)
    before = stored(row)
    doubt(row, generation)
    assert (changed(row, before), told(row)) == ({}, [])


@pytest.mark.parametrize("state", [State.HEALTHY, State.REFRESHING, State.SUSPECT])
def test_a_broken_seal_is_told_once_for_each_generation(state: State) -> None:
    """V19. A renewal under way goes on: it has read the grant before."""
    row = a_row("google", state=state, reason="", cause="", probe_at=None, lease_until=timezone.now() + HOUR)
    bobs, before = Connection.objects.get(subject="bob"), stored(row)
    incidents.record(incidents.TAMPERED, bobs.organization_id, bobs)
    incidents.record(incidents.REUSE, row.organization_id, row)
    assert states.seal_broken(row.pk) == "google"
    now = changed(row, before)
    assert timezone.now() - now.pop("probe_at") < timedelta(seconds=10)
    if state != State.REFRESHING:
        assert now.pop("state") == State.DEGRADED
    words = "What is stored of this connection was changed or has lost its key, so it is not used."
    assert now == {"reason": words, "cause": "seal_broken"}
    assert Epoch.objects.filter(kind="connection", key=str(row.pk)).exists()
    after = stored(row)
    assert states.seal_broken(row.pk) == "google"
    assert changed(row, after) == {}
    mine = Incident.objects.filter(connection=row, kind=incidents.TAMPERED)
    assert mine.get().generation == 7
    Connection.objects.filter(pk=row.pk).update(generation=8)
    states.seal_broken(row.pk)
    assert mine.count() == 2


@pytest.mark.parametrize(("state", "lease"), [(State.HEALTHY, None), (State.REFRESHING, -timedelta(seconds=1))])
def test_a_broken_seal_is_shown_each_time(state: State, lease: timedelta | None) -> None:
    """V19: also where its state was changed since by what had read the grant before, and where a renewal's holder has
    died; whoever shows the connection shows this."""
    row = a_row("google", lease_until=None)
    states.seal_broken(row.pk)
    other = {"state": state, "reason": "", "cause": "", "probe_at": None}
    Connection.objects.filter(pk=row.pk).update(**other, lease_until=lease and Now() + lease)
    Epoch.objects.all().delete()
    states.seal_broken(row.pk)
    now = stored(row)
    assert (now["state"], now["cause"], now["reason"][:14]) == (State.DEGRADED, "seal_broken", "What is stored")
    assert now["probe_at"] is not None
    assert Epoch.objects.filter(kind="connection", key=str(row.pk)).exists()
    assert Incident.objects.count() == 1


@pytest.mark.parametrize("state", _UNUSABLE)
def test_a_broken_seal_of_what_nobody_uses_is_no_news(state: State) -> None:
    row = a_row("google", state=state)
    before = stored(row)
    assert states.seal_broken(row.pk) == "google"
    assert (changed(row, before), Incident.objects.count()) == ({}, 0)


def test_a_row_that_has_gone_breaks_no_seal() -> None:
    assert states.seal_broken(uuid4()) == ""


def test_passing_trouble_is_written_down() -> None:
    """I6, V9."""
    row = a_row(state=State.REFRESHING, reason="", cause="")
    before = stored(row)
    states.degrade(row.pk, 7, "It does not answer.", cause="unreachable")
    now = changed(row, before)
    assert 14 < seconds_away(row) <= 16
    del now["retry_at"]
    assert now == {
        "state": State.DEGRADED,
        "reason": "It does not answer.",
        "cause": "unreachable",
        "failures": 4,
        "lease_by": "",
        "lease_until": None,
    }
    assert told(row) == [("task:renewal", "token.renewal_failed", str(row.pk), "failed", {"generation": 7})]


@pytest.mark.parametrize(
    ("failures", "asked", "again", "seconds"),
    [
        (0, 0.0, False, 2),
        (1, 0.0, False, 4),
        (7, 0.0, False, 256),
        (8, 0.0, False, 300),
        (31_000, 0.0, False, 300),
        (0, 900.0, False, 900),
        (8, 20.0, False, 300),
        (0, 900.0, True, 0),
        (1, 0.0, True, 4),
    ],
)
def test_the_wait_doubles_to_five_minutes(failures: int, asked: float, again: bool, seconds: int) -> None:
    row = a_row(failures=failures)
    states.degrade(row.pk, 7, "It does not answer.", asked, again=again)
    assert seconds - 0.9 < seconds_away(row) <= seconds


def test_failures_are_counted_to_a_thousand() -> None:
    row = a_row(failures=999)
    counts = []
    for _ in range(2):
        states.degrade(row.pk, 7, "It does not answer.")
        counts.append(stored(row)["failures"])
    assert counts == [1_000, 1_000]


def test_trouble_and_verdict_name_the_attempt_that_they_came_of() -> None:
    row, attempt = a_row(), uuid4()
    states.degrade(row.pk, 7, "It does not answer.", attempt=attempt)
    with transaction.atomic():
        states.condemn(row.pk, 7, "Revoked.", attempt=attempt)
    assert [facts for *_, facts in told(row)] == [{"generation": 7, "attempt": str(attempt)}] * 2


def test_what_may_be_lost_is_told_early() -> None:
    row = a_row()
    states.degrade(row.pk, 7, "It broke off.", may_be_lost=True)
    assert stored(row)["reason"] == "It broke off. You may have to connect again."
    states.degrade(row.pk, 7, "x" * 300)
    assert stored(row)["reason"] == "x" * 200


@pytest.mark.parametrize(("state", "generation"), [(State.HEALTHY, 6), *((state, 7) for state in _UNUSABLE)])
def test_a_word_about_what_has_moved_on_changes_nothing(state: State, generation: int) -> None:
    """V8: the fence."""
    row = a_row(state=state)
    before = stored(row)
    states.degrade(row.pk, generation, "It does not answer.")
    states.refuse(row.pk, generation, "Revoked.", incident=incidents.REUSE)
    assert changed(row, before) == {}
    assert told(row) == []
    assert not Incident.objects.exists()


def refused(row: Connection, **words: str) -> NeedsReconnect:
    with pytest.raises(NeedsReconnect) as caught:
        states.refuse(row.pk, 7, "Revoked. " + "x" * 300, **words)
    return caught.value


def test_a_verdict_is_written_down_and_told_to_everybody() -> None:
    """I6, I10, C17."""
    row = a_row()
    Member.objects.update(is_confirmed=True)
    before, member = stored(row), Member.objects.get(pk=row.member_id)
    error = refused(row, cause="ended")
    reason = ("Revoked. " + "x" * 300)[:200]
    assert (str(error), error.provider) == (reason, "salesforce")
    assert changed(row, before) == {
        "state": State.NEEDS_RECONNECT,
        "reason": reason,
        "cause": "ended",
        "lease_by": "",
        "lease_until": None,
    }
    now = Member.objects.get(pk=row.member_id)
    assert not now.is_confirmed
    assert now.session_key_seed != member.session_key_seed
    assert set(Epoch.objects.filter(key=str(row.pk)).values_list("kind", flat=True)) == {"connection", "cards"}
    assert told(row) == [("task:renewal", "connection.needs_reconnect", str(row.pk), "refused", {"generation": 7})]
    assert not Incident.objects.exists()


def test_a_mailboxs_end_leaves_the_session() -> None:
    row = a_row("google")
    Member.objects.update(is_confirmed=True)
    refused(row, result="quarantined")
    assert Member.objects.get(pk=row.member_id).is_confirmed
    assert told(row)[0][3] == "quarantined"


def test_a_refusal_that_is_more_than_one_persons_business() -> None:
    """V13."""
    row = a_row()
    refused(row, incident=incidents.REUSE)
    found = Incident.objects.get()
    assert (found.kind, found.connection_id, found.organization_id, found.generation) == (
        incidents.REUSE,
        row.pk,
        row.organization_id,
        7,
    )
