"""Who joins which organization, as whom, and what changes about them later. Signing in itself is the vault's."""

import secrets
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from organizations import audit, domains, epochs, invitations, locks, policies, signals
from organizations.models import Invitation, Member, Organization, Role
from organizations.oauth import families


@dataclass(frozen=True, slots=True)
class Arrival:
    """Who has just proved at Salesforce to be whom, in Salesforce's own words. Ids have 18 characters."""

    salesforce_org_id: str
    salesforce_user_id: str
    username: str
    name: str
    email: str
    organization_name: str
    is_sandbox: bool
    is_administrator: bool
    user_type: str = ""
    profile: str = ""
    permission_sets: tuple[str, ...] = ()
    language: str = ""
    locale: str = ""
    time_zone: str = ""


#: Salesforce's UserType of the organization's own people; partners, customers and guests have others.
INSIDER = "Standard"
#: C23, C24: copied at each sign-in and by the daily refresh.
PROFILE = (
    "username",
    "name",
    "email",
    "user_type",
    "profile",
    "permission_sets",
    "language",
    "locale",
    "time_zone",
)
_COLUMNS = {"username": 255, "name": 255, "email": 254, "user_type": 40, "profile": 255}
_COLUMNS |= {"permission_sets": 255, "language": 20, "locale": 20, "time_zone": 64}


class NotWelcome(Exception):
    """This person may not join, or no longer. The text is a plain sentence for that person."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


NOT_INVITED = "You have not been invited yet. Ask an administrator of this organization for an invitation."
NOT_LISTED = "Your administrator lets only listed Salesforce users in, and you are not on the list."
CLOSING = "The account of this organization is being closed, so nobody can sign in."
ENDED = "An administrator has ended your access to this organization."


def wait_for_turn(salesforce_org_id: str) -> None:
    """One at a time until the transaction ends, else two colleagues both found the organization. Before any row is
    locked: who holds a row and waits here would wait for whoever is here and wants that row."""
    locks.one_at_a_time("join", salesforce_org_id)


def join(arrival: Arrival, new_id: UUID | None = None) -> Member:
    """Return the member this person is, made or refreshed. Raises NotWelcome.

    `new_id`: the organization's, should it be founded now."""
    with transaction.atomic():
        wait_for_turn(arrival.salesforce_org_id)
        organization = Organization.objects.filter(salesforce_org_id=arrival.salesforce_org_id).first()
        if organization is None:
            return _found(arrival, new_id or uuid4())
        if organization.ending_since is not None:
            raise NotWelcome(CLOSING)
        _refresh_organization(organization, arrival)
        known = organization.members.select_for_update()  # an administrator may be sending him away right now
        member = known.filter(salesforce_user_id=arrival.salesforce_user_id).first()
        return _admit(organization, arrival) if member is None else _welcome_back(member, arrival)


def may_found(username: str) -> bool:
    """Whether whoever comes from an organization that is not here yet may found it."""
    return settings.SIGN_UP == "open" or invitations.is_open_for(username)


def _found(arrival: Arrival, new_id: UUID) -> Member:
    invitation = invitations.open_for(arrival.username, None)
    if settings.SIGN_UP != "open" and invitation is None:
        raise NotWelcome(NOT_INVITED)
    organization = Organization.objects.create(
        pk=new_id,
        salesforce_org_id=arrival.salesforce_org_id,
        name=arrival.organization_name[:255],
        is_sandbox=arrival.is_sandbox,
    )
    audit.record(organization.pk, "task:join", "organization.founded", is_sandbox=arrival.is_sandbox)
    return _create(organization, arrival, invitation)


def _add_own_domain(member: Member) -> None:
    """The first insider's e-mail domain is the organization's first, unless anybody may have an address there.

    A partner or customer user (UserType is not Standard) is a guest: his domain is not the organization's."""
    if member.user_type != INSIDER or member.organization.domains.exists():
        return
    try:
        domains.add_domain(member, member.organization_id, member.email.rpartition("@")[2])
    except domains.DomainRefused:
        return


def _admit(organization: Organization, arrival: Arrival) -> Member:
    invitation = invitations.open_for(arrival.username, organization)
    if settings.SIGN_UP != "open" and invitation is None:
        raise NotWelcome(NOT_INVITED)
    if not policies.is_let_in(arrival.username, organization.pk):
        raise NotWelcome(NOT_LISTED)
    return _create(organization, arrival, invitation)


def _create(organization: Organization, arrival: Arrival, invitation: Invitation | None) -> Member:
    member = Member(organization=organization, salesforce_user_id=arrival.salesforce_user_id)
    member.role = _role_of(organization, arrival, Role(invitation.role) if invitation else Role.USER)
    _copy_profile(member, arrival)
    member.save(force_insert=True)
    if invitation:
        invitations.accept(invitation, member)
    _add_own_domain(member)
    audit.record(organization.pk, member, "member.joined", member.pk, role=member.role, invited=bool(invitation))
    return member


def _role_of(organization: Organization, arrival: Arrival, otherwise: Role) -> Role:
    """The first to come who administers the Salesforce org is primary admin; there is never a second one."""
    is_first = not organization.members.filter(role=Role.PRIMARY_ADMIN).exists()
    return Role.PRIMARY_ADMIN if is_first and arrival.is_administrator else otherwise


def _welcome_back(member: Member, arrival: Arrival) -> Member:
    if not member.is_active:
        raise NotWelcome(ENDED)
    if not policies.is_let_in(arrival.username, member.organization_id):
        raise NotWelcome(NOT_LISTED)
    role = _role_of(member.organization, arrival, Role(member.role))
    if role != member.role:
        change_role(member, member, role)
    _store_profile(member, arrival)
    return member


def _refresh_organization(organization: Organization, arrival: Arrival) -> None:
    name = arrival.organization_name[:255]
    if name and organization.name != name:
        organization.name = name
        organization.save(update_fields=["name"])
        epochs.bump("organization", organization.pk)


def refresh_profile(member: Member, arrival: Arrival) -> None:
    """Keep what we hold of a person as Salesforce has it now (C23, C24)."""
    with transaction.atomic():
        # As stored now: he may be signing in this moment, with news of his own.
        member.refresh_from_db(fields=PROFILE, from_queryset=Member.objects.select_for_update())
        _store_profile(member, arrival)


def _store_profile(member: Member, arrival: Arrival) -> None:
    """Every process hears of a change, and of nothing else: each telling empties what they keep of this person."""
    before = _profile_of(member)
    _copy_profile(member, arrival)
    member.save(update_fields=[*PROFILE, "profile_refreshed_at"])
    if _profile_of(member) != before:
        epochs.bump("member", member.pk)


def _profile_of(member: Member) -> list[object]:
    return [getattr(member, name) for name in PROFILE]


def _copy_profile(member: Member, arrival: Arrival) -> None:
    known = {field.name: getattr(arrival, field.name) for field in fields(arrival)}
    for name in PROFILE:
        setattr(member, name, _fitted(name, known[name]))
    member.profile_refreshed_at = timezone.now()


def _fitted(name: str, value: Any) -> Any:
    """Cut to the column, without the NUL that PostgreSQL refuses: a sign-in must not fail over a long name."""
    if isinstance(value, tuple):
        return [_fitted(name, item) for item in value]
    return str(value).replace("\0", "")[: _COLUMNS[name]]


def change_role(actor: Member | str, member: Member, role: Role) -> None:
    """Give a role. Ends the member's browser sessions, so that no page keeps the rights of the old one."""
    with transaction.atomic():
        before, member.role = member.role, role
        member.session_key_seed = secrets.token_hex()
        member.save(update_fields=["role", "session_key_seed"])
        audit.record(
            member.organization_id, actor, "member.role_changed", member.pk, before=str(before), after=str(role)
        )
        epochs.bump("member", member.pk)


def change_active(actor: Member | str, member: Member, is_active: bool) -> None:
    """End a member's access at once (sessions, tokens), or give it back."""
    with transaction.atomic():
        member.is_active = is_active
        member.session_key_seed = secrets.token_hex()
        member.save(update_fields=["is_active", "session_key_seed"])
        action = "member.activated" if is_active else "member.deactivated"
        audit.record(member.organization_id, actor, action, member.pk)
        epochs.bump("member", member.pk)
        if not is_active:
            families.revoke_all_of(member)
            signals.member_deactivated.send(sender=Member, member=member)


def confirm(member_id: UUID) -> None:
    """Salesforce vouches for this person again: the powers of the role are back."""
    with transaction.atomic():
        if Member.objects.filter(pk=member_id, is_confirmed=False).update(is_confirmed=True):
            epochs.bump("member", member_id)


def unconfirm(member_id: UUID) -> None:
    """Salesforce no longer does (revoked there, disconnected here): ends every browser session, and the powers of
    the role until the next sign-in. Bearer tokens stay: their answers tell the person to connect again (C17)."""
    with transaction.atomic():
        seed = secrets.token_hex()
        Member.objects.filter(pk=member_id).update(is_confirmed=False, session_key_seed=seed)
        epochs.bump("member", member_id)
