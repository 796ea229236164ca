"""The settings of tracking: which there are, how organization and member go together, and what holds at first."""

from typing import Any

import pytest

from organizations import policy
from organizations.models import Member
from organizations.policy import Merge, Scope, Type
from organizations.toggles import PolicyRefused
from tests.organizations import people
from tracking import policies

pytestmark = pytest.mark.django_db(transaction=True)

#: product.md B and the keys of ours: kind, type, at first, whether members have one of their own.
DECLARED: dict[str, tuple[Merge, Type, Any, bool]] = {
    "track.opens": (Merge.CAP, Type.BOOL, False, True),
    "track.clicks": (Merge.CAP, Type.BOOL, False, True),
    "track.in_salesforce": (Merge.CAP, Type.BOOL, False, True),
    "track.notify": (Merge.OVERRIDE, Type.CHOICE, "in_app", True),
    "track.own_networks": (Merge.UNION, Type.NETWORKS, [], False),
    "track.retention_days": (Merge.OVERRIDE, Type.INT, 365, False),
}


@pytest.fixture
def alice() -> Member:
    return people.everybody()[0]


def test_which_there_are() -> None:
    found = {
        toggle.key: (toggle.kind, toggle.type, toggle.default, toggle.for_members and toggle.users_can_modify)
        for toggle in policy.declared()
        if toggle.key.startswith("track.")
    }
    assert found == DECLARED
    assert policy.toggle_named("track.notify").scope == Scope.MEMBER


@pytest.mark.parametrize("key", ["track.opens", "track.clicks"])
def test_a_cap_needs_both(key: str, alice: Member) -> None:
    """C47, C48: off at first; on with the organization's word, unless the member says no; never by the member alone."""
    read = policies.opens if key == policies.OPENS.key else policies.clicks
    assert not read(alice)
    policy.set_member_value(alice, key, True)
    assert not read(alice)
    policy.set_organization_value(alice, alice.organization_id, key, True)
    assert read(alice)
    policy.set_member_value(alice, key, False)
    assert not read(alice)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("track.retention_days", 0),
        ("track.retention_days", 1_096),
        ("track.retention_days", True),
        ("track.own_networks", ["192.0.2.0/33"]),
        ("track.own_networks", ["example.com"]),
        ("track.opens", "yes"),
    ],
)
def test_what_is_out_of_range_is_refused(key: str, value: Any, alice: Member) -> None:
    """BI-G7."""
    with pytest.raises(PolicyRefused):
        policy.set_organization_value(alice, alice.organization_id, key, value)
    assert policy.organization_value_of(key, alice.organization_id) == policy.toggle_named(key).default


def test_what_is_the_organizations_no_member_sets(alice: Member) -> None:
    for key in ("track.own_networks", "track.retention_days"):
        with pytest.raises(PolicyRefused):
            policy.set_member_value(alice, key, policy.toggle_named(key).default)
