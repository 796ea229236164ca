"""What becomes of a kept answer: on disk, adopted, kept apart, or left alone (docs/vault.md 6)."""

from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from providers.base import Secret
from providers.errors import NeedsReconnect, Transient
from tests.vault.conftest import Connected
from tests.vault.kept import again, an_attempt, kept, late, stored, told
from tests.vault.rotating import Rotating
from vault import answers, grants, incidents, settling, spool
from vault.cipher import Place
from vault.models import Attempt, Connection, Incident, State

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


@pytest.fixture(autouse=True)
def by_the_oracle() -> None:
    """Not here: these rows are put together by hand, and not every blob in them opens."""


# -- keeping ----------------------------------------------------------------------------------------------------


def test_an_answer_opens_in_its_attempt_only(alice: Connected) -> None:
    """I5."""
    attempt = an_attempt(alice, generation=5)
    organization_id, mine = alice.member.organization_id, str(alice.connection.pk)
    assert answers.place_of(attempt) == Place(
        organization_id, "vault_attempt", attempt.id, "sealed_answer", "salesforce", 5, mine
    )


def test_a_late_answer_opens_its_attempt_again(alice: Connected) -> None:
    """V6: and no other one."""
    attempt, other = (an_attempt(alice, ended_at=timezone.now(), outcome=answers.UNKNOWN) for _ in range(2))
    answers.keep(attempt.id, b"sealed")
    row = again(attempt)
    assert (bytes(row.sealed_answer or b""), row.ended_at, row.outcome) == (b"sealed", None, "")
    assert (again(other).sealed_answer, again(other).outcome) == (None, answers.UNKNOWN)


def test_closing_wipes_what_nobody_has_to_look_at(alice: Connected) -> None:
    for outcome in (answers.RENEWED, answers.UNUSABLE, answers.REPLACED, answers.QUARANTINED, answers.TAMPERED):
        attempt, other = (an_attempt(alice, sealed_answer=b"sealed") for _ in range(2))
        answers.close(attempt, outcome)
        row = again(attempt)
        assert row.outcome == outcome
        assert row.ended_at is not None
        assert (row.sealed_answer is not None) == (outcome in (answers.QUARANTINED, answers.TAMPERED))
        assert (again(other).outcome, again(other).ended_at) == ("", None)


# -- understanding ----------------------------------------------------------------------------------------------


def test_an_awaited_answer_becomes_the_grant(alice: Connected, provider: Rotating) -> None:
    """I2, and what the log says of it; nothing moved, so no move is noted."""
    attempt = kept(alice, provider)
    before = alice.again().generation
    Connection.objects.update(state=State.DEGRADED, failures=3)
    settling.settle(attempt.id)
    row = alice.again()
    assert (row.state, row.failures, row.generation) == (State.HEALTHY, 0, before + 1)
    assert stored(alice) == ("late", "late-refresh")
    assert (again(attempt).outcome, again(attempt).sealed_answer) == (answers.RENEWED, None)
    token = grants.fingerprint(Secret("late"))
    facts = {"generation": before + 1, "fence": before + 1, "token": token, "attempt": str(attempt.pk)}
    assert told(alice, "token.renewed") == [("task:renewal", "ok", facts)]
    assert told(alice, "connection.host_changed") == []
    settling.settle(attempt.id)
    assert alice.again().generation == before + 1, "once"


def test_what_is_pending_is_settled_for_this_connection_only(alice: Connected, provider: Rotating) -> None:
    """What is on disk too."""
    other = Connection.objects.create(
        organization=alice.member.organization, member=alice.member, provider="google", subject="other"
    )
    foreign = Attempt.objects.create(connection=other, grant_id=uuid4(), generation=0, sealed_answer=b"sealed")
    attempt = kept(alice, provider)
    spool.write(attempt.id, bytes(attempt.sealed_answer or b""))
    Attempt.objects.filter(pk=attempt.pk).update(sealed_answer=None, ended_at=timezone.now())
    settling.settle_pending(alice.connection.pk)
    assert again(attempt).outcome == answers.RENEWED
    assert again(foreign).outcome == ""


def test_what_was_destroyed_or_settled_meanwhile_is_left_alone(alice: Connected, provider: Rotating) -> None:
    attempt = kept(alice, provider)
    settling.settle(uuid4())
    settling.settle(an_attempt(alice).id)
    Attempt.objects.filter(pk=attempt.pk).update(ended_at=timezone.now(), outcome=answers.QUARANTINED)
    settling.settle(attempt.id)
    assert (again(attempt).outcome, alice.again().generation) == (answers.QUARANTINED, alice.connection.generation)


def test_an_answer_that_does_not_open_is_kept_for_a_person(alice: Connected, provider: Rotating) -> None:
    """V19: nothing of it becomes the grant."""
    attempt, before = kept(alice, provider), stored(alice)
    Attempt.objects.filter(pk=attempt.pk).update(sealed_answer=bytes(attempt.sealed_answer or b"")[:-1] + b"?")
    with suppress(NeedsReconnect):
        settling.settle(attempt.id)
    assert again(attempt).outcome == answers.TAMPERED
    assert again(attempt).sealed_answer is not None
    assert stored(alice) == before


def test_nonsense_is_passing_trouble(alice: Connected, provider: Rotating) -> None:
    """V9."""
    attempt = kept(alice, provider, "<html>")
    with pytest.raises(Transient):
        settling.settle(attempt.id)
    assert (again(attempt).outcome, again(attempt).sealed_answer) == (answers.UNKNOWN, None)
    row = alice.again()
    told = "Salesforce's token endpoint gave no usable answer. You may have to connect again."
    assert (row.state, row.reason) == (State.DEGRADED, told)


@pytest.mark.parametrize(
    ("changes", "reason", "cause"),
    [
        ({"id": "other"}, "Salesforce answered for another person or host. An administrator has been told.", ""),
        (
            {"instance_url": "https://evil.example"},
            "Salesforce named a host that is not allowed. An administrator has been told.",
            "host_not_allowed",
        ),
    ],
)
def test_an_answer_for_somebody_else_is_kept_apart(
    alice: Connected, provider: Rotating, changes: dict[str, str], reason: str, cause: str
) -> None:
    """V11, V12."""
    attempt, before = kept(alice, provider, **changes), stored(alice)
    with pytest.raises(NeedsReconnect):
        settling.settle(attempt.id)
    row = alice.again()
    assert (row.state, row.reason, row.cause) == (State.NEEDS_RECONNECT, reason, cause)
    assert again(attempt).outcome == answers.QUARANTINED
    assert again(attempt).sealed_answer is not None
    assert told(alice, "connection.needs_reconnect")[0][1] == "quarantined"
    assert Incident.objects.get().kind == incidents.QUARANTINED
    assert stored(alice) == before


def test_an_answer_that_names_nobody_and_no_host_is_adopted(alice: Connected) -> None:
    """V10 and RFC 6749, 5.1: what an answer leaves out has not changed."""
    attempt = again(an_attempt(alice, sealed_answer=b"sealed"))
    assert answers.adopt_if_current(attempt, late(refresh_token=None)) == answers.RENEWED
    grant = grants.load(alice.again())
    assert stored(alice) == ("late", alice.grant.refresh_token.reveal() if alice.grant.refresh_token else "")
    assert (grant.api_url, grant.scopes, grant.expires_at) == (alice.grant.api_url, alice.grant.scopes, None)
    assert told(alice, "connection.host_changed") == []


def test_what_an_answer_says_replaces_what_was_known(alice: Connected) -> None:
    """V12, V22: its end is counted from before the call."""
    attempt = again(an_attempt(alice, sealed_answer=b"sealed"))
    answers.adopt_if_current(attempt, late(api_url="https://new.example", scopes=("a", "b"), lifetime=90))
    grant = grants.load(alice.again())
    assert (grant.api_url, grant.scopes, grant.id) == ("https://new.example", ("a", "b"), alice.grant.id)
    assert grant.expires_at == attempt.started_at + timedelta(seconds=90)
    assert told(alice, "connection.host_changed") == [("task:renewal", "ok", {"host": "https://new.example"})]


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"ended_at": timezone.now(), "sealed_answer": b"sealed"}, answers.RENEWED),
        ({"sealed_answer": None}, answers.RENEWED),
        ({"sealed_answer": b"sealed", "generation": 0}, answers.REPLACED),
    ],
)
def test_an_answer_that_nobody_awaits_changes_nothing(alice: Connected, changes: dict[str, Any], verdict: str) -> None:
    """V6, V7: another process has settled it, or the grant has moved on."""
    an_attempt(alice, sealed_answer=b"another one")
    attempt, before = again(an_attempt(alice, **changes)), stored(alice)
    assert answers.adopt_if_current(attempt, late()) == verdict
    assert stored(alice) == before


def test_an_answer_for_what_is_being_ended_is_not_adopted(alice: Connected) -> None:
    """I7."""
    attempt, before = again(an_attempt(alice, sealed_answer=b"sealed")), stored(alice)
    Connection.objects.update(state=State.REVOKING)
    assert answers.adopt_if_current(attempt, late()) == answers.REPLACED
    assert stored(alice) == before
