"""Whose e-mail domain becomes the organization's own."""

import dataclasses

import pytest

from organizations import membership
from organizations.domains import own_domains
from tests.organizations.people import ALICE

PAT = dataclasses.replace(
    ALICE,
    salesforce_user_id="005Ac0000000006IAA",
    username="pat@partner-co.example",
    email="pat@partner-co.example",
    user_type="PowerPartner",
    is_administrator=False,
)


@pytest.mark.django_db
def test_a_partner_who_comes_first_does_not_name_the_organization() -> None:
    """C54: else colleagues would be looked up, and the partner's people left out."""
    member = membership.join(PAT)
    assert own_domains(member.organization_id) == frozenset()
    membership.join(ALICE)
    assert own_domains(member.organization_id) == frozenset({ALICE.email.partition("@")[2].lower()})
