"""Work that nobody waits for: whose grants it uses, and that nobody is left out."""

import pytest

from organizations import membership
from tests.vault.conftest import Connected
from tests.vault.rotating import Rotating
from vault import tasks, upkeep
from vault.models import Connection, State

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


@pytest.fixture
def due(alice: Connected) -> Connected:
    """Connected long ago, never renewed or described since."""
    Connection.objects.update(connected_at="2020-01-01T00:00:00Z")
    return alice


def test_a_deactivated_members_grant_rests(due: Connected, provider: Rotating) -> None:
    """Switched off by an administrator: no call in the person's name, not even one that waited in the queue."""
    mine = due.connection.pk
    membership.change_active("operator", due.member, False)
    assert upkeep.due_for_access() == upkeep.due_for_renewal() == []
    upkeep.refresh_access(mine)
    upkeep.keep_alive(mine)
    assert provider.server.seen == []
    membership.change_active("operator", due.member, True)
    assert upkeep.due_for_access() == upkeep.due_for_renewal() == [mine]
    upkeep.keep_alive(mine)
    assert provider.refreshes == 1


def test_what_has_been_done_meanwhile_is_not_done_again(due: Connected, provider: Rotating) -> None:
    """Two entries of one connection in the queue."""
    for _ in range(2):
        upkeep.keep_alive(due.connection.pk)
    assert provider.refreshes == 1


def test_many_that_always_fail_keep_nobody_waiting(due: Connected, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every connection has its turn in every run, however many before it are never done."""
    failing = [
        Connection(
            organization=due.member.organization,
            member=due.member,
            provider="salesforce",
            subject=f"failing-{number}",
            state=State.DEGRADED,
            scopes=["api", "refresh_token"],
            connected_at="2019-01-01T00:00:00Z",
        )
        for number in range(300)
    ]
    everybody = {due.connection.pk} | {row.pk for row in Connection.objects.bulk_create(failing)}
    renewed, described = list[str](), list[str]()
    monkeypatch.setattr(tasks.keep_grant_alive, "delay", renewed.append)
    monkeypatch.setattr(tasks.refresh_object_access_of, "delay", described.append)
    tasks.keep_grants_alive()
    tasks.refresh_object_access()
    assert sorted(renewed) == sorted(described) == sorted(map(str, everybody))
