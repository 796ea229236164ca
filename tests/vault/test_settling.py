"""Answers that come when the grant has moved on, and what is settled in one commit (docs/vault.md 6; I2, V5 to V14)."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.db.models import F
from django.utils import timezone

from organizations import erasing
from organizations.models import AuditEntry, Destruction, Epoch
from providers.base import Secret
from providers.errors import NeedsReconnect, Transient
from providers.http import TOTAL_SECONDS
from tests.faults.oracle import Oracle
from tests.vault.conftest import Connected
from tests.vault.rotating import Rotating
from vault import (
    answers,
    dialects,
    grants,
    incidents,
    keys,
    renewal,
    revocation,
    settling,
    spool,
    states,
    underway,
    upkeep,
)
from vault import erasing as vault_erasing
from vault.cipher import SealingKey
from vault.grants import Grant
from vault.models import Attempt, Connection, DataKey, DiscardedGrant, Incident, State
from vault.renewal import Begun

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)

SOMEBODY_ELSE = "005000000000009AAA"


class KilledError(BaseException):
    """As if the process were gone: nothing of ours catches it."""


def die(*_: Any, **__: Any) -> None:
    raise KilledError


def begin(alice: Connected) -> Begun:
    begun = renewal._begin(alice.connection.pk, alice.again().generation)
    assert isinstance(begun, Begun)
    return begun


def give_up(alice: Connected) -> None:
    """Somebody else has come to the end of it meanwhile."""
    with pytest.raises(NeedsReconnect):
        states.refuse(alice.connection.pk, alice.again().generation, "Given up.", result="given up")


def connect_again(alice: Connected) -> None:
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=alice.connection.pk)
        fresh = Secret("fresh"), Secret("fresh-refresh")
        revocation.discard(row, alice.grant)
        grants.store(row, alice.grant.renewed(id=uuid4(), access_token=fresh[0], refresh_token=fresh[1]))
        states.mend(row)


def end_lease(alice: Connected) -> None:
    past = timezone.now() - timedelta(seconds=1)
    Connection.objects.filter(pk=alice.connection.pk).update(lease_until=past, retry_at=None)


def only_attempt() -> tuple[str, bool]:
    found = Attempt.objects.get()
    return found.outcome, found.sealed_answer is not None


@pytest.mark.parametrize("comes", ["before", "after"])
def test_an_answer_that_comes_while_the_organization_is_destroyed_is_revoked(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch, comes: str
) -> None:
    """I2, I7, C37: every connection is to be revoked; before or after this one's grant has been put down."""
    erasing.begin(alice.member.organization_id)
    begun, put_down = begin(alice), vault_erasing._put_down

    def meanwhile(*arguments: Any) -> None:
        for step in ("before", "itself", "after"):
            if step == "itself":
                put_down(*arguments)
            elif step == comes:
                renewal._carry_out(begun)

    monkeypatch.setattr(vault_erasing, "_put_down", meanwhile)
    erasing.withdraw(Destruction.objects.get(), 1)
    assert provider.refresh_token in provider.revoked
    assert not provider.alive
    assert only_attempt() == (answers.REPLACED, False)


def test_an_answer_that_comes_while_others_are_settled_is_waited_for(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C37: whether something is under way is asked before what is there is settled, not after."""
    kept(alice, monkeypatch)
    blob = Attempt.objects.get().sealed_answer
    Attempt.objects.update(sealed_answer=None)
    Connection.objects.update(state=State.REVOKING)
    pauses, look, settle = list[float](), answers.import_spool, vault_erasing._settle

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        monkeypatch.setattr(vault_erasing, "_settle", settle)

    def arrive() -> int:
        """After the kept ones were listed in the first round."""
        monkeypatch.setattr(answers, "import_spool", look)
        monkeypatch.setattr(vault_erasing, "_settle", lambda _: None)
        Attempt.objects.update(sealed_answer=blob)
        return 0

    monkeypatch.setattr(answers, "import_spool", arrive)
    monkeypatch.setattr(vault_erasing, "time", SimpleNamespace(monotonic=time.monotonic, sleep=pause))
    vault_erasing._settle_what_is_under_way(alice.member.organization_id)
    assert len(pauses) == 1
    assert only_attempt() == (answers.REPLACED, False)
    assert DiscardedGrant.objects.count() == 1


@pytest.mark.parametrize("what", ["reconnected", "disconnected"])
def test_a_late_answer_is_revoked_where_the_person_was_faster(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """V14, I2: he connects anew, or disconnects, while it is being tried whether the late tokens work."""
    begun, late = begin(alice), []
    give_up(alice)
    works = dialects.works

    def slow(grant: Grant, name: str, subject: str) -> bool:
        monkeypatch.setattr(dialects, "works", works)
        found = works(grant, name, subject)
        late.append(provider.refresh_token)
        if what == "reconnected":
            connect_again(alice)
        else:
            revocation.put_down(alice.connection.pk, alice.member)
        return found

    monkeypatch.setattr(dialects, "works", slow)
    renewal._carry_out(begun)
    assert only_attempt() == (answers.REPLACED, False)
    upkeep.finish_revocations()
    assert late[0] in provider.revoked
    if what == "reconnected":
        assert grants.load(alice.again()).access_token.reveal() == "fresh"
        assert alice.again().state == State.HEALTHY


def test_what_is_put_down_and_the_end_of_the_attempt_are_one_commit(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I2: killed in between, the answer is still there, and is weighed again."""
    begun = begin(alice)
    connect_again(alice)
    with monkeypatch.context() as patched:
        patched.setattr(answers, "close", die)
        with pytest.raises(KilledError):
            renewal._carry_out(begun)
    assert (DiscardedGrant.objects.count(), only_attempt()) == (1, ("", True)), "the earlier grant only"
    settling.settle_pending(alice.connection.pk)
    assert (DiscardedGrant.objects.count(), only_attempt()) == (2, (answers.REPLACED, False))


def test_a_late_answer_without_refresh_token_ends_no_new_grant(alice: Connected, provider: Rotating) -> None:
    """V10, V14: the new grant's refresh token is not the late one's."""
    provider.rotates = False
    begun = begin(alice)
    connect_again(alice)
    renewal._carry_out(begun)
    upkeep.finish_revocations()
    assert provider.access_token in provider.revoked
    assert "fresh-refresh" not in provider.revoked


def test_a_late_answer_for_another_person_is_kept_apart(alice: Connected, provider: Rotating) -> None:
    """V11, also here: told, and never stored as hers."""
    begun = begin(alice)
    give_up(alice)
    provider.changes = {"id": provider.identity.rpartition("/")[0] + f"/{SOMEBODY_ELSE}"}
    renewal._carry_out(begun)
    row = alice.again()
    assert row.state == State.NEEDS_RECONNECT
    assert grants.same(grants.load(row).access_token, alice.grant.access_token)
    assert only_attempt() == (answers.QUARANTINED, True)
    assert Incident.objects.get().kind == incidents.QUARANTINED


def test_a_late_answer_with_another_host_is_audited(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V12, also here."""
    begun = begin(alice)
    give_up(alice)
    provider.changes = {"instance_url": "https://acme.my.salesforce.com"}
    monkeypatch.setattr(
        dialects, "works", lambda grant, *_: grants.same(grant.access_token, Secret(provider.access_token))
    )
    renewal._carry_out(begun)
    assert grants.load(alice.again()).api_url == "https://acme.my.salesforce.com"
    assert AuditEntry.objects.get(action="connection.host_changed").facts == {"host": "https://acme.my.salesforce.com"}


def test_another_host_that_is_not_allowed_is_told_although_it_comes_late(alice: Connected, provider: Rotating) -> None:
    begun = begin(alice)
    give_up(alice)
    provider.changes = {"instance_url": "https://evil.example"}
    renewal._carry_out(begun)
    assert only_attempt() == (answers.QUARANTINED, True)
    assert Incident.objects.get().kind == incidents.QUARANTINED


@pytest.mark.parametrize("change", ["id", "instance_url"])
@pytest.mark.parametrize("dies", ["condemn", "close"])
def test_a_verdict_on_an_answer_is_one_commit(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch, change: str, dies: str
) -> None:
    """V11, V12, I3: killed in between, the next one comes to the same verdict and presents no used-up token."""
    begun = begin(alice)
    stranger = provider.identity.rpartition("/")[0] + f"/{SOMEBODY_ELSE}"
    provider.changes = {change: stranger if change == "id" else "https://evil.example"}
    with monkeypatch.context() as patched:
        patched.setattr(states if dies == "condemn" else answers, dies, die)
        with pytest.raises(KilledError):
            renewal._carry_out(begun)
    end_lease(alice)
    with pytest.raises(NeedsReconnect, match="An administrator has been told"):
        renewal.renew(alice.connection.pk, alice.again().generation)
    assert (provider.refreshes, provider.reuses) == (1, 0)
    assert alice.again().state == State.NEEDS_RECONNECT
    assert only_attempt() == (answers.QUARANTINED, True)


def test_a_refusal_is_one_commit(alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch) -> None:
    """I6: an attempt that is closed as refused has a connection that says so."""
    begun = begin(alice)
    provider.alive = False
    with monkeypatch.context() as patched:
        patched.setattr(answers, "close", die)
        with pytest.raises(KilledError):
            renewal._carry_out(begun)
    assert (only_attempt(), alice.again().state) == (("", False), State.REFRESHING)
    with pytest.raises(NeedsReconnect):
        renewal._note_refusal(begun, NeedsReconnect("Ended.", provider="salesforce"))
    assert (only_attempt(), alice.again().state) == ((answers.REFUSED, False), State.NEEDS_RECONNECT)


def test_an_answer_that_does_not_open_ends_the_connection(alice: Connected, provider: Rotating) -> None:
    """V19, I3: it held the successor, so the stored refresh token is used up and is not presented again."""
    begun = begin(alice)
    sealed = bytearray(answers.sealer(begun.connection, begun.attempt)(provider_answer(provider)))
    sealed[-1] ^= 1
    answers.keep(begun.attempt.pk, bytes(sealed))
    with pytest.raises(NeedsReconnect, match="does not open"):
        renewal.renew(alice.connection.pk, alice.again().generation)
    assert alice.again().state == State.NEEDS_RECONNECT
    assert Incident.objects.get().kind == incidents.TAMPERED
    assert only_attempt() == (answers.TAMPERED, True)
    assert provider.server.seen == []


def provider_answer(provider: Rotating) -> bytes:
    """What the provider would have answered to the refresh under way."""
    import json

    provider.refreshes += 1
    return json.dumps(provider._rotate()).encode()


def kept(alice: Connected, monkeypatch: pytest.MonkeyPatch) -> Begun:
    """Its holder was killed after the answer was kept."""
    begun = begin(alice)
    with monkeypatch.context() as patched:
        patched.setattr(settling, "settle", lambda _: None)
        renewal._carry_out(begun)
    return begun


def test_no_key_is_opened_in_a_transaction(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key service is asked over HTTP; also where another process settles what was kept, with nothing in RAM."""
    kept(alice, monkeypatch)
    keys.forget_all()
    seen, opened = list[bool](), keys.opened

    def note(row: DataKey) -> SealingKey:
        seen.append(connection.in_atomic_block)
        return opened(row)

    monkeypatch.setattr(keys, "opened", note)
    settling.settle_pending(alice.connection.pk)
    assert seen
    assert True not in seen
    assert only_attempt() == (answers.RENEWED, False)


def test_scopes_are_followed_where_features_read_them(alice: Connected, provider: Rotating) -> None:
    """C10: what an answer names is what is granted; `consent.require` reads it from the connection, and what a process
    holds of that in RAM goes."""
    version = epochs_of(alice)
    provider.changes = {"scope": "id api refresh_token"}
    for _ in range(2):
        renewal.renew(alice.connection.pk, alice.again().generation)
    row = alice.again()
    assert tuple(row.scopes) == grants.load(row).scopes == ("id", "api", "refresh_token")
    told = AuditEntry.objects.get(action="connection.scopes_changed")
    assert (told.target, told.facts) == (str(row.pk), {"scopes": ["id", "api", "refresh_token"]})
    assert epochs_of(alice) == version + 1, "once: at the second renewal they are what they were"


def epochs_of(alice: Connected) -> int:
    """How often something has been announced of this connection."""
    found = Epoch.objects.filter(kind="connection", key=str(alice.connection.pk)).values_list("version", flat=True)
    return found.first() or 0


def test_two_processes_of_a_host_import_the_same_file(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V5: whichever comes second finds no file, or a settled attempt, and reopens nothing."""
    begun = kept(alice, monkeypatch)
    blob = bytes(Attempt.objects.get().sealed_answer or b"")
    Attempt.objects.update(sealed_answer=None)
    settled = {"generation": 0, "outcome": answers.RENEWED, "ended_at": timezone.now()}
    other = Attempt.objects.create(connection=begun.connection, grant_id=begun.grant.id, **settled)
    for attempt_id in (begun.attempt.pk, other.pk):
        spool.write(attempt_id, blob)
    found = spool.waiting()
    next(found)
    settling.settle_pending(alice.connection.pk)  # the other process
    assert list(found) == []
    other.delete()
    spool.write(begun.attempt.pk, blob)
    assert answers.import_spool() == 1
    assert only_attempt() == (answers.RENEWED, False)
    assert list(spool.waiting()) == []


def away_once(monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object] = lambda: None) -> None:
    commit, tries = answers._commit, []

    def once(attempt_id: UUID, blob: bytes) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise OperationalError("away")
        if len(tries) == 2:
            in_another(meanwhile)
        commit(attempt_id, blob)

    monkeypatch.setattr(answers, "_commit", once)


def in_another(work: Callable[[], object]) -> None:
    """In a thread with a database connection of its own."""

    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)


def test_nobody_renews_while_an_answer_is_held_in_memory(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V5, I3: the database was away for as long as we are patient, and somebody else is first when it is back."""
    begun, told = begin(alice), []
    passed = timedelta(seconds=TOTAL_SECONDS + answers.PATIENCE)

    def other() -> None:
        Connection.objects.filter(pk=alice.connection.pk).update(lease_until=F("lease_until") - passed)
        with pytest.raises(Transient) as caught:
            renewal.renew(alice.connection.pk, begun.attempt.generation)
        told.append(str(caught.value))

    away_once(monkeypatch, meanwhile=other)
    monkeypatch.setattr(renewal, "DEADLINE", 0.3)
    renewal._carry_out(begun)
    assert told == ["The connection to Salesforce is being renewed."]
    assert (provider.refreshes, provider.reuses) == (1, 0)
    assert only_attempt() == (answers.RENEWED, False)


def test_a_process_that_is_to_end_spools_at_once(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch, judged: Oracle
) -> None:
    """V24, V5: it is given 15 s, half of what an answer is held in memory for."""
    begun = begin(alice)
    away_once(monkeypatch)
    with monkeypatch.context() as patched:
        patched.setattr(underway.renewals, "_is_closing", True)
        with pytest.raises(Transient):
            renewal._carry_out(begun)
    assert [attempt_id for attempt_id, _ in spool.waiting()] == [begun.attempt.pk]
    settling.settle_pending(alice.connection.pk)
    assert only_attempt() == (answers.RENEWED, False)
