"""Answers with status 200 in which something is missing or odd: no refresh token is lost over it, and nobody else waits
(docs/vault.md 6; I2, I3, V9, V13)."""

from uuid import UUID

import pytest

from providers.base import Secret
from providers.errors import NeedsReconnect, Transient
from tests.providers.faulty import Handler
from tests.vault.conftest import Connected
from tests.vault.rotating import Rotating, page
from vault import answers, grants, incidents, probe, renewal, revocation, settling, turns, upkeep
from vault.models import Attempt, Connection, Incident, State
from vault.tokens import ConnectionTokens

pytestmark = [
    pytest.mark.django_db(databases=["default", "keys"], transaction=True),
    pytest.mark.usefixtures("judged"),
]


def tokens(alice: Connected) -> ConnectionTokens:
    return ConnectionTokens(alice.connection.pk, "test")


def long_ago() -> None:
    """Due for a renewal ahead of need, and nobody is asked to wait."""
    Connection.objects.update(connected_at="2020-01-01T00:00:00Z", retry_at=None)


def without_access_token(provider: Rotating, **changes: object) -> None:
    """What comes is the new refresh token, and nothing with which to use it now."""

    def answer(handler: Handler) -> None:
        fields = {"refresh_token": provider.refresh_token, "id": provider.identity, "instance_url": provider.server.url}
        handler.answer(200, {name: value for name, value in {**fields, **changes}.items() if value})

    provider.instead = answer


@pytest.mark.parametrize("changes", [{}, {"instance_url": None, "id": None}, {"access_token": "\u00e4"}])
def test_a_refresh_token_without_access_token_is_the_next_one_presented(
    alice: Connected, provider: Rotating, changes: dict[str, str | None]
) -> None:
    """I2, I3: the old one is used up."""
    old = tokens(alice).access().token
    without_access_token(provider, **changes)
    with pytest.raises(Transient) as told:
        tokens(alice).access(rejected=old)
    assert not told.value.outcome_unknown
    row, grant = alice.again(), grants.load(alice.again())
    assert (row.state, Attempt.objects.get().outcome) == (State.DEGRADED, answers.UNUSABLE)
    assert (grant.access_token.reveal(), grant.api_url) == (old.reveal(), provider.server.url)
    assert grant.refresh_token is not None
    assert grants.same(grant.refresh_token, Secret(provider.refresh_token))
    provider.instead = None
    long_ago()
    upkeep.keep_alive(row.pk)
    assert (provider.refreshes, provider.reuses) == (2, 0)
    assert alice.again().state == State.HEALTHY
    assert tokens(alice).access().token.reveal() == provider.access_token


def test_such_an_answer_again_and_again_ends_nothing(alice: Connected, provider: Rotating) -> None:
    """I6: the token that is refused stays the same, and that is no verdict on the grant."""
    old = tokens(alice).access().token
    without_access_token(provider)
    for _ in range(5):
        with pytest.raises(Transient):
            tokens(alice).access(rejected=old)
        long_ago()
    assert (provider.refreshes, provider.reuses) == (5, 0)
    assert alice.again().state == State.DEGRADED


def test_such_an_answer_for_another_person_is_kept_apart(alice: Connected, provider: Rotating) -> None:
    """V11."""
    old = tokens(alice).access().token
    without_access_token(provider, id=provider.identity.replace("001AAA", "009AAA"))
    with pytest.raises(NeedsReconnect, match="another person"):
        tokens(alice).access(rejected=old)
    assert Attempt.objects.get().outcome == answers.QUARANTINED


def test_such_an_answer_that_comes_late_is_revoked(alice: Connected, provider: Rotating) -> None:
    """V14, I2: the person has disconnected meanwhile."""
    without_access_token(provider)
    begun = renewal._begin(alice.connection.pk, alice.again().generation)
    assert isinstance(begun, renewal.Begun)
    revocation.put_down(alice.connection.pk, "operator")
    renewal._carry_out(begun)
    upkeep.finish_revocations()
    assert provider.refresh_token in provider.revoked


@pytest.mark.oracle(reuses=1)
def test_a_page_with_status_200_may_hide_a_rotation(alice: Connected, provider: Rotating) -> None:
    """V9, V13: as a 502 with the same page. Not renewed without need, and the refusal in the end says why."""
    old = tokens(alice).access().token
    provider.instead = page
    with pytest.raises(Transient) as lost:
        tokens(alice).access(rejected=old)
    assert lost.value.outcome_unknown
    row = alice.again()
    assert (row.state, Attempt.objects.get().outcome) == (State.DEGRADED, answers.UNKNOWN)
    assert "connect again" in row.reason
    provider.instead = None
    long_ago()
    upkeep.keep_alive(row.pk)
    assert provider.refreshes == 1
    with pytest.raises(NeedsReconnect, match="interrupted"):
        tokens(alice).access(rejected=old)
    assert Incident.objects.get().kind == incidents.REUSE


@pytest.mark.parametrize("scope", ["api\0 id refresh_token", "api \ud800 id refresh_token", 'api" \\ id refresh_token'])
def test_scopes_that_no_column_takes_are_left_out(alice: Connected, provider: Rotating, scope: str) -> None:
    """RFC 6749, appendix A.4: stored, and nobody stumbles over it at the next access or in the sweep."""
    old = tokens(alice).access().token
    provider.changes = {"scope": scope}
    assert tokens(alice).access(rejected=old).token.reveal() == provider.access_token
    row = alice.again()
    assert row.state == State.HEALTHY
    assert set(row.scopes) <= {"api", "id", "refresh_token"}
    assert "refresh_token" in row.scopes
    upkeep.sweep()
    probe.probe(row.pk)
    assert alice.again().state == State.HEALTHY


def test_one_answer_over_which_we_stumble_keeps_nobody_waiting(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A mistake of ours, whatever it is: the others are settled, and the log names its type."""
    stumbled, settled = UUID(int=1), list[UUID]()

    def stumble(connection_id: UUID) -> None:
        settled.append(connection_id)
        if connection_id == stumbled:
            raise UnicodeEncodeError("utf-8", "a secret", 0, 1, "surrogates not allowed")

    with monkeypatch.context() as patched:
        patched.setattr(settling, "settle_pending", stumble)
        assert not upkeep._passing(settling.settle_pending, stumbled)
        assert upkeep._passing(settling.settle_pending, alice.connection.pk)
    assert settled == [stumbled, alice.connection.pk]
    assert [each.message for each in caplog.records] == ["some upkeep failed: UnicodeEncodeError"]


def test_a_probe_over_which_we_stumble_is_put_off(
    alice: Connected, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not asked for again at once; what the state says of it is what it said before."""

    def stumble(*_: object) -> bool:
        raise UnicodeEncodeError("utf-8", "a secret", 0, 1, "surrogates not allowed")

    monkeypatch.setattr(probe, "_works", stumble)
    probe.probe(alice.connection.pk)
    row = alice.again()
    assert (row.state, row.probe_at is not None) == (State.HEALTHY, True)
    assert alice.connection.pk not in turns.to_prove()
    assert [each.message for each in caplog.records] == ["probing a connection failed: UnicodeEncodeError"]
