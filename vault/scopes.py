"""What each scope is for, in words for the person who grants it (C10 to C14). Nothing but text."""

from collections.abc import Mapping

from vault import dialects


def purposes(provider: str) -> Mapping[str, str]:
    """Scope of every connection -> why we ask for it."""
    spoken = dialects.of(provider)
    return {scope: spoken.purpose_of(scope) for scope in spoken.scopes_for(())}
