"""`manage.py withdraw_target`: what an operator can withdraw, for whom, and what stays when an organization goes."""

from io import StringIO
from secrets import token_bytes
from uuid import UUID, uuid4

import pytest
from django.conf import settings as current
from django.core.management import CommandError, call_command
from django.utils import timezone

from organizations import audit
from organizations.models import AuditEntry, Member
from tests.organizations import people
from tracking import erasing, prepare, publishing, withdrawing
from tracking.hot.standing import mark_of
from tracking.hot.stream import WITHDRAWN
from tracking.hot.tokens import Keyring, Kind, Opened, read_keys
from tracking.models import WithdrawnTarget
from tracking.valkey import valkey

pytestmark = [pytest.mark.django_db(databases=["default", "keys"]), pytest.mark.usefixtures("tracking_set_up")]
OFFER = "https://example.com/offer?a=1"


@pytest.fixture
def alice() -> Member:
    return people.everybody()[0]


def told(*arguments: str) -> str:
    out = StringIO()
    call_command("withdraw_target", *arguments, stdout=out)
    return out.getvalue().strip()


def a_link(organization_id: UUID) -> str:
    keyring = Keyring(read_keys(current.TRACKING_KEY))
    opened = Opened(organization_id.bytes, token_bytes(16), 1, OFFER)
    return prepare.ours(keyring).links + keyring.seal(Kind.CLICK, opened)


def marks() -> set[bytes]:
    return {row.pk.bytes for row in WithdrawnTarget.objects.all()}


def test_for_one_organization_by_either_of_its_ids(alice: Member) -> None:
    assert told(OFFER, "--organization", alice.organization.salesforce_org_id) == "Withdrawn for 1 of 1."
    assert marks() == {mark_of(alice.organization_id.bytes, OFFER)}
    assert told(OFFER, "--organization", str(alice.organization_id)) == "Withdrawn for 0 of 1."
    entry = AuditEntry.objects.get(action="target.withdrawn")
    assert (entry.organization_id, entry.actor) == (alice.organization_id, "operator")
    assert told(OFFER, "--organization", str(alice.organization_id), "--restore") == "Restored for 1 of 1."
    assert marks() == set()
    assert AuditEntry.objects.filter(action="target.restored", actor="operator").count() == 1


def test_for_all_that_there_are(alice: Member) -> None:
    assert told(OFFER) == "Withdrawn for 2 of 2."
    assert told(OFFER, "--restore") == "Restored for 2 of 2."


def test_a_link_says_itself_whose_it_is_also_when_they_are_gone(alice: Member) -> None:
    assert told(a_link(alice.organization_id)) == "Withdrawn for 1 of 1."
    gone = uuid4()
    assert told(a_link(gone)) == "Withdrawn for 1 of 1."
    assert marks() == {mark_of(each.bytes, OFFER) for each in (alice.organization_id, gone)}
    entry = AuditEntry.objects.get(organization_id=audit.INSTALLATION, action="target.withdrawn")
    assert entry.actor == "operator"


def test_what_cannot_be_meant_is_refused(alice: Member) -> None:
    with pytest.raises(CommandError, match="no organization"):
        told(OFFER, "--organization", str(uuid4()))
    with pytest.raises(CommandError, match="another organization"):
        told(a_link(uuid4()), "--organization", str(alice.organization_id))
    with pytest.raises(CommandError, match="whole address"):
        told("example.com")
    assert marks() == set()


def test_the_hot_process_is_told(alice: Member) -> None:
    told(OFFER)
    publishing.publish_standing(timezone.now())
    assert valkey().smembers(WITHDRAWN) == marks()
    told(OFFER, "--restore")
    assert publishing.publish_standing(timezone.now())
    assert valkey().smembers(WITHDRAWN) == set()


def test_it_outlives_the_organization_and_its_address_does_not(alice: Member) -> None:
    withdrawing.withdraw(alice, alice.organization_id, OFFER)
    assert erasing.count(alice.organization_id)["addresses of withdrawn links"] == 1
    erasing.erase(alice.organization_id)
    assert erasing.count(alice.organization_id)["addresses of withdrawn links"] == 0
    row = WithdrawnTarget.objects.get()
    assert (row.pk.bytes, row.organization, row.sealed) == (mark_of(alice.organization_id.bytes, OFFER), None, None)
