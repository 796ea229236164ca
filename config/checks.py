"""Guards of the wiring: what must not start, and what must not be deployed."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from organizations.loopback import is_loopback


@register()
def origins_are_https(**kwargs: Any) -> list[CheckMessage]:
    """A plain-http provider is a simulator's login page on this machine, or a mistake."""
    wrong = [origin for origin in settings.SALESFORCE_ORIGINS if not _allowed(origin)]
    return [
        Error(f"SALESFORCE_ORIGINS holds {origin}.", hint="Use https; http only on loopback.", id="config.E001")
        for origin in wrong
    ]


def _allowed(origin: str) -> bool:
    parts = urlsplit(origin)
    if parts.path or parts.query or parts.fragment or parts.username or not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
