"""The toggles that this room itself reads. Every other room declares its own, beside the feature."""

from typing import Any
from uuid import UUID

from organizations.models import Member
from organizations.policy import Merge, Scope, Toggle, Type, declare, organization_value_of


def _keeps_the_door_open(actor: Member | str, names: Any) -> str:
    """Whoever sets a whitelist must stand on it, or he could not undo it."""
    if names is None or not isinstance(actor, Member) or actor.username.lower() in names:
        return ""
    return "Your own username is not on the list; you would lock yourself out."


ACCESS_WHITELIST = declare(
    Toggle(
        key="access.whitelist",
        kind=Merge.OVERRIDE,
        type=Type.USERNAMES_OR_OFF,
        default=None,
        scope=Scope.ORGANIZATION,
        users_can_modify=False,
        label="Whitelist",
        help="Only the Salesforce users listed here may use the product; off lets everybody in who may join.",
        guard=_keeps_the_door_open,
        administrators_only=True,
    )
)


def is_let_in(username: str, organization_id: UUID | str) -> bool:
    """Whether the whitelist, where there is one, names this Salesforce username."""
    names = organization_value_of("access.whitelist", organization_id)
    return names is None or username.lower() in names
