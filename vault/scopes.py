"""What each scope is for, in words for the person who grants it (C10 to C14). Nothing but text."""

from collections.abc import Mapping

from providers.registry import ADAPTERS

_OTHER = "Granted by the provider, not used by us"


def purposes(provider: str) -> Mapping[str, str]:
    """Scope -> why we ask for it."""
    return ADAPTERS[provider].scopes


def purpose_of(provider: str, scope: str) -> str:
    return purposes(provider).get("refresh_token" if scope == "offline_access" else scope, _OTHER)
