"""The policy registry: toggles declared in code, values set by administrators and members, merged and kept in RAM."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from organizations import audit, epochs
from organizations.models import Member, PolicyValue
from organizations.ramcache import RamCache
from organizations.toggles import Merge, PolicyRefused, Scope, Toggle, Type

__all__ = [
    "ChangedMeanwhile",
    "Level",
    "Merge",
    "PolicyRefused",
    "Scope",
    "Toggle",
    "Type",
    "change",
    "declare",
    "declared",
    "describe_for",
    "organization_value_of",
    "reset",
    "set_member_value",
    "set_organization_value",
    "set_users_can_modify",
    "toggle_named",
    "value_of",
]


class Level(StrEnum):
    """Whose values: one's own, or those of everybody."""

    MEMBER = "member"
    ORGANIZATION = "organization"


class ChangedMeanwhile(PolicyRefused):
    """Somebody else has changed a setting since the sender looked; `value` is what is in force now."""

    def __init__(self, key: str, value: Any) -> None:
        super().__init__(key, "changed-meanwhile", "The setting has been changed meanwhile. Look again.")
        self.value = value


_toggles: dict[str, Toggle] = {}


def declare(toggle: Toggle) -> Toggle:
    """Add a toggle; called once per key, at import. A key taken by another raises ValueError."""
    if _toggles.setdefault(toggle.key, toggle) != toggle:
        raise ValueError(f"{toggle.key} is declared twice")
    return toggle


def declared() -> list[Toggle]:
    return [_toggles[key] for key in sorted(_toggles)]


def toggle_named(key: str) -> Toggle:
    if key not in _toggles:
        raise PolicyRefused(key, "unknown-key", "There is no such setting.")
    return _toggles[key]


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database holds for one organization, or for one member of it: key -> value, key -> may modify."""

    values: dict[str, Any]
    users_can_modify: dict[str, bool]


_NOTHING = Stored({}, {})
_cache: RamCache[tuple[str, str], Stored] = RamCache(maxsize=50_000, ttl=60)
_cache.forget_on("organization", lambda key, _: key[0])
_cache.forget_on("member", lambda key, _: key[1])


def _stored(organization_id: str, member_id: str = "") -> Stored:
    """`member_id` empty: the organization's own values."""
    key = (organization_id, member_id)
    return _cache.get_or_load(key, lambda: _read(*key))


def _read(organization_id: str, member_id: str) -> Stored:
    rows = PolicyValue.objects.filter(organization_id=organization_id)
    rows = rows.filter(member_id=member_id) if member_id else rows.filter(member=None)
    values: dict[str, Any] = {}
    may_modify: dict[str, bool] = {}
    for row in rows:
        if row.is_set:
            values[row.key] = row.value
        if row.users_can_modify is not None:
            may_modify[row.key] = row.users_can_modify
    return Stored(values, may_modify)


def _may_modify(toggle: Toggle, organization: Stored) -> bool:
    return toggle.for_members and organization.users_can_modify.get(toggle.key, toggle.users_can_modify)


def value_of(key: str, member: Member) -> Any:
    """The value in force for this member; from RAM when warm (bool, int, str, list of str, or None for off)."""
    toggle, organization_id = toggle_named(key), str(member.organization_id)
    organization = _stored(organization_id)
    own = _stored(organization_id, str(member.pk)) if toggle.for_members else None
    return toggle.merge(
        organization.values.get(key),
        own.values.get(key) if own else None,
        may_modify=_may_modify(toggle, organization),
    )


def organization_value_of(key: str, organization_id: UUID | str) -> Any:
    """The value in force for the organization as a whole, whatever its members chose."""
    toggle = toggle_named(key)
    return toggle.merge(_stored(str(organization_id)).values.get(key), None, may_modify=False)


def describe_for(member: Member, *, for_organization: bool = False) -> list[dict[str, Any]]:
    """Every toggle with its value in force, where that came from, and what this member may do about it.

    `for_organization`: the values in force for everybody who has not chosen, whatever this member chose."""
    organization = _stored(str(member.organization_id))
    own = _NOTHING if for_organization else _stored(str(member.organization_id), str(member.pk))
    shown = [toggle for toggle in declared() if member.is_administrator or not toggle.administrators_only]
    return [_describe(toggle, member, organization, own) for toggle in shown]


def _describe(toggle: Toggle, member: Member, organization: Stored, own: Stored) -> dict[str, Any]:
    may_modify = _may_modify(toggle, organization)
    theirs, mine = organization.values.get(toggle.key), own.values.get(toggle.key)
    return {
        "key": toggle.key,
        "label": toggle.label,
        "help": toggle.help,
        "type": toggle.type.value,
        "merge": toggle.kind.value,
        "scope": toggle.scope.value,
        "choices": list(toggle.choices),
        "minimum": toggle.minimum,
        "maximum": toggle.maximum,
        "value": toggle.merge(theirs, mine, may_modify=may_modify),
        "default": toggle.default,
        "organization_value": theirs,
        "member_value": mine,
        "source": _source(toggle, organization, own, may_modify=may_modify),
        "users_can_modify": may_modify,
        # A member's stored value stays, but is ignored once an administrator locks the setting.
        "overridden": mine is not None and not may_modify,
        "can_change": may_modify,
        "can_change_organization": toggle.for_organizations and member.is_administrator,
    }


def _source(toggle: Toggle, organization: Stored, own: Stored, *, may_modify: bool) -> str:
    if toggle.key in own.values and may_modify:
        return "member"
    return "organization" if toggle.key in organization.values else "default"


def change(
    actor: Member,
    level: Level,
    *,
    values: Mapping[str, Any] | None = None,
    reset: Iterable[str] = (),
    users_can_modify: Mapping[str, bool] | None = None,
    expected: Mapping[str, Any] | None = None,
) -> None:
    """Change all that is named, or nothing: the actor's own values, or as an administrator those of everybody.

    `expected`: key -> the value in force that the actor has seen. Raises PolicyRefused, ChangedMeanwhile."""
    with transaction.atomic():
        _compare(actor, level, expected or {})
        for key, value in sorted((values or {}).items()):
            _require_right(actor, level, key)
            _set(actor, level, key, value)
        _forget_values(actor, level, reset)
        for key, allowed in sorted((users_can_modify or {}).items()):
            if level is not Level.ORGANIZATION:
                raise PolicyRefused(key, "not-for-members", "Only an administrator opens or locks a setting.")
            _require_right(actor, level, key)
            set_users_can_modify(actor, actor.organization_id, key, allowed)


def _require_right(actor: Member, level: Level, key: str) -> None:
    toggle = toggle_named(key)
    if level is Level.ORGANIZATION and not actor.is_administrator:
        raise toggle.refuse("not-an-administrator", "Only an administrator changes this for everybody.")


def _compare(actor: Member, level: Level, expected: Mapping[str, Any]) -> None:
    described = describe_for(actor, for_organization=level is Level.ORGANIZATION)
    now = {entry["key"]: entry["value"] for entry in described}
    for key, seen in sorted(expected.items()):
        if key not in now:
            raise PolicyRefused(key, "unknown-key", "There is no such setting.")
        if now[key] != seen:
            raise ChangedMeanwhile(key, now[key])


def _set(actor: Member, level: Level, key: str, value: Any) -> None:
    if level is Level.ORGANIZATION:
        set_organization_value(actor, actor.organization_id, key, value)
    else:
        set_member_value(actor, key, value)


def _forget_values(actor: Member, level: Level, keys: Iterable[str]) -> None:
    for key in sorted(set(keys)):
        _require_right(actor, level, key)
        reset(actor, key, member=None if level is Level.ORGANIZATION else actor)


def set_organization_value(actor: Member | str, organization_id: UUID | str, key: str, value: Any) -> None:
    """Set the organization's value. Raises PolicyRefused."""
    toggle = toggle_named(key)
    if not toggle.for_organizations:
        raise toggle.refuse("not-for-organizations", "Each person sets this for themselves.")
    cleaned = toggle.clean(value)
    refusal = toggle.guard(actor, cleaned) if toggle.guard else ""
    if refusal:
        raise toggle.refuse("refused", refusal)
    _store(actor, organization_id, None, toggle, {"value": cleaned, "is_set": True})


def set_users_can_modify(actor: Member | str, organization_id: UUID | str, key: str, allowed: bool) -> None:
    """Say whether members may modify; their stored values stay, and are shown as overridden. Raises PolicyRefused."""
    toggle = toggle_named(key)
    if not (toggle.for_members and toggle.for_organizations):
        raise toggle.refuse("not-for-both", "This setting cannot be opened to members or closed to them.")
    _store(actor, organization_id, None, toggle, {"users_can_modify": allowed})


def set_member_value(member: Member, key: str, value: Any) -> None:
    """Set a member's own value. Raises PolicyRefused, also where an administrator has locked the setting."""
    toggle = toggle_named(key)
    if not toggle.for_members:
        raise toggle.refuse("not-for-members", "Only an administrator sets this, for everybody.")
    if not _may_modify(toggle, _stored(str(member.organization_id))):
        raise toggle.refuse("locked", "An administrator has locked this setting.")
    _store(member, member.organization_id, member, toggle, {"value": toggle.clean(value), "is_set": True})


def reset(actor: Member, key: str, *, member: Member | None) -> None:
    """Forget the organization's value (`member` None) or the member's, so that what lies beneath shows again."""
    toggle = toggle_named(key)
    _store(actor, actor.organization_id, member, toggle, {"value": None, "is_set": False})


def _store(
    actor: Member | str, organization_id: UUID | str, member: Member | None, toggle: Toggle, change: dict[str, Any]
) -> None:
    with transaction.atomic():
        row, _ = PolicyValue.objects.select_for_update().get_or_create(
            organization_id=organization_id, member=member, key=toggle.key, defaults={"value": None, "is_set": False}
        )
        for name, value in change.items():
            setattr(row, name, value)
        row.changed_at = timezone.now()
        row.save()
        _tell(actor, row, member, change)


def _tell(actor: Member | str, row: PolicyValue, member: Member | None, change: dict[str, Any]) -> None:
    facts: dict[str, audit.Fact] = {
        name: value for name, value in change.items() if isinstance(value, bool | int) or value is None
    }
    level = "member" if member else "organization"
    audit.record(row.organization_id, actor, "policy.changed", row.key, "ok", level=level, **facts)
    if member:
        epochs.bump("member", member.pk)
    else:
        epochs.bump("organization", row.organization_id)
