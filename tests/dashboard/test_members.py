"""The members page: who is offered which form, and that each form does what the API does, and no more."""

import re
from typing import Any

import pytest
from django.test import Client

from organizations import domains, invitations, membership
from organizations.models import AuditEntry, Domain, Invitation, Member, Role
from tests.dashboard.test_pages import page, signed_in
from tests.organizations import people

pytestmark = pytest.mark.django_db
DOORS = ("change", "invite", "withdraw", "domains/add", "domains/remove")


@pytest.fixture
def everybody() -> tuple[Member, Member, Member]:
    return people.everybody()


def send(client: Client, door: str, **form: Any) -> Any:
    return client.post(f"/dashboard/members/{door}/", form)


def refused(response: Any, sentence: str) -> None:
    """The page again, with the reason in words."""
    assert response.status_code == 422
    assert re.search(rf'role="alert">[^<]*{sentence}', response.content.decode())


def stored(member: Member) -> Member:
    return Member.objects.get(pk=member.pk)


def test_an_administrator_gives_a_role_and_ends_access(everybody: Any) -> None:
    alice, bob, _ = everybody
    admin = signed_in(alice)
    response = send(admin, "change", member=bob.pk, role="manager")
    assert response["Location"] == "/dashboard/members/?saved=people#people"
    assert "Saved." in page(admin, "members/?saved=people")
    assert stored(bob).role == Role.MANAGER
    response = send(admin, "change", member=bob.pk, is_active="no")
    assert response["Location"] == "/dashboard/members/?saved=ended#people"
    assert "all that the person had connected ends with it" in page(admin, "members/?saved=ended")
    assert not stored(bob).is_active
    assert "Give access back" in page(admin, "members/")
    send(admin, "change", member=bob.pk, is_active="yes")
    assert stored(bob).is_active
    actions = list(AuditEntry.objects.order_by("-pk").values_list("action", flat=True)[:3])
    assert actions == ["member.activated", "member.deactivated", "member.role_changed"]


def test_the_least_powerful_role_is_offered_first(everybody: Any) -> None:
    """One click too early must not make somebody primary admin; what that does is said beside it."""
    text = page(signed_in(everybody[0]), "members/")
    offered = re.search(r'name="role"><option value="(\w+)">', text)
    assert offered is not None
    assert offered[1] == "manager", "Bob is a user"
    assert "whoever gives that role away is an admin from then on" in text
    assert "Managers and administrators see everybody here." in page(signed_in(everybody[1]), "members/")


def test_nobody_ends_the_primary_admin(everybody: Any) -> None:
    alice, bob, _ = everybody
    membership.change_role(alice, bob, Role.ADMIN)
    refused(send(signed_in(stored(bob)), "change", member=alice.pk, is_active="no"), "primary admin")
    refused(send(signed_in(stored(bob)), "change", member=alice.pk, role="user"), "primary admin")
    refused(send(signed_in(alice), "change", member=bob.pk, role="king"), "no such role")
    assert (stored(alice).role, stored(alice).is_active) == (Role.PRIMARY_ADMIN, True)
    assert stored(bob).role == Role.ADMIN


def test_a_user_is_offered_nothing_and_may_nothing(everybody: Any) -> None:
    """BI-G5: what the page does not offer is refused when it is sent all the same."""
    alice, bob, _ = everybody
    invited = invitations.invite(alice, "new@acme.example", Role.USER, alice.organization)
    text = page(signed_in(bob), "members/")
    assert 'action="/dashboard/members/' not in text
    assert "new@acme.example" not in text
    assert alice.email not in text
    assert "acme.example" in text
    client, own = signed_in(bob), Domain.objects.get(organization=bob.organization)
    refused(send(client, "change", member=bob.pk, role="admin"), "Only an administrator")
    refused(send(client, "change", member=alice.pk, is_active="no"), "primary admin")
    assert send(client, "invite", username="x@acme.example", role="user").status_code == 403
    assert send(client, "withdraw", invitation=invited.pk).status_code == 403
    refused(send(client, "domains/add", name="x.example"), "Only an administrator")
    refused(send(client, "domains/remove", domain=own.pk), "Only an administrator")
    assert stored(bob).role == Role.USER
    assert [row.salesforce_username for row in Invitation.objects.all()] == ["new@acme.example"]
    assert domains.own_domains(bob.organization_id) == {"acme.example"}


def test_a_manager_is_offered_what_a_manager_may(everybody: Any) -> None:
    alice, bob, _ = everybody
    carol = membership.join(
        people.replace(people.BOB, salesforce_user_id="005000000000004AAA", username="carol@acme.example", name="Carol")
    )
    membership.change_role(alice, bob, Role.MANAGER)
    manager = signed_in(stored(bob))
    text = page(manager, "members/")
    assert text.count('name="is_active"') == 1
    assert f'value="{carol.pk}"' in text
    assert 'id="role-' not in text
    assert re.findall(r'<option value="(\w+)"', text) == ["user"]
    send(manager, "change", member=carol.pk, is_active="no")
    assert not stored(carol).is_active
    refused(send(manager, "invite", username="x@acme.example", role="admin"), "into that role")
    assert send(manager, "invite", username="x@acme.example", role="user").status_code == 302


def test_inviting_and_withdrawing(everybody: Any) -> None:
    alice = everybody[0]
    admin = signed_in(alice)
    assert send(admin, "invite", username="NEW@acme.example", role="manager").status_code == 302
    made = Invitation.objects.get()
    assert (made.salesforce_username, made.role, made.invited_by) == ("new@acme.example", "manager", alice)
    assert "new@acme.example" in page(admin, "members/")
    for username, role, reason in (
        ("nonsense", "user", "not a Salesforce"),
        ("a@b", "primary_admin", "into that role"),
        ("a@b", "", "no such role"),
        ("", "user", "not a Salesforce"),
    ):
        refused(send(admin, "invite", username=username, role=role), reason)
    assert send(admin, "withdraw", invitation=made.pk).status_code == 302
    assert not Invitation.objects.exists()


def test_adding_and_removing_a_domain(everybody: Any) -> None:
    alice = everybody[0]
    admin = signed_in(alice)
    assert send(admin, "domains/add", name="Müller.example").status_code == 302
    assert domains.own_domains(alice.organization_id) == {"acme.example", "xn--mller-kva.example"}
    refused(send(admin, "domains/add", name="gmail.com"), "public mail service")
    refused(send(admin, "domains/add", name="<script>"), "not a")
    assert send(admin, "domains/remove", domain=Domain.objects.get(name="xn--mller-kva.example").pk).status_code == 302
    assert domains.own_domains(alice.organization_id) == {"acme.example"}


def test_a_strangers_rows_do_not_exist(everybody: Any) -> None:
    """BI-A6: Charlie leads Globex, and Acme's ids lead him nowhere."""
    alice, bob, charlie = everybody
    invited = invitations.invite(alice, "new@acme.example", Role.USER, alice.organization)
    own, client = Domain.objects.get(organization=alice.organization), signed_in(charlie)
    assert send(client, "change", member=bob.pk, is_active="no").status_code == 404
    assert send(client, "withdraw", invitation=invited.pk).status_code == 404
    assert send(client, "domains/remove", domain=own.pk).status_code == 404
    for nonsense in ("", "x", "-1", "9" * 40, "\u0664", "0"):
        assert send(client, "change", member=nonsense, is_active="no").status_code == 404
        assert send(client, "withdraw", invitation=nonsense).status_code == 404
        assert send(client, "domains/remove", domain=nonsense).status_code == 404
    assert "acme.example" not in page(client, "members/")
    assert stored(bob).is_active
    assert Invitation.objects.filter(pk=invited.pk).exists()
    assert Domain.objects.filter(pk=own.pk).exists()


@pytest.mark.parametrize("door", DOORS)
def test_the_doors_need_a_session_and_our_own_page(door: str, everybody: Any) -> None:
    """BI-G1."""
    alice, bob, _ = everybody
    form = {"member": bob.pk, "is_active": "no", "username": "x@acme.example", "role": "user", "name": "x.example"}
    form["domain"] = Domain.objects.get(organization=alice.organization).pk
    assert send(signed_in(alice, enforce_csrf_checks=True), door, **form).status_code == 403
    assert signed_in(alice).get(f"/dashboard/members/{door}/").status_code == 405
    stranger = send(Client(headers={"Host": "localhost:8000"}), door, **form)
    assert stranger["Location"].startswith("/connect/salesforce/?next=")
    assert stored(bob).is_active
    assert not Invitation.objects.exists()
    assert domains.own_domains(alice.organization_id) == {"acme.example"}
