"""A browser comes back from its provider when something has changed meanwhile: nothing is stored for who may not have
it, no key comes back to life, no two wait for each other, and what was not our answer's fault may be tried again."""

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections, transaction
from django.db.models.functions import Now
from pytest_django import Settings

from organizations import audit, erasing, membership
from organizations.models import Member, Organization
from providers import oauth
from providers.base import Account
from tests.vault.accounts import PROVIDERS, Provider
from tests.vault.conftest import cold
from tests.vault.test_connecting_mail import _simulators, alice, begin, both, browser_of, connect, google, sim
from tests.vault.test_doors import sentence
from vault import admission, dialects, grants, keys, mailboxes
from vault.errors import NotAllowedHere
from vault.models import Connection, DataKey

__all__ = ["_simulators", "alice", "both", "cold", "google", "sim"]

METADATA_PATH = {
    "google": "/.well-known/openid-configuration",
    "microsoft": "/organizations/v2.0/.well-known/openid-configuration",
}

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """It happens after the provider has exchanged the code."""
    exchange = dialects.exchange

    def late(*args: Any, **kwargs: Any) -> Any:
        tokens = exchange(*args, **kwargs)
        happens()
        return tokens

    monkeypatch.setattr(dialects, "exchange", late)


def data_keys(member: Member) -> int:
    return DataKey.objects.using("keys").filter(organization_id=member.organization_id).count()


def test_who_is_sent_away_meanwhile_connects_nothing(
    sim: Provider, alice: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I7, V23: nothing is stored, and the fresh grant is ended where that can be done."""
    browser = browser_of(alice)
    path = sim.walk(begin(sim, browser), "alice")
    meanwhile(monkeypatch, lambda: membership.change_active("operator", Member.objects.get(pk=alice.pk), False))
    answer = browser.get(path)
    assert (answer.status_code, "has been ended" in sentence(answer)) == (403, True)
    assert not Connection.objects.exists()
    assert sim.name == "microsoft" or sim.grants("alice") == []


def test_an_organization_that_is_ending_connects_nothing(
    google: Provider, alice: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C37: also where its member were still active."""
    browser = browser_of(alice)
    path = google.walk(begin(google, browser), "alice")
    mine = Organization.objects.filter(pk=alice.organization_id)
    meanwhile(monkeypatch, lambda: mine.update(ending_since=Now()))
    assert browser.get(path).status_code == 403
    assert (Connection.objects.count(), data_keys(alice), google.grants("alice")) == (0, 0, [])


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_late_callback_makes_no_key_for_a_destroyed_organization(
    name: str,
    both: dict[str, Provider],
    alice: Member,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """C37, V18: the browser had left for its provider when the organization was destroyed, and comes back a minute
    later. What stood sealed in yesterday's backup must not get an heir to its key."""
    settings.LOCAL_DIR = tmp_path
    monkeypatch.setattr(erasing, "HEARD_BY_ALL", 0.1)
    grant = grants.load(connect(both[name], alice))
    call_command("destroy_organization", str(alice.organization_id), "--yes", "--patience", "0.2")
    with pytest.raises(NotAllowedHere, match="ended"):
        mailboxes._accept(name, Account("subject", "", "", ""), grant, alice)
    assert data_keys(alice) == 0


def test_signing_in_makes_no_key_for_an_organization_that_is_ending(alice: Member) -> None:
    """C37: `join` refuses it a moment later."""
    keys.verify_kek()
    org_id, user_id = alice.organization.salesforce_org_id, alice.salesforce_user_id
    identity: Any = SimpleNamespace(salesforce_org_id=org_id, salesforce_user_id=user_id)
    Organization.objects.filter(pk=alice.organization_id).update(ending_since=Now())
    admission._open_keys(identity)
    assert data_keys(alice) == 0
    Organization.objects.filter(pk=alice.organization_id).update(ending_since=None)
    admission._open_keys(identity)
    assert data_keys(alice) == 1


def test_storing_and_ending_another_connection_of_the_same_person_do_not_block_each_other(
    google: Provider, alice: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both lock what is the member's before the audit log."""
    row = connect(google, alice)
    grant, both_at_it, failures = grants.load(row), threading.Barrier(2), list[str]()

    def safely(work: Callable[[], None]) -> None:
        try:
            with transaction.atomic():
                work()
        except Exception as error:  # noqa: BLE001  a deadlock is what is looked for
            failures.append(type(error).__name__)
        finally:
            connections.close_all()

    def ends_another() -> None:
        """As `states.refuse` and `revocation.put_down` do it."""
        membership.unconfirm(alice.pk)
        wait(both_at_it)
        audit.record(alice.organization_id, "task:test", "connection.needs_reconnect")

    recorded = audit.record

    def record(*args: Any, **facts: Any) -> Any:
        entry = recorded(*args, **facts)
        if args[2] == "connection.connected":
            wait(both_at_it)
        return entry

    monkeypatch.setattr(audit, "record", record)
    threads = [
        threading.Thread(target=safely, args=(work,))
        for work in (ends_another, lambda: mailboxes._record(row, grant, alice, replaced=False))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def wait(barrier: threading.Barrier) -> None:
    """Until both hold what they lock first, or one of them waits for the other in good order."""
    try:
        barrier.wait(1)
    except threading.BrokenBarrierError:
        return


def test_a_provider_whose_metadata_cannot_be_had_just_now_may_be_come_back_from_again(
    sim: Provider, alice: Member
) -> None:
    """The process that is asked has not spoken to it yet; its 503 does not use the state up."""
    browser = browser_of(alice)
    path = sim.walk(begin(sim, browser), "alice")
    oauth._metadata.clear()
    sim.sim("faults", {"path": METADATA_PATH[sim.name], "status": 503, "times": 1})
    assert browser.get(path).status_code == 503
    assert browser.get(path).status_code == 302
