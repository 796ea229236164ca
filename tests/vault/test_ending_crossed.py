"""Google ends all of a person's grants to an app together: one that is made while an earlier one is being ended
is not taken for healthy before Google has said so (I6, I10, docs/vault.md 9)."""

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.db.models.functions import Now

from organizations.models import AuditEntry, Member
from providers.base import Secret
from tests.vault.accounts import Provider
from tests.vault.conftest import cold
from tests.vault.test_connecting_late import meanwhile
from tests.vault.test_connecting_mail import _simulators, alice, begin, both, browser_of, connect, google
from tests.vault.test_doors import sentence
from vault import dialects, grants, mailboxes, proof, revocation, standing, turns, upkeep, withdrawals
from vault.models import Connection, State, Withdrawal

__all__ = ["_simulators", "alice", "both", "cold", "google"]

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


class Ending:
    """A disconnection in a thread of its own whose request reaches Google only when it is let go."""

    def __init__(self, row: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
        self._asks, self._goes_on, revoke = threading.Event(), threading.Event(), dialects.revoke

        def held(*args: Any) -> None:
            self._asks.set()
            assert self._goes_on.wait(20)
            revoke(*args)

        monkeypatch.setattr(dialects, "revoke", held)
        self._thread = threading.Thread(target=self._end, args=(row,))
        self._thread.start()
        assert self._asks.wait(20)

    def _end(self, row: Connection) -> None:
        try:
            revocation.disconnect(row.pk, "task:test")
        finally:
            connections.close_all()

    def go_on(self) -> None:
        self._goes_on.set()
        self._thread.join(20)
        assert not self._thread.is_alive()


@pytest.fixture
def charlie(alice: Member) -> Member:
    """Of another organization, and he has Alice's account too."""
    return Member.objects.get(name="Charlie Chen")


def back_from(google: Provider, member: Member) -> Callable[[], Any]:
    """The last step of connecting: the browser has the code, and is on its way to us."""
    browser = browser_of(member)
    path = google.walk(begin(google, browser), "alice")
    return lambda: browser.get(path)


def ask_when_it_is_time() -> None:
    """As the timetable does, a little later."""
    Connection.objects.filter(renew_at__lt=Now() + timedelta(seconds=30)).update(renew_at=Now())
    for connection_id, generation in turns.to_renew():
        upkeep.renew_ahead(connection_id, generation)


def assert_in_question(row: Connection) -> None:
    assert (row.state, proof.shown(row).state) == (State.DEGRADED, State.DEGRADED)
    assert "Another connection of this account was being ended" in row.reason
    assert row.renew_at is not None
    assert row.renew_at - row.connected_at < timedelta(seconds=40), "I10: it is known within a minute"
    assert AuditEntry.objects.filter(action="connection.questioned", target=str(row.pk)).exists()


def connected(member: Member) -> Connection:
    return Connection.objects.get(member=member, provider="google")


@pytest.mark.parametrize("who", ["alice", "charlie"])
def test_an_end_that_reaches_google_after_the_new_grant_was_made(
    google: Provider, alice: Member, charlie: Member, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Her own earlier connection, or another organization's of the same account."""
    member = {"alice": alice, "charlie": charlie}[who]
    ending = Ending(connect(google, alice), monkeypatch)
    try:
        answer = back_from(google, member)()
        assert answer.status_code == 302, sentence(answer)
        assert_in_question(connected(member))
        (shown,) = [each for each in standing.of(member) if each.connection.provider == "google"]
        assert shown.status.words == "Connected, with trouble"
    finally:
        ending.go_on()
    assert google.grants("alice") == [], "both are dead"
    ask_when_it_is_time()
    assert connected(member).state == State.NEEDS_RECONNECT


def test_an_end_that_google_confirms_before_the_new_grant_is_stored(
    google: Provider, alice: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, back = connect(google, alice), back_from(google, alice)
    meanwhile(monkeypatch, lambda: revocation.disconnect(row.pk, alice))
    assert back().status_code == 302
    assert google.grants("alice") == []
    assert_in_question(connected(alice))
    ask_when_it_is_time()
    assert connected(alice).state == State.NEEDS_RECONNECT


def test_a_sign_in_that_is_given_up_beside_it(
    google: Provider, alice: Member, charlie: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its fresh tokens are ended too, and no connection tells of them."""
    earlier = connect(google, charlie)
    grant = grants.load(earlier)
    Connection.objects.filter(pk=earlier.pk).update(state=State.SHREDDED)
    back = back_from(google, alice)

    def given_up() -> None:
        with suppress(LookupError):
            mailboxes._give_up("google", earlier.subject, grant, LookupError())

    meanwhile(monkeypatch, given_up)
    assert back().status_code == 302
    assert google.grants("alice") == []
    assert_in_question(connected(alice))


def test_one_that_google_has_not_obeyed_is_found_sound(google: Provider, alice: Member) -> None:
    """No answer is no end: the grant is asked about, and goes on."""
    row = connect(google, alice)
    google.sim("faults", {"path": "/revoke", "status": 503, "times": 1})
    back = back_from(google, alice)
    revocation.disconnect(row.pk, alice)
    assert back().status_code == 302
    assert_in_question(connected(alice))
    ask_when_it_is_time()
    assert (connected(alice).state, connected(alice).reason) == (State.HEALTHY, "")


def test_who_connects_again_after_the_end_is_kept_waiting_by_nothing(google: Provider, alice: Member) -> None:
    row = connect(google, alice)
    revocation.disconnect(row.pk, alice)
    assert connect(google, alice).state == State.HEALTHY
    assert connect(google, alice).state == State.HEALTHY, "nor by one that was replaced, and not ended"
    assert Withdrawal.objects.count() == 1


def test_an_end_that_is_about_to_begin_meets_the_connection_that_was_stored(
    google: Provider, alice: Member, charlie: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks once more, having said that it is about to: whichever of the two comes first, one sees the other."""
    row, back, create = connect(google, alice), back_from(google, charlie), Withdrawal.objects.create

    def stored_first(**values: Any) -> Withdrawal:
        assert back().status_code == 302
        return create(**values)

    monkeypatch.setattr(Withdrawal.objects, "create", stored_first)
    assert revocation.disconnect(row.pk, alice) == revocation.Ending.KEPT
    assert connected(charlie).state == State.HEALTHY
    assert dialects.works(grants.load(connected(charlie)), "google")
    assert not Withdrawal.objects.exists()


@pytest.fixture
def told(google: Provider, alice: Member) -> Withdrawal:
    revocation.disconnect(connect(google, alice).pk, alice)
    return Withdrawal.objects.get()


def test_it_names_nobody_and_is_forgotten(told: Withdrawal, google: Provider, alice: Member) -> None:
    subject = connected(alice).subject
    assert told.account == grants.fingerprint(
        Secret(f"google {dialects.of('google').app_of(google.info['client_id'])} {subject}")
    )
    assert subject not in told.account
    upkeep.sweep()
    assert Withdrawal.objects.count() == 1
    Withdrawal.objects.update(until=Now() - timedelta(hours=1, seconds=1))
    upkeep.sweep()
    assert not Withdrawal.objects.exists()


def test_of_another_account_or_app_it_says_nothing(told: Withdrawal, google: Provider, alice: Member) -> None:
    row, since = connected(alice), told.until - timedelta(seconds=1)
    assert withdrawals.may_have_met("google", row.subject, row.client_id or google.info["client_id"], since)
    assert not withdrawals.may_have_met("google", row.subject, "99-other.apps.googleusercontent.com", since)
    assert not withdrawals.may_have_met("google", "somebody", google.info["client_id"], since)
    assert not withdrawals.may_have_met(
        "google", row.subject, google.info["client_id"], told.until + timedelta(seconds=1)
    )
    nobody_knows = withdrawals._name("google", row.subject, "")
    Withdrawal.objects.update(account=nobody_knows)
    assert withdrawals.may_have_met("google", row.subject, google.info["client_id"], since), "of an app not known: any"
