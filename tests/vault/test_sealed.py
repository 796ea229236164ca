"""No new key over anything sealed, in whichever column it is (V17)."""

from collections.abc import Callable

import pytest
from django.db.models import Model
from django.utils import timezone
from pytest_django import Settings

from organizations.models import Member
from sync.models import Pepper
from tests.organizations import people
from tests.vault.keyrings import new_kek
from tests.vault.test_crashes import _url
from tracking.models import TrackedMessage, WithdrawnTarget
from vault import keys, sealed, sealing
from vault.errors import KekUnusable
from vault.models import (
    Attempt,
    ClientRegistration,
    Connection,
    Credential,
    DayKey,
    DiscardedGrant,
    PendingSignIn,
)

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def connection() -> Connection:
    member: Member = people.everybody()[0]
    return Connection.objects.create(organization=member.organization, member=member, provider="google", subject="1")


def a_client(**changes: object) -> Model:
    return ClientRegistration.objects.create(provider="salesforce", login_url="https://a", client_id="c", **changes)


def an_attempt(**changes: object) -> Model:
    return Attempt.objects.create(connection=connection(), grant_id=people.organization(), generation=1, **changes)


def a_message() -> Model:
    member: Member = people.everybody()[0]
    return TrackedMessage.objects.create(
        organization=member.organization, member=member, opens=True, clicks=True, sealed=b"x"
    )


MADE: dict[tuple[type[Model], str], Callable[[], Model]] = {
    (Credential, "sealed"): lambda: Credential.objects.create(connection=connection(), sealed=b"x"),
    (Attempt, "sealed_answer"): lambda: an_attempt(sealed_answer=b"x"),
    (DiscardedGrant, "sealed"): lambda: DiscardedGrant.objects.create(connection=connection(), sealed=b"x"),
    (PendingSignIn, "sealed_facts"): lambda: PendingSignIn.objects.create(
        state_hash=b"s", session_hash=b"b", sealed_facts=b"x", started_at=timezone.now()
    ),
    (ClientRegistration, "sealed_secret"): lambda: a_client(sealed_secret=b"x"),
    (DayKey, "sealed_private"): lambda: DayKey.objects.create(
        id=people.organization(), day=timezone.now().date(), public=b"x", sealed_private=b"x"
    ),
    (TrackedMessage, "sealed"): a_message,
    (Pepper, "sealed"): lambda: Pepper.objects.create(organization_id=people.organization(), sealed=b"x"),
    (WithdrawnTarget, "sealed"): lambda: WithdrawnTarget.objects.create(id=people.organization(), sealed=b"x"),
}


def test_no_sealed_column_is_left_out() -> None:
    assert set(keys.SEALED) == set(MADE) == {(column.model, column.name) for column in sealing.COLUMNS}


@pytest.mark.parametrize("column", MADE, ids=lambda column: column[1])
def test_a_value_in_any_column_forbids_a_new_key(column: tuple[type[Model], str], settings: Settings) -> None:
    MADE[column]()
    assert sealed.is_anything_in(_url("default"))
    settings.VAULT_KEK = new_kek()
    with pytest.raises(KekUnusable, match="Sealed rows exist"):
        keys.verify_kek()


def test_rows_without_a_sealed_value_do_not(settings: Settings) -> None:
    a_client()
    an_attempt()
    assert not sealed.is_anything_in(_url("default"))
    settings.VAULT_KEK = new_kek()
    keys.verify_kek()


def test_nor_does_an_empty_database() -> None:
    assert not sealed.is_anything_in(_url("default").rsplit("/", 1)[0] + "/postgres")
