"""What a person may see is as old as when it was asked, whatever is added to it; and what changed in it is news."""

from datetime import timedelta

import pytest
from django.utils import timezone

from organizations.models import Epoch
from providers.salesforce.access import FieldAccess, ObjectRights
from providers.salesforce.access import ObjectAccess as Seen
from tests.vault.conftest import Connected
from vault import access, revocation, upkeep
from vault.models import ObjectAccess

pytestmark = pytest.mark.django_db(databases=["default", "keys"], transaction=True)


def seen(*fields: str) -> Seen:
    rights = ObjectRights(
        "Contact", "Contact", "Contacts", fields={name: FieldAccess(name, "string") for name in fields}
    )
    return Seen({"Contact": rights})


CAMPAIGN = ObjectRights("Campaign", "Campaign", "Campaigns", fields={"Name": FieldAccess("Name", "string")})


@pytest.fixture
def described(alice: Connected) -> Connected:
    access.save(alice.connection.pk, seen("Name", "Email"))
    return alice


def news(connected: Connected) -> set[str]:
    return set(Epoch.objects.filter(key=str(connected.connection.pk)).values_list("kind", flat=True))


def test_a_form_of_another_object_makes_the_rest_no_younger(described: Connected) -> None:
    """Who opens such forms every day would never be described anew."""
    mine = described.connection.pk
    ObjectAccess.objects.update(fetched_at=timezone.now() - timedelta(hours=25))
    access.Store(mine).add(CAMPAIGN)
    assert upkeep.due_for_access() == [mine]
    kept = access.load(mine)
    assert kept is not None
    assert set(kept.objects) == {"Contact", "Campaign"}


def test_an_object_is_added_to_what_is_kept_now(described: Connected) -> None:
    """Not to what the one who adds had read before: another process has fetched anew meanwhile."""
    mine = described.connection.pk
    access.save(mine, seen("Name"))
    access.add(mine, CAMPAIGN)
    kept = access.load(mine)
    assert kept is not None
    assert set(kept.objects["Contact"].fields) == {"Name"}


def test_nothing_is_added_to_what_has_ended(described: Connected) -> None:
    mine = described.connection.pk
    revocation.disconnect(mine, "operator")
    access.add(mine, CAMPAIGN)
    assert not ObjectAccess.objects.exists()


def test_other_rights_are_news_and_the_same_ones_are_not(described: Connected) -> None:
    """A field hidden in Salesforce leaves the cards of every process at once."""
    mine = described.connection.pk
    access.save(mine, seen("Name", "Email"))
    assert news(described) == set()
    access.save(mine, seen("Name"))
    assert news(described) == {"connection", "cards"}
