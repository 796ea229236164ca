"""Renewal ahead of need, by the database's clock, and what an unknown outcome means at which provider (V3, V7, V22)."""

import ast
import time
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from email.utils import formatdate
from pathlib import Path
from typing import Self
from uuid import uuid4

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django import Settings

from providers.base import Secret
from providers.errors import NeedsReconnect, Transient
from tests.providers.faulty import Handler
from tests.vault.conftest import Connected
from tests.vault.rotating import USER, Rotating, cut
from vault import (
    clock,
    findings,
    grants,
    incidents,
    leases,
    pending,
    renewal,
    revocation,
    tasks,
    turns,
    upkeep,
)
from vault.errors import NotAllowedHere
from vault.models import Attempt, Connection, Incident, PendingSignIn, State
from vault.pending import Expected
from vault.tokens import ConnectionTokens

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


@pytest.fixture
def at_google(alice: Connected, provider: Rotating, settings: Settings) -> Connected:
    """The same grant, at a provider that announces a lifetime and takes a repeated refresh for what it is."""
    settings.GOOGLE_OAUTH_URL = provider.server.url
    settings.GOOGLE_CLIENT_ID, settings.GOOGLE_CLIENT_SECRET = "client", "client-secret"
    provider.rotates, provider.changes = False, {"expires_in": 3600, "id": None}
    oauth = provider.server.behave

    def behave(handler: Handler) -> None:
        if handler.path == "/v1/userinfo":
            handler.answer(*((200, {"sub": USER}) if provider.alive else (401, {"error": "invalid_request"})))
        else:
            oauth(handler)

    provider.server.behave = behave
    Connection.objects.update(provider="google")
    row = alice.again()
    end = clock.after(3600.0)
    grants.store(row, alice.grant.renewed(expires_at=end))
    return Connected(alice.member, alice.again(), grants.load(alice.again()))


def due(alice: Connected) -> None:
    Connection.objects.filter(pk=alice.connection.pk).update(renew_at=Now())


def run(monkeypatch: pytest.MonkeyPatch) -> None:
    """One run of the timetable, each task at once."""
    monkeypatch.setattr(tasks.renew_grant, "delay", tasks.renew_grant)
    monkeypatch.setattr(tasks.prove_grant, "delay", tasks.prove_grant)
    tasks.look_after_grants()


def test_a_grant_is_due_when_three_quarters_of_its_life_are_over(at_google: Connected) -> None:
    """docs/vault.md 5: at 75 to 85 percent, each connection at its own point, the same one every time."""
    shares = set()
    for _ in range(200):
        at = grants._due(uuid4(), at_google.grant)
        assert at is not None
        shares.add(round(1 - (at_google.grant.expires_at - at).total_seconds() / 3600, 3))  # type: ignore[operator]
    assert min(shares) >= 0.749
    assert max(shares) <= 0.852
    assert len(shares) > 50
    one, two = (grants._due(at_google.connection.pk, at_google.grant) for _ in range(2))
    assert one is not None
    assert two is not None
    assert abs(one - two) < timedelta(seconds=1)


def test_nothing_is_announced_and_nothing_is_due(alice: Connected, provider: Rotating) -> None:
    """Salesforce says nothing of a life, so its grants are never renewed by the clock."""
    assert alice.again().renew_at is None
    assert list(turns.to_renew()) == []


def test_a_due_grant_is_renewed_before_anybody_needs_it(
    at_google: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(monkeypatch)
    assert provider.refreshes == 0, "not due"
    due(at_google)
    run(monkeypatch)
    run(monkeypatch)
    assert provider.refreshes == 1
    row = at_google.again()
    assert row.renew_at is not None
    assert row.renew_at > timezone.now() + timedelta(minutes=40)
    assert (row.state, row.generation) == (State.HEALTHY, at_google.connection.generation + 1)
    assert ConnectionTokens(row.pk, "test").access().token.reveal() == provider.access_token


def test_who_waits_in_the_queue_twice_is_renewed_once(at_google: Connected, provider: Rotating) -> None:
    for _ in range(3):
        upkeep.renew_ahead(at_google.connection.pk, at_google.connection.generation)
    assert provider.refreshes == 1


def test_processes_that_choose_at_once_choose_different_grants(at_google: Connected) -> None:
    """FOR UPDATE SKIP LOCKED: what another process is just choosing is passed over, not waited for."""
    due(at_google)
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT id FROM vault_connection FOR UPDATE")
            began = time.monotonic()
            assert list(turns.to_renew()) == []
            assert time.monotonic() - began < 1
            cursor.execute("ROLLBACK")
    finally:
        other.close()
    chosen = [(at_google.connection.pk, at_google.connection.generation)]
    assert list(turns.to_renew()) == chosen
    assert list(turns.to_renew()) == [], "claimed"
    Connection.objects.update(renew_at=timezone.now() - timedelta(seconds=1))
    assert list(turns.to_renew()) == chosen, "its task was lost with the queue: its turn again"


def test_nobody_is_asked_before_the_provider_wants_it(
    at_google: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V9: Retry-After is kept by the timetable, by a probe and by who asks for a token."""
    provider.instead = lambda handler: handler.answer(503, {}, {"Retry-After": "900"})
    due(at_google)
    run(monkeypatch)
    assert provider.refreshes == 1
    assert Attempt.objects.get().outcome == "failed", "where re-use is not punished there is nothing to fear"
    row = at_google.again()
    assert row.retry_at is not None
    assert timedelta(seconds=880) < row.retry_at - timezone.now() < timedelta(seconds=910)
    due(at_google)
    Connection.objects.update(probe_at=Now())
    run(monkeypatch)
    with pytest.raises(Transient):
        ConnectionTokens(row.pk, "test").access(rejected=Secret(provider.issued[1]))
    assert len(provider.server.seen) == 1


def test_a_lost_answer_is_asked_for_again_at_once(at_google: Connected, provider: Rotating) -> None:
    """Spec 2.6: Google's and Microsoft's refresh tokens stay valid, so who waits gets his token, and no warning."""
    answered: list[str] = []

    def once() -> None:
        provider.instead = cut if not answered else None
        answered.append("")

    provider.meanwhile = once
    renewal.renew(at_google.connection.pk, beyond=at_google.connection.generation)
    assert provider.refreshes == 2
    assert sorted(Attempt.objects.values_list("outcome", flat=True)) == ["renewed", "unknown"]
    assert at_google.again().state == State.HEALTHY


def test_lost_answers_do_not_become_a_storm(at_google: Connected, provider: Rotating) -> None:
    provider.instead = cut
    for _ in range(5):
        with pytest.raises(Transient):
            renewal.renew(at_google.connection.pk, beyond=at_google.connection.generation)
    assert provider.refreshes == 2, "one repetition, then the usual wait"
    assert "connect again" not in at_google.again().reason


def test_salesforce_is_not_asked_again(alice: Connected, provider: Rotating) -> None:
    """V3: while the access token works, nothing renews."""
    provider.instead = cut
    with pytest.raises(Transient):
        renewal.renew(alice.connection.pk, beyond=alice.connection.generation)
    Connection.objects.update(retry_at=None, connected_at="2020-01-01T00:00:00Z", renew_at=Now())
    upkeep.keep_alive(alice.connection.pk)
    upkeep.renew_ahead(alice.connection.pk, alice.connection.generation)
    assert list(turns.to_renew()) == []
    assert provider.refreshes == 1
    assert "connect again" in alice.again().reason


def test_old_attempts_go_but_not_those_that_forbid_a_renewal(alice: Connected, provider: Rotating) -> None:
    """V3: a doubt does not pass with time."""
    provider.instead = cut
    with pytest.raises(Transient):
        renewal.renew(alice.connection.pk, beyond=alice.connection.generation)
    earlier = Attempt.objects.create(
        connection=alice.connection, grant_id=alice.grant.id, generation=0, outcome="failed"
    )
    Attempt.objects.update(ended_at=timezone.now() - timedelta(days=40))
    upkeep.sweep()
    assert not Attempt.objects.filter(pk=earlier.pk).exists()
    assert Attempt.objects.get().outcome == "unknown"


def test_a_refusal_after_an_unknown_outcome_is_an_incident_there_too(at_google: Connected, provider: Rotating) -> None:
    provider.instead = cut
    with pytest.raises(Transient):
        renewal.renew(at_google.connection.pk, beyond=at_google.connection.generation)
    provider.alive = False
    Connection.objects.update(retry_at=None)
    with pytest.raises(NeedsReconnect, match="Google no longer accepts"):
        renewal.renew(at_google.connection.pk, beyond=at_google.connection.generation)
    assert Incident.objects.get().kind == incidents.REUSE


# -- clocks -----------------------------------------------------------------------------------------------------


@pytest.fixture
def host_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """`host_clock(600)`: this machine's clock jumps ten minutes ahead of the database's; also for who has taken hold of
    `timezone.now` before, as the default of a field does."""
    real = time.time

    def jump(seconds: float) -> None:
        class Off(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Self:
                return cls.fromtimestamp(real() + seconds, tz)

        monkeypatch.setattr(time, "time", lambda: real() + seconds)
        monkeypatch.setattr(timezone, "datetime", Off)

    return jump


@pytest.mark.parametrize("off", [600.0, -600.0, 86_400.0])
def test_a_wrong_clock_renews_nothing_and_uses_nothing_up(
    at_google: Connected, provider: Rotating, host_clock: Callable[[float], None], off: float
) -> None:
    """V22: the announced life is counted by the database's clock from before the call."""
    host_clock(off)
    old = ConnectionTokens(at_google.connection.pk, "test").access().token
    assert provider.refreshes == 0, "has an hour to go, whatever our clock says"
    renewal.renew(at_google.connection.pk, beyond=at_google.connection.generation)
    kept = grants.load(at_google.again())
    assert kept.expires_at is not None
    assert timedelta(minutes=59) < kept.expires_at - clock.now() <= timedelta(hours=1)
    row = at_google.again()
    grants.store(row, kept.renewed(expires_at=clock.now() - timedelta(seconds=1), access_token=old))
    leases._leases.clear()
    assert ConnectionTokens(row.pk, "test").access().token.reveal() == provider.access_token
    assert provider.refreshes == 2, "has run out, whatever our clock says"


def test_a_lease_ends_with_its_token(polled: None, at_google: Connected, provider: Rotating) -> None:
    """A token that lives half a minute longer is not kept for five. Polled from the start: nothing is news later."""
    row = at_google.again()
    grants.store(row, at_google.grant.renewed(expires_at=clock.after(40.0)))
    source = ConnectionTokens(row.pk, "test")
    first = source.lease()
    assert source.lease() is first
    assert 0 < first.good_until - time.monotonic() < 40.5
    object.__setattr__(first, "good_until", time.monotonic())
    grants.store(row, at_google.grant.renewed(expires_at=clock.after(1.0)))
    assert source.access().token.reveal() == provider.access_token, "renewed"
    assert provider.refreshes == 1


def test_a_jump_of_the_clock_makes_no_second_holder(
    at_google: Connected, provider: Rotating, host_clock: Callable[[float], None]
) -> None:
    """V7, I1: a lease that runs is not over because our clock says so; nor does it last longer."""
    begun = renewal._begin(at_google.connection.pk, at_google.connection.generation)
    assert isinstance(begun, renewal.Begun)
    host_clock(3_600.0)
    second = renewal._begin(at_google.connection.pk, at_google.connection.generation)
    assert second is renewal.Instead.SOMEONE_ELSE_DOES
    host_clock(-3_600.0)
    with transaction.atomic():
        Connection.objects.update(lease_until=Now() - timedelta(seconds=1))
    third = renewal._begin(at_google.connection.pk, at_google.connection.generation)
    assert isinstance(third, renewal.Begun)


def test_of_two_holders_one_stores(at_google: Connected, provider: Rotating) -> None:
    """V7, I3: the database's own clock has jumped, so there are two; the generation lets one of them store."""
    begun = [renewal._begin(at_google.connection.pk, at_google.connection.generation)]
    Connection.objects.update(lease_until=Now() - timedelta(seconds=1))
    begun.append(renewal._begin(at_google.connection.pk, at_google.connection.generation))
    for each in begun:
        assert isinstance(each, renewal.Begun)
        provider.changes = {**provider.changes, "access_token": f"access-{each.attempt.pk}"}
        renewal._carry_out(each)
    row = at_google.again()
    assert row.generation == at_google.connection.generation + 1
    assert row.state == State.HEALTHY
    assert sorted(Attempt.objects.values_list("outcome", flat=True)) == ["renewed", "replaced"]


def test_a_wrong_clock_is_told(alice: Connected, host_clock: Callable[[float], None]) -> None:
    """V22: an alarm above thirty seconds, for the operator."""
    assert [each.level for each in findings.clocks()][:1] == ["ok"]
    host_clock(600.0)
    warning = next(iter(findings.clocks()))
    assert warning.level == "warning"
    assert "600 seconds" in warning.message
    assert abs(clock.skew() - 600) < 2


@pytest.mark.parametrize(("seconds", "told"), [(0, []), (20, []), (-20, []), (600, ["warning"]), (-600, ["warning"])])
def test_a_provider_whose_clock_differs_is_told(
    alice: Connected, provider: Rotating, seconds: int, told: list[str]
) -> None:
    """V22: then it is the database's clock that is wrong. By the Date of an answer that takes no token."""

    def behave(handler: Handler) -> None:
        at = time.time() + seconds
        handler.date_time_string = lambda _=None: formatdate(at, usegmt=True)  # type: ignore[method-assign, assignment]
        handler.answer(200, {})

    provider.server.behave = behave
    assert [str(each.level) for each in findings._providers_clocks()] == told
    assert all("Authorization" not in seen.headers for seen in provider.server.seen)


@pytest.mark.parametrize("off", [0.05, 600.0, -600.0])
def test_a_wrong_clock_delays_no_end(
    alice: Connected, provider: Rotating, host_clock: Callable[[float], None], off: float
) -> None:
    """V22, C17: what is put down for revocation is due at once."""
    host_clock(off)
    assert revocation.disconnect(alice.connection.pk, "operator") is revocation.Ending.CONFIRMED
    assert provider.revoked == [alice.grant.refresh_token.reveal()]  # type: ignore[union-attr]


@pytest.mark.parametrize("off", [600.0, -600.0, -86_400.0])
def test_a_wrong_clock_neither_ends_nor_prolongs_a_sign_in(
    alice: Connected, host_clock: Callable[[float], None], off: float
) -> None:
    """V22, C1: ten minutes are ten of the database's."""
    host_clock(off)
    browser, state = SessionStore(), Secret("state")
    expected = Expected("https://login.salesforce.com", "https://login.salesforce.com", "client", "https://us", "/")
    pending.remember(browser, state, Secret("verifier"), expected)
    assert pending.sweep() == 0
    PendingSignIn.objects.update(started_at=F("started_at") - pending.LIFETIME + timedelta(seconds=20))
    assert pending.look(browser, "state") == expected
    PendingSignIn.objects.update(started_at=F("started_at") - timedelta(seconds=20))
    with pytest.raises(NotAllowedHere):
        pending.look(browser, "state")


_HOSTS_CLOCK = ("timezone.now", "datetime.now", "datetime.utcnow", "time.time", "time.time_ns", "date.today")


def test_no_decision_of_the_vault_asks_this_machines_clock() -> None:
    """V7, V22: Python's clock is mentioned in the comparison of the two clocks, nowhere else: neither called nor handed
    on, as the default of a field for one."""
    asked = {
        path.name
        for path in sorted(Path("vault").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node).endswith(_HOSTS_CLOCK)
    }
    assert asked == {"clock.py"}
