"""An answer for a grant that has moved on is weighed: what works is kept, what nobody wants any more is revoked."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from organizations.models import Epoch
from providers.base import Secret
from providers.errors import Transient
from tests.vault.conftest import Connected
from tests.vault.kept import again, kept, stored
from tests.vault.rotating import Rotating
from vault import answers, dialects, grants, revocation, sealing, settling
from vault.models import Attempt, Connection, Credential, DiscardedGrant, State

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


@pytest.fixture(autouse=True)
def by_the_oracle() -> None:
    """Not here: these rows are put together by hand, and not every blob in them opens."""


def test_the_stored_token_stays_while_it_works(alice: Connected, provider: Rotating) -> None:
    """V7: whoever was first; the late one is not even asked about."""
    attempt, before = kept(alice, provider), stored(alice)
    Attempt.objects.update(generation=0)
    seal_again(attempt, 0)
    provider.access_token = before[0]
    settling.settle(attempt.id)
    assert stored(alice) == before
    assert (again(attempt).outcome, again(attempt).sealed_answer) == (answers.REPLACED, None)
    assert bearers(provider) == [f"Bearer {before[0]}"]
    assert not DiscardedGrant.objects.exists()


def seal_again(attempt: Attempt, generation: int) -> None:
    """The same answer, for another generation."""
    row = again(attempt)
    fields = {"access_token": "late", "refresh_token": "late-refresh", "instance_url": row.connection.login_url}
    row.generation = generation
    answers.keep(row.id, answers.sealer(row.connection, row)(json.dumps(fields).encode()))


def bearers(provider: Rotating) -> list[str | None]:
    return [seen.headers.get("Authorization") for seen in provider.server.seen]


def test_a_late_token_that_alone_works_is_adopted_and_told(alice: Connected, provider: Rotating) -> None:
    """V6."""
    attempt, before = kept(alice, provider), stored(alice)
    Attempt.objects.update(generation=0)
    seal_again(attempt, 0)
    Epoch.objects.all().delete()
    settling.settle(attempt.id)
    assert stored(alice) == ("late", "late-refresh")
    assert bearers(provider) == [f"Bearer {before[0]}", "Bearer late"]
    assert again(attempt).outcome == answers.REPLACED
    assert Epoch.objects.filter(kind="connection", key=str(alice.connection.pk)).exists()


@pytest.mark.parametrize("answer", [(200, b"<html>login</html>"), (403, b"<html>blocked</html>"), (200, {})])
def test_a_page_in_place_of_the_provider_decides_nothing(
    alice: Connected, provider: Rotating, answer: tuple[int, Any]
) -> None:
    """I2, V9: the late tokens may be the only ones that work, so they stay until somebody has really been asked."""
    attempt = kept(alice, provider)
    Attempt.objects.update(generation=0)
    seal_again(attempt, 0)
    provider.server.behave = lambda handler: handler.answer(*answer)
    with pytest.raises(Transient):
        settling.settle(attempt.id)
    assert again(attempt).sealed_answer is not None
    provider.server.behave = provider._behave
    settling.settle(attempt.id)
    assert stored(alice) == ("late", "late-refresh")


def test_after_a_refusal_the_stored_token_is_not_asked_about(alice: Connected, provider: Rotating) -> None:
    attempt, before = kept(alice, provider), stored(alice)
    Connection.objects.update(state=State.NEEDS_RECONNECT)
    provider.alive = False
    settling.settle(attempt.id)
    assert (stored(alice), alice.again().state) == (before, State.NEEDS_RECONNECT)
    assert bearers(provider) == ["Bearer late"]
    provider.alive = True
    attempt = kept(alice, provider)
    settling.settle(attempt.id)
    assert (stored(alice)[0], alice.again().state) == ("late", State.HEALTHY)


def test_of_a_grant_that_was_given_up_nothing_lives_on_unknown(alice: Connected, provider: Rotating) -> None:
    """I2, V6: neither token set works, but the late refresh token may; the grant that is stored stays as it is."""
    attempt, before = kept(alice, provider), stored(alice)
    Connection.objects.update(state=State.NEEDS_RECONNECT)
    provider.access_token = "run out"
    settling.settle(attempt.id)
    late = discarded()
    assert late.refresh_token is not None
    assert (late.refresh_token.reveal(), late.access_token.reveal()) == ("late-refresh", "late")
    assert (stored(alice), alice.again().state) == (before, State.NEEDS_RECONNECT)
    assert (again(attempt).outcome, again(attempt).sealed_answer) == (answers.REPLACED, None)


@pytest.mark.parametrize("refresh_token", ["stored", None])
def test_late_tokens_of_a_stored_refresh_token_are_only_wiped(
    alice: Connected, provider: Rotating, refresh_token: str | None
) -> None:
    """V10: connecting again, or disconnecting, ends that one."""
    attempt = kept(alice, provider, refresh_token=stored(alice)[1] if refresh_token else None)
    Connection.objects.update(state=State.NEEDS_RECONNECT)
    provider.access_token = "run out"
    settling.settle(attempt.id)
    assert not DiscardedGrant.objects.exists()
    assert (again(attempt).outcome, again(attempt).sealed_answer) == (answers.REPLACED, None)


def test_late_tokens_of_a_grant_in_use_are_not_revoked(alice: Connected, provider: Rotating) -> None:
    """I6: neither access token works just now; the next use renews, with what revoking would end."""
    attempt = kept(alice, provider)
    Attempt.objects.update(generation=0)
    seal_again(attempt, 0)
    provider.access_token = "run out"
    settling.settle(attempt.id)
    assert not DiscardedGrant.objects.exists()
    assert (again(attempt).outcome, again(attempt).sealed_answer) == (answers.REPLACED, None)


def test_a_grant_given_up_while_we_ask_is_looked_at_again(
    alice: Connected, provider: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal leaves the generation as it is, but what is to become of late tokens hangs on it."""
    attempt = kept(alice, provider)
    Attempt.objects.update(generation=0)
    seal_again(attempt, 0)
    provider.access_token = "run out"
    works = dialects.works

    def slow(grant: grants.Grant, name: str, subject: str) -> bool:
        Connection.objects.update(state=State.NEEDS_RECONNECT)
        return works(grant, name, subject)

    monkeypatch.setattr(dialects, "works", slow)
    settling.settle(attempt.id)
    assert discarded().access_token.reveal() == "late"
    assert again(attempt).outcome == answers.REPLACED


def test_the_newest_answer_is_settled_first(alice: Connected, provider: Rotating) -> None:
    """I3: an older one becomes the grant only where no newer one does."""
    older, newer = kept(alice, provider), kept(alice, provider, access_token="newest", refresh_token="newest-refresh")
    Attempt.objects.filter(pk=older.pk).update(started_at=older.started_at - timedelta(minutes=1))
    provider.access_token = "newest"
    settling.settle_pending(alice.connection.pk)
    assert (again(newer).outcome, again(older).outcome) == (answers.RENEWED, answers.REPLACED)
    assert stored(alice) == ("newest", "newest-refresh")


def discarded() -> grants.Grant:
    row = DiscardedGrant.objects.select_related("connection").get()
    return grants.Grant.from_json(sealing.unseal(bytes(row.sealed), revocation.place_of(row)))


def test_after_a_new_sign_in_the_late_tokens_are_put_down(alice: Connected, provider: Rotating) -> None:
    """V14: under an id of their own; the new grant stays."""
    attempt = kept(alice, provider)
    fresh = alice.grant.renewed(id=UUID(int=5), access_token=Secret("fresh"), refresh_token=Secret("fresh-refresh"))
    grants.store(alice.again(), fresh)
    settling.settle(attempt.id)
    found = discarded()
    assert (found.access_token.reveal(), found.client_id) == ("late", "client")
    assert found.refresh_token is not None
    assert found.refresh_token.reveal() == "late-refresh"
    assert found.id not in (fresh.id, alice.grant.id)
    assert stored(alice)[0] == "fresh"
    assert again(attempt).outcome == answers.REPLACED
    assert bearers(provider) == []


def test_after_a_disconnect_the_late_tokens_are_put_down(alice: Connected, provider: Rotating) -> None:
    """I7, V14: nothing is connected any more that would say where they end."""
    attempt = kept(alice, provider)
    Credential.objects.all().delete()
    Connection.objects.update(state=State.SHREDDED)
    metadata(provider)
    settling.settle(attempt.id)
    found = discarded()
    assert (found.access_token.reveal(), found.client_id) == ("late", "")
    assert found.revocation_endpoint == f"{provider.server.url}/services/oauth2/revoke"
    assert again(attempt).outcome == answers.REPLACED


def metadata(provider: Rotating) -> None:
    """The login host says where its endpoints are."""
    url, behave = provider.server.url, provider.server.behave
    endpoints = {
        "issuer": url,
        "authorization_endpoint": f"{url}/services/oauth2/authorize",
        "token_endpoint": f"{url}/services/oauth2/token",
        "revocation_endpoint": f"{url}/services/oauth2/revoke",
    }
    provider.server.behave = lambda handler: (
        handler.answer(200, endpoints) if handler.path.startswith("/.well-known/") else behave(handler)
    )
