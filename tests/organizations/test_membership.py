"""Who joins, as whom: the first administrator, colleagues, invitations, the whitelist."""

import threading
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.utils import timezone
from pytest_django import Settings

from organizations import domains, invitations, policy, signals
from organizations.membership import (
    ENDED,
    NOT_INVITED,
    NOT_LISTED,
    Arrival,
    NotWelcome,
    change_active,
    join,
    refresh_profile,
)
from organizations.models import AuditEntry, Epoch, Invitation, Member, Organization, Role
from tests.organizations.people import ALICE, BOB, CHARLIE

pytestmark = pytest.mark.django_db


def test_the_first_administrator_founds_and_leads() -> None:
    alice = join(ALICE)
    assert alice.role == Role.PRIMARY_ADMIN
    assert (alice.organization.salesforce_org_id, alice.organization.name) == (ALICE.salesforce_org_id, "Acme")
    assert join(BOB).role == Role.USER
    another = join(replace(ALICE, salesforce_user_id="005000000000003AAA", username="ann@acme.example"))
    assert another.role == Role.USER


def test_who_does_not_administer_salesforce_does_not_lead() -> None:
    """The first to come may be no administrator; the first administrator after him leads."""
    assert join(BOB).role == Role.USER
    assert join(ALICE).role == Role.PRIMARY_ADMIN
    assert join(BOB).role == Role.USER


def test_a_user_who_becomes_administrator_leads_where_nobody_does() -> None:
    join(BOB)
    assert join(replace(BOB, is_administrator=True)).role == Role.PRIMARY_ADMIN


def test_people_are_salesforce_users_not_addresses() -> None:
    """Keyed on (Salesforce org id, user id): the same address in another org, or a sandbox, is somebody else (C5)."""
    alice = join(ALICE)
    sandbox = join(replace(ALICE, salesforce_org_id="00D000000000002AAA", is_sandbox=True))
    assert sandbox.pk != alice.pk
    assert sandbox.organization != alice.organization
    assert sandbox.organization.is_sandbox
    renamed = join(replace(ALICE, email="new@acme.example", username="new@acme.example"))
    assert renamed.pk == alice.pk


def test_the_profile_is_copied_and_refreshed() -> None:
    """C23, C24."""
    alice = join(ALICE)
    assert (alice.time_zone, alice.locale, alice.language) == ("Europe/Berlin", "en_GB", "en_US")
    assert (alice.profile, alice.permission_sets) == ("System Administrator", ["Sales Console"])
    join(replace(ALICE, profile="Sales", time_zone="Asia/Tokyo", organization_name="Acme Ltd"))
    alice.refresh_from_db()
    assert (alice.profile, alice.time_zone, alice.organization.name) == ("Sales", "Asia/Tokyo", "Acme Ltd")
    before = alice.profile_refreshed_at
    refresh_profile(alice, replace(ALICE, name="Alice A."))
    alice.refresh_from_db()
    assert alice.name == "Alice A."
    assert before is not None
    assert alice.profile_refreshed_at is not None
    assert alice.profile_refreshed_at > before


def told(member: Member) -> int:
    """How often the processes were told to forget what they keep of this person."""
    return Epoch.objects.filter(kind="member", key=str(member.pk)).values_list("version", flat=True).first() or 0


def test_only_news_about_a_person_empties_the_caches() -> None:
    """C24: everybody is refreshed daily; if each refresh were told, nobody would have a warm cache."""
    bob = join(BOB)
    before = told(bob)
    join(BOB)
    refresh_profile(bob, BOB)
    assert told(bob) == before
    refresh_profile(bob, replace(BOB, permission_sets=("Sales Console", "Inside Sales")))
    assert told(bob) == before + 1
    join(replace(BOB, permission_sets=("Sales Console", "Inside Sales"), locale="de_DE"))
    assert told(bob) == before + 2
    join(replace(BOB, permission_sets=("Sales Console", "Inside Sales"), locale="de_DE", is_administrator=True))
    assert told(bob) == before + 3
    assert Member.objects.get(pk=bob.pk).role == Role.PRIMARY_ADMIN


def test_a_refresh_compares_with_what_is_stored_now() -> None:
    """A sign-in may have brought news after the daily task had read the member."""
    bob = join(BOB)
    join(replace(BOB, name="Robert Brown"))
    before = told(bob)
    refresh_profile(bob, BOB)
    assert Member.objects.get(pk=bob.pk).name == BOB.name
    assert told(bob) == before + 1


def test_long_and_odd_profiles_do_not_stop_a_sign_in() -> None:
    odd: dict[str, Any] = dict.fromkeys(
        ("name", "email", "profile", "language", "locale", "time_zone", "user_type"), "ä\x00" * 300
    )
    member = join(replace(ALICE, **odd, permission_sets=("p\0" * 400,)))
    assert len(member.name) == 255
    assert "\0" not in member.name


@pytest.mark.parametrize("arrival", [ALICE, BOB])
def test_invited_only(arrival: Arrival, settings: Settings) -> None:
    """SIGN_UP=invited: neither founding nor joining without an invitation; nothing is left behind."""
    settings.SIGN_UP = "invited"
    with pytest.raises(NotWelcome, match="not been invited") as refused:
        join(arrival)
    assert refused.value.reason == NOT_INVITED
    assert not Organization.objects.exists()
    assert not AuditEntry.objects.exists()


def test_the_operators_invitation_founds(settings: Settings) -> None:
    settings.SIGN_UP = "invited"
    call_command("invite", "ALICE@Acme.example", stdout=StringIO())
    alice = join(ALICE)
    assert alice.role == Role.PRIMARY_ADMIN
    used = Invitation.objects.get()
    assert used.organization == alice.organization
    assert used.accepted_at is not None
    with pytest.raises(NotWelcome):
        join(CHARLIE)
    with pytest.raises(NotWelcome):
        join(BOB)


def test_an_invitation_gives_its_role_once(settings: Settings) -> None:
    alice = join(ALICE)
    settings.SIGN_UP = "invited"
    invitations.invite(alice, "BOB@acme.example", Role.MANAGER, alice.organization)
    assert join(BOB).role == Role.MANAGER
    other = replace(BOB, salesforce_user_id="005000000000007AAA")
    with pytest.raises(NotWelcome):
        join(other)
    assert join(BOB).role == Role.MANAGER


def test_another_organizations_invitation_is_worth_nothing(settings: Settings) -> None:
    charlie, alice = join(CHARLIE), join(ALICE)
    settings.SIGN_UP = "invited"
    invitations.invite(charlie, BOB.username, Role.ADMIN, charlie.organization)
    with pytest.raises(NotWelcome):
        join(BOB)
    invitations.invite(alice, BOB.username, Role.USER, alice.organization)
    assert join(BOB).organization == alice.organization


def test_an_old_invitation_is_worth_nothing(settings: Settings) -> None:
    alice = join(ALICE)
    settings.SIGN_UP = "invited"
    invitations.invite(alice, BOB.username, Role.USER, alice.organization)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(NotWelcome):
        join(BOB)
    invitations.invite(alice, BOB.username, Role.USER, alice.organization)
    assert join(BOB).is_active


def test_the_whitelist_bars_strangers_and_old_acquaintances() -> None:
    alice, bob = join(ALICE), join(BOB)
    policy.set_organization_value(alice, alice.organization_id, "access.whitelist", ["alice@acme.example"])
    for arrival in (BOB, replace(BOB, salesforce_user_id="005000000000008AAA", username="new@acme.example")):
        with pytest.raises(NotWelcome) as refused:
            join(arrival)
        assert refused.value.reason == NOT_LISTED
    policy.set_organization_value(alice, alice.organization_id, "access.whitelist", None)
    assert join(BOB).pk == bob.pk


def test_who_was_sent_away_stays_away() -> None:
    alice, bob = join(ALICE), join(BOB)
    change_active(alice, bob, False)
    with pytest.raises(NotWelcome) as refused:
        join(BOB)
    assert refused.value.reason == ENDED
    change_active(alice, bob, True)
    assert join(BOB).is_active


def test_a_signal_tells_the_rooms_above() -> None:
    heard: list[str] = []

    def left(member: Member, **_: Any) -> None:
        heard.append(member.username)

    signals.member_deactivated.connect(left)
    try:
        alice, bob = join(ALICE), join(BOB)
        change_active(alice, bob, False)
        change_active(alice, bob, True)
    finally:
        signals.member_deactivated.disconnect(left)
    assert heard == [BOB.username]


@pytest.mark.django_db(transaction=True)
def test_eight_colleagues_at_once_found_one_organization() -> None:
    arrivals = [
        replace(ALICE, salesforce_user_id=f"00500000000000{n}AAA", username=f"u{n}@acme.example") for n in range(8)
    ]
    failures: list[BaseException] = []

    def run(arrival: Arrival) -> None:
        try:
            join(arrival)
        except BaseException as error:  # noqa: BLE001  a thread's failure must fail the test
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(arrival,)) for arrival in arrivals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert Organization.objects.count() == 1
    assert Member.objects.count() == 8
    assert Member.objects.filter(role=Role.PRIMARY_ADMIN).count() == 1


# --- Domains ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("email", "expected"),
    [
        ("alice@acme.example", {"acme.example"}),
        ("alice@ACME.Example", {"acme.example"}),
        ("alice@MÜLLER.example", {"xn--mller-kva.example"}),
        ("alice@gmail.com", set()),
        ("nonsense", set()),
        ("", set()),
    ],
)
def test_the_founders_domain_is_the_first(email: str, expected: set[str]) -> None:
    alice = join(replace(ALICE, email=email))
    assert domains.own_domains(alice.organization_id) == expected


def test_only_the_founders(django_assert_num_queries: Any) -> None:
    alice = join(ALICE)
    join(replace(BOB, email="bob@other.example"))
    assert domains.own_domains(alice.organization_id) == {"acme.example"}
    with django_assert_num_queries(0):
        domains.own_domains(alice.organization_id)


def test_adding_and_removing_is_seen_at_once() -> None:
    alice = join(ALICE)
    assert domains.own_domains(alice.organization_id) == {"acme.example"}
    domain, is_new = domains.add_domain(alice, alice.organization_id, "@Acme.CO.UK.")
    assert is_new
    assert domains.own_domains(alice.organization_id) == {"acme.example", "acme.co.uk"}
    domains.remove_domain(alice, domain)
    assert domains.own_domains(alice.organization_id) == {"acme.example"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "acme",
        "a b.example",
        "*.example",
        "1.2.3.4",
        "x" * 64 + ".example",
        "a..b",
        "é\0.example",
        "-a.example",
        "gmail.com",
        "\ud800.example",
        "[::1]",
    ],
)
def test_what_is_no_own_domain(text: str) -> None:
    alice = join(ALICE)
    with pytest.raises(domains.DomainRefused):
        domains.add_domain(alice, alice.organization_id, text)


# --- The operator's command -------------------------------------------------------------------------


def test_invite_into_an_organization(settings: Settings) -> None:
    join(ALICE)
    settings.SIGN_UP = "invited"
    call_command("invite", "bob@acme.example", organization=ALICE.salesforce_org_id, role="admin", stdout=StringIO())
    assert join(BOB).role == Role.ADMIN


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["a b@c"], ["bob@acme.example", "--organization", "00Dnone"], ["bob@x.example", "--role", "king"]],
)
def test_invite_refuses_nonsense(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("invite", *arguments, stdout=StringIO())
