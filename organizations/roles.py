"""Who may change whom. Primary admin > admin > manager > user; managers only let users in and out."""

from collections.abc import Callable
from typing import ParamSpec

from django.db import transaction

from organizations import membership
from organizations.models import Member, Role
from organizations.refusals import NotAllowed, NotPossible

P = ParamSpec("P")


def change_member(actor: Member, member: Member, *, role: Role | None = None, is_active: bool | None = None) -> Member:
    """Change role, access or both; returns the member as stored. Raises NotAllowed, NotPossible."""
    with transaction.atomic():
        actor, member = _locked(actor, member)
        if role is not None and role != member.role:
            _judge_role(actor, member, role)
            _give(actor, member, role)
        if is_active is not None and is_active != member.is_active:
            _judge_access(actor, member)
            membership.change_active(actor, member, is_active)
    return member


def open_to(actor: Member, member: Member) -> list[Role]:
    """The roles that this actor may give this member now, for a form to offer; `change_member` judges again."""
    return [role for role in Role if role != member.role and _permits(_judge_role, actor, member, role)]


def may_change_access(actor: Member, member: Member) -> bool:
    """The same for ending access and giving it back."""
    return _permits(_judge_access, actor, member)


def _permits(judge: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> bool:
    try:
        judge(*args, **kwargs)
    except (NotAllowed, NotPossible):
        return False
    return True


def _locked(actor: Member, member: Member) -> tuple[Member, Member]:
    """Both rows as they are now: the caller's own role may have changed since his token was checked."""
    rows = Member.objects.select_for_update().filter(organization_id=actor.organization_id)
    found = {row.pk: row for row in rows.filter(pk__in={actor.pk, member.pk}).order_by("pk")}
    if not found[actor.pk].is_active:
        raise NotAllowed("Your own access has ended.")
    if not found[actor.pk].is_confirmed:
        raise NotAllowed("Connect to Salesforce again first.")
    return found[actor.pk], found[member.pk]


def _judge_role(actor: Member, member: Member, role: Role) -> None:
    if not actor.is_administrator:
        raise NotAllowed("Only an administrator gives roles.")
    if member.role == Role.PRIMARY_ADMIN:
        raise NotPossible("An organization has a primary admin. Make somebody else primary admin first.")
    if role == Role.PRIMARY_ADMIN and actor.role != Role.PRIMARY_ADMIN:
        raise NotAllowed("Only the primary admin hands that role on.")
    if role == Role.PRIMARY_ADMIN and not member.is_active:
        raise NotPossible("This person's access has ended; give it back first.")


def _give(actor: Member, member: Member, role: Role) -> None:
    if role == Role.PRIMARY_ADMIN:
        membership.change_role(actor, actor, Role.ADMIN)
    membership.change_role(actor, member, role)


def _judge_access(actor: Member, member: Member) -> None:
    if actor.pk == member.pk:
        raise NotPossible("You cannot end your own access. Ask another administrator.")
    if member.role == Role.PRIMARY_ADMIN:
        raise NotPossible("The primary admin's access cannot be ended. Make somebody else primary admin first.")
    if not actor.is_administrator and not (actor.role == Role.MANAGER and member.role == Role.USER):
        raise NotAllowed("Managers let users in and out; administrators do so with everybody else.")
