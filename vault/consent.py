"""What a member has to allow for the features that are on, and what of it is still missing (C10). Calls nobody.

Scopes are compared as the provider spells them; switching a feature off takes nothing back and asks for nothing."""

from collections.abc import Collection
from dataclasses import dataclass

from organizations.models import Member
from providers.errors import Detail, PermissionMissing
from vault import dialects
from vault.models import Connection
from vault.policies import CALENDAR, EMAIL, features_of

SCOPE_MISSING = "scope_missing"
_WORDS = {EMAIL: "email sync", CALENDAR: "calendar sync"}


@dataclass(frozen=True, slots=True)
class ScopeShown:
    """One scope for a page: why, whether it is allowed by now, and whether we have any use for it."""

    scope: str
    purpose: str
    is_granted: bool
    is_wanted: bool


def wanted(member: Member, provider: str) -> tuple[str, ...]:
    """The scopes of every connection, and those of the features that are on for this member."""
    return dialects.of(provider).scopes_for(features_of(member))


def missing(connection: Connection) -> tuple[str, ...]:
    """What is wanted now and was not granted; () where the connection allows all that is switched on."""
    spoken = dialects.of(connection.provider)
    return spoken.missing(wanted(connection.member, connection.provider), connection.scopes)


def unused(member: Member, provider: str, granted: Collection[str]) -> tuple[str, ...]:
    """What was granted beyond what is wanted now: from an earlier consent, or more than we asked for."""
    asked = wanted(member, provider)
    spoken = dialects.of(provider)
    return tuple(scope for scope in granted if spoken.missing((scope,), asked))


def shown(member: Member, provider: str, granted: Collection[str]) -> list[ScopeShown]:
    """Every scope that is wanted or granted, the wanted ones first."""
    spoken = dialects.of(provider)
    asked = wanted(member, provider)
    absent = spoken.missing(asked, granted)
    rows = [ScopeShown(scope, spoken.purpose_of(scope), scope not in absent, True) for scope in asked]
    extra = unused(member, provider, granted)
    return rows + [ScopeShown(scope, spoken.purpose_of(scope), True, False) for scope in extra]


def require(provider: str, granted: Collection[str], feature: str) -> None:
    """Raises PermissionMissing with the code `scope_missing` where the grant does not cover a feature. No call."""
    spoken = dialects.of(provider)
    absent = spoken.missing(spoken.scopes_for({feature}), granted)
    if absent:
        text = f"You have not allowed what {_WORDS[feature]} needs at {spoken.label}. Connect again and allow it."
        details = tuple(Detail(SCOPE_MISSING, spoken.purpose_of(scope), (scope,)) for scope in absent)
        raise PermissionMissing(text, provider=provider, code=SCOPE_MISSING, details=details)


def held_back(member: Member, provider: str, granted: Collection[str]) -> frozenset[str]:
    """The features that are switched on and cannot work with this grant."""
    spoken = dialects.of(provider)
    return frozenset(each for each in features_of(member) if spoken.missing(spoken.scopes_for({each}), granted))


def in_words(features: Collection[str]) -> str:
    """ "email sync and calendar sync", for sentences; "" for none."""
    return " and ".join(words for feature, words in _WORDS.items() if feature in features)
