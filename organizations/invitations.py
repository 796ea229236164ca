"""Leave to join, for one Salesforce username. No mail is sent: the person signs in at Salesforce as usual."""

from datetime import timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from organizations import audit
from organizations.models import Invitation, Member, Organization, Role
from organizations.refusals import NotAllowed

LIFETIME = timedelta(days=14)


def normalise(username: str) -> str:
    """Salesforce usernames are case-insensitive. Raises ValueError for what cannot be one."""
    name = username.strip().lower()
    at = name.find("@")
    if not 0 < at < len(name) - 1 or len(name) > 255 or any(ord(char) < 33 for char in name):
        raise ValueError("This is not a Salesforce username; those look like an e-mail address.")
    return name


def open_for(username: str, organization: Organization | None) -> Invitation | None:
    """The unused, unexpired invitation of this username; `organization` None: one to found an organization."""
    return _open(username, organization).select_for_update().first()


def is_open_for(username: str) -> bool:
    """Whether this username may found an organization; asked beforehand, so nothing is locked."""
    return _open(username, None).exists()


def _open(username: str, organization: Organization | None) -> QuerySet[Invitation]:
    mine = Invitation.objects.filter(organization=organization, salesforce_username=username.strip().lower())
    return mine.filter(accepted_at=None, expires_at__gt=timezone.now())


def may_invite_as(actor: Member, role: Role) -> bool:
    """Administrators invite as anything below primary admin, managers as users."""
    return role != Role.PRIMARY_ADMIN if actor.is_administrator else actor.is_manager and role == Role.USER


def _judge(actor: Member | str, role: Role) -> None:
    if isinstance(actor, Member) and not may_invite_as(actor, role):
        raise NotAllowed("You may not invite people into that role.")


def invite(
    actor: Member | str, username: str, role: Role = Role.USER, organization: Organization | None = None
) -> Invitation:
    """Invite, or renew an invitation. `organization` None: to found one; the installation's audit chain has it by the
    invitation's id alone, since that chain outlives whoever founds it (C37).

    Raises NotAllowed, and ValueError for what is no username."""
    _judge(actor, role)
    with transaction.atomic():
        invitation, _ = Invitation.objects.update_or_create(
            organization=organization,
            salesforce_username=normalise(username),
            defaults={
                "role": role,
                "invited_by": actor if isinstance(actor, Member) else None,
                "created_at": timezone.now(),
                "expires_at": timezone.now() + LIFETIME,
                "accepted_at": None,
            },
        )
        owner = organization.pk if organization else audit.INSTALLATION
        audit.record(owner, actor, "invitation.made", invitation.pk, role=str(role))
    return invitation


def accept(invitation: Invitation, member: Member) -> None:
    """Use an invitation up; one that founded an organization belongs to it from now on."""
    Invitation.objects.filter(
        ~Q(pk=invitation.pk), organization=member.organization, salesforce_username=invitation.salesforce_username
    ).delete()
    invitation.organization = member.organization
    invitation.accepted_at = timezone.now()
    invitation.save(update_fields=["organization", "accepted_at"])


def withdraw(actor: Member, invitation: Invitation) -> None:
    """Raises NotAllowed where the actor could not have made it."""
    _judge(actor, Role(invitation.role))
    with transaction.atomic():
        audit.record(actor.organization_id, actor, "invitation.withdrawn", invitation.pk)
        invitation.delete()
