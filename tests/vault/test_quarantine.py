"""What was kept apart is ended with its connection where it is the same person's, and otherwise wiped after 30 days
(C17, I2; V11, V12, V19)."""

from collections.abc import Callable
from uuid import UUID

import pytest
from django.db import transaction

from organizations import erasing
from organizations.models import Destruction
from providers.base import Secret
from providers.errors import NeedsReconnect
from tests.vault.conftest import Connected
from tests.vault.rotating import Rotating
from vault import answers, grants, keys, offboarding, renewal, revocation, states, upkeep
from vault.models import Attempt, Connection, DiscardedGrant, State
from vault.tokens import ConnectionTokens

pytestmark = [
    pytest.mark.django_db(databases=["default", "keys"], transaction=True),
    pytest.mark.usefixtures("judged"),
]
LONG_AGO = "2020-01-01T00:00:00Z"


def refused(alice: Connected) -> None:
    source = ConnectionTokens(alice.connection.pk, "test")
    with pytest.raises(NeedsReconnect):
        source.access(rejected=source.access().token)


@pytest.fixture
def apart(alice: Connected, provider: Rotating) -> Rotating:
    """A renewal was answered with a host that is not on the list: the newest refresh token is kept apart."""
    provider.changes = {"instance_url": "https://acme.new-host.example"}
    refused(alice)
    assert Attempt.objects.get().outcome == answers.QUARANTINED
    return provider


@pytest.fixture
def stranger(alice: Connected, provider: Rotating) -> Rotating:
    provider.changes = {"id": provider.identity.replace("001AAA", "009AAA")}
    refused(alice)
    return provider


def kept() -> list[str]:
    return list(Attempt.objects.exclude(sealed_answer=None).values_list("outcome", flat=True))


def disconnect(alice: Connected) -> None:
    assert revocation.disconnect(alice.connection.pk, alice.member) == revocation.Ending.CONFIRMED


def send_away(alice: Connected) -> None:
    type(alice.member).objects.filter(pk=alice.member.pk).update(is_active=False)
    offboarding.end(alice.connection.pk)


def destroy(alice: Connected) -> None:
    erasing.begin(alice.member.organization_id)
    erasing.withdraw(Destruction.objects.get(), 1)


def connect_again(alice: Connected) -> None:
    grants.open_keys(alice.connection.pk)
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=alice.connection.pk)
        earlier = grants.load(row)
        tokens = {"access_token": Secret("fresh"), "refresh_token": Secret("fresh-refresh")}
        grants.store(row, earlier.renewed(id=UUID(int=7), **tokens))
        revocation.discard(row, earlier)
        states.mend(row)


@pytest.mark.parametrize("ends", [disconnect, send_away, destroy, connect_again])
def test_what_was_kept_apart_ends_with_its_connection(
    alice: Connected, apart: Rotating, ends: Callable[[Connected], None]
) -> None:
    """V12, C17: at the grant's own host; nothing goes to the one that was named."""
    newest = apart.refresh_token
    keys.forget_all()
    ends(alice)
    upkeep.sweep()
    upkeep.finish_revocations()
    assert newest in apart.revoked
    assert not apart.alive
    assert kept() == []
    assert not DiscardedGrant.objects.exists()
    assert "fresh-refresh" not in apart.revoked


def test_it_is_kept_while_nobody_has_decided(alice: Connected, apart: Rotating) -> None:
    upkeep.sweep()
    assert kept() == [answers.QUARANTINED]
    Attempt.objects.update(ended_at=LONG_AGO)
    upkeep.sweep()
    upkeep.finish_revocations()
    assert apart.refresh_token in apart.revoked
    assert kept() == []
    assert alice.again().state == State.NEEDS_RECONNECT


@pytest.mark.parametrize("comes", ["late", "after the end"])
def test_one_that_comes_after_the_end_is_ended_at_once(alice: Connected, provider: Rotating, comes: str) -> None:
    """V12, C37: a destruction does not wait for a sweep. `late`: its connection was only given up."""
    begun = renewal._begin(alice.connection.pk, alice.again().generation)
    assert isinstance(begun, renewal.Begun)
    provider.changes = {"instance_url": "https://acme.new-host.example"}
    if comes == "late":
        with pytest.raises(NeedsReconnect):
            states.refuse(alice.connection.pk, alice.again().generation, "Given up.", result="given up")
    else:
        revocation.put_down(alice.connection.pk, "operator")
    renewal._carry_out(begun)
    assert kept() == ([answers.QUARANTINED] if comes == "late" else [])
    upkeep.finish_revocations()
    assert (provider.refresh_token in provider.revoked) is (comes != "late")


@pytest.mark.oracle(finds=["I2"])  # it is not known that these are not hers
def test_a_strangers_tokens_are_not_ended_but_forgotten(alice: Connected, stranger: Rotating) -> None:
    """V11: whose they are nobody here can say; the 30 days are those of the attempt."""
    revocation.disconnect(alice.connection.pk, alice.member)
    upkeep.sweep()
    assert kept() == [answers.FOREIGN]
    Attempt.objects.update(ended_at=LONG_AGO)
    upkeep.sweep()
    assert kept() == []
    assert stranger.refresh_token not in stranger.revoked


@pytest.mark.oracle(finds=["I2"])
def test_what_does_not_open_is_forgotten_too(alice: Connected, apart: Rotating) -> None:
    """V19, and it stops nobody from disconnecting."""
    blob = bytearray(Attempt.objects.get().sealed_answer or b"")
    blob[-1] ^= 1
    Attempt.objects.update(sealed_answer=bytes(blob))
    revocation.disconnect(alice.connection.pk, alice.member)
    assert kept() == [answers.FOREIGN]
    Attempt.objects.update(ended_at=LONG_AGO)
    upkeep.sweep()
    assert kept() == []
