"""Rows of every sealed table, changed by somebody who can write SQL: swapped, damaged, put back (I5, C21, V19).

What stands in the rows is asked of PostgreSQL each time; which columns are sealed is what the vault declares."""

import random
import secrets
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.db import transaction
from django.db.models import Model

from organizations import audit
from organizations.models import Member, Organization
from providers.base import Secret
from sync import ledger
from tests.faults import evidence
from tests.vault import many
from tests.vault.conftest import Connected
from tests.vault.rotating import Rotating
from tracking import withdrawing
from tracking.models import Content, TrackedMessage
from vault import answers, days, grants, pending, registrations, renewal, revocation, sealing, settling
from vault.errors import AppUnusable, KeyGone, NotAllowedHere, TokenTampered
from vault.models import (
    Attempt,
    ClientRegistration,
    Connection,
    Credential,
    DiscardedGrant,
    PendingSignIn,
)
from vault.sealing import Column

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)
#: Rows that no provider knows of, and that nobody has recorded.
invented = pytest.mark.oracle(absent=True)
SAMPLES = 800
EXPECTED = pending.Expected("https://login.example", "https://login.example", "client", "https://x.example/back", "/")


def fill() -> None:
    """Some hundred sealed values: of four organizations, in each of the columns, and of the installation."""
    many.seed(80, 4)
    for row in Connection.objects.select_related("organization"):
        attempt = Attempt.objects.create(connection=row, grant_id=uuid4(), generation=row.generation)
        Attempt.objects.filter(pk=attempt.pk).update(
            sealed_answer=answers.sealer(row, attempt)(b'{"access_token":"x"}')
        )
        revocation.discard(row, many.a_grant())
    for organization in Organization.objects.all():
        for number in range(10):
            url = f"https://{organization.pk.hex[:8]}-{number}.my.salesforce.com"
            registrations.register(url, "client", Secret(secrets.token_hex(16)), organization.pk)
    for number in range(40):
        registrations.register(f"https://all-{number}.my.salesforce.com", "client", Secret(secrets.token_hex(16)), None)
        pending.remember(SessionStore(), Secret(secrets.token_hex(16)), Secret(secrets.token_hex(32)), EXPECTED)
        days.begin(date(2030, 1, 1) + timedelta(days=number))
    for member in Member.objects.select_related("organization"):
        ledger.marks_of(member.organization_id)
        message = TrackedMessage(organization=member.organization, member=member, opens=True, clicks=True)
        Content(["jane@customer.example"], ["https://a.example/"]).put(message)
        message.save()
        withdrawing.withdraw("operator", member.organization_id, f"https://{member.pk.hex}.example/")


def everything() -> Iterator[tuple[Column, Model, bytes]]:
    for column in sealing.COLUMNS:
        for row in column.model._default_manager.exclude(**{f"{column.name}__isnull": True}):
            yield column, row, bytes(getattr(row, column.name))


def written(column: Column, row: Model, blob: bytes) -> Model:
    """The row as the product reads it after the change."""
    column.model._default_manager.filter(pk=row.pk).update(**{column.name: blob})
    return column.model._default_manager.get(pk=row.pk)


def is_refused(column: Column, row: Model) -> bool:
    try:
        sealing.unseal(bytes(getattr(row, column.name)), column.place_of(row))
    except (TokenTampered, KeyGone):  # KeyGone: it names a key of another organization
        return True
    return False


def another(blob: bytes) -> bytes:
    damaged = bytearray(blob)
    damaged[random.randrange(len(damaged))] ^= random.randint(1, 255)
    return bytes(damaged)


@invented
def test_any_two_values_swapped_and_any_byte_flipped_are_refused() -> None:
    """C21, V19: of whichever tables, organizations and columns. 100%; what is put right again opens."""
    fill()
    found = list(everything())
    assert {f"{column.model._meta.db_table}.{column.name}" for column, _, _ in found} == set(evidence.READERS)
    kept = refused = tried = 0
    with transaction.atomic():
        for column, row, blob in random.choices(found, k=SAMPLES):
            foreign = random.choice(found)[2]
            for changed in (foreign, another(blob)):
                tried += changed != blob
                refused += changed != blob and is_refused(column, written(column, row, changed))
            kept += not is_refused(column, written(column, row, blob))
    assert (refused, kept) == (tried, SAMPLES)
    assert tried > 1.9 * SAMPLES


def put_back(row: Model, **now_there: Any) -> None:
    """One old row alone: in place of the one that is `now_there`, with all that it held."""
    type(row)._default_manager.filter(**now_there).delete()
    type(row)._default_manager.bulk_create([row])


@invented
def test_one_old_credential_put_back_alone_is_refused() -> None:
    """I3, I5: each of its earlier generations, and each of its connection's."""
    many.seed(20, 4)
    refused = 0
    for row in Connection.objects.all():
        earlier = list[tuple[Connection, Credential]]()
        for _ in range(4):
            earlier.append((Connection.objects.get(pk=row.pk), Credential.objects.get(connection=row)))
            renewed(row)
        newest = Connection.objects.get(pk=row.pk), Credential.objects.get(connection=row)
        for connection, credential in earlier:
            put_back(credential, connection_id=row.pk)
            refused += does_not_open(row)
            put_back(newest[1], connection_id=row.pk)
            connection.save()
            refused += does_not_open(row)
            newest[0].save()
        assert grants.load(Connection.objects.get(pk=row.pk))
    assert refused == 20 * 4 * 2


def renewed(row: Connection) -> None:
    with transaction.atomic():
        locked = Connection.objects.select_for_update().get(pk=row.pk)
        grants.store(locked, many.a_grant())
        audit.record(row.organization_id, "task:renewal", "token.renewed", row.pk, fence=locked.generation)


def does_not_open(row: Connection) -> bool:
    try:
        grants.load(Connection.objects.get(pk=row.pk))
    except TokenTampered:
        return True
    return False


@invented
@pytest.mark.parametrize("owned", [True, False])
def test_one_old_registration_put_back_alone_is_refused(owned: bool) -> None:
    """The replaced secret is sent nowhere any more; after the client was removed, the last one neither."""
    many.seed(1, 1)
    owner = Organization.objects.get().pk if owned else None
    refused = 0
    for host in (f"https://acme-{number}.my.salesforce.com" for number in range(10)):
        earlier = list[ClientRegistration]()
        for number in range(5):
            registrations.register(host, "client", Secret(f"secret-{number}"), owner)
            earlier.append(ClientRegistration.objects.get(login_url=host))
        client = registrations.client_at(host)
        assert client is not None
        assert client.client_secret is not None
        assert client.client_secret.reveal() == "secret-4"
        *replaced, newest = earlier
        for row in replaced:
            put_back(row, login_url=host)
            refused += no_client(host)
        put_back(newest, login_url=host)
        assert registrations.client_at(host)
        assert registrations.unregister(host)
        put_back(newest, login_url=host)
        refused += no_client(host)
    assert refused == 10 * 5


def no_client(host: str) -> bool:
    try:
        registrations.client_of(host, "client", "salesforce")
    except AppUnusable:
        pass
    else:
        return False
    with pytest.raises(AppUnusable):
        registrations.client_at(host)
    return True


def test_an_answer_put_back_changes_nothing(alice: Connected, provider: Rotating) -> None:
    """It opens in its row, and is weighed as any late one: what is stored works, so it is wiped. No refresh is sent."""
    kept = list[Attempt]()
    keep = answers._commit

    def then_remembered(attempt_id: Any, blob: bytes) -> None:
        keep(attempt_id, blob)
        kept.append(Attempt.objects.get(pk=attempt_id))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answers, "_commit", then_remembered)
        for generation in (1, 2):
            renewal.renew(alice.connection.pk, beyond=generation)
    assert [row.sealed_answer is not None for row in kept] == [True, True]
    for row in kept:
        put_back(row, pk=row.pk)
        settling.settle_pending(alice.connection.pk)
        assert Attempt.objects.get(pk=row.pk).sealed_answer is None
    stored = grants.load(alice.again())
    assert stored.access_token.reveal() == provider.access_token
    assert (provider.refreshes, provider.reuses, alice.again().generation) == (2, 0, 3)


def test_an_ended_grant_put_back_is_ended_again(alice: Connected, provider: Rotating) -> None:
    """A grant to be revoked is used for nothing else."""
    revocation.put_down(alice.connection.pk, "operator")
    row = DiscardedGrant.objects.get()
    assert revocation.finish(row.pk)
    put_back(row, pk=row.pk)
    assert revocation.finish(row.pk)
    assert not DiscardedGrant.objects.exists()
    assert (len(provider.revoked), provider.refreshes) == (2, 0)
    assert {used.path for used in provider.ledger.uses} == {"/services/oauth2/revoke"}


@invented
def test_a_used_sign_in_put_back_is_for_its_browser_only() -> None:
    """Its state opens it in no other browser, and the provider takes a code once (RFC 6749, 4.1.2)."""
    mine, others, state = SessionStore(), SessionStore(), secrets.token_hex(16)
    pending.remember(mine, Secret(state), Secret("verifier"), EXPECTED)
    pending.remember(others, Secret("of another"), Secret("verifier"), EXPECTED)
    row = PendingSignIn.objects.order_by("started_at")[0]
    pending.claim(mine, state)
    with pytest.raises(NotAllowedHere):
        pending.claim(mine, state)
    put_back(row, pk=row.pk)
    for session, told in ((others, state), (mine, "of another")):
        with pytest.raises(NotAllowedHere):
            pending.claim(session, told)
