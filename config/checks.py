"""Guards of the wiring: what must not start, and what must not be deployed."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from organizations.loopback import is_loopback

#: Settings that hold one origin of a provider each; GOOGLE_JWKS_URL has a path too.
PROVIDER_URLS = (
    "GOOGLE_OAUTH_URL",
    "GOOGLE_GMAIL_URL",
    "GOOGLE_CALENDAR_URL",
    "MICROSOFT_LOGIN_URL",
    "MICROSOFT_GRAPH_URL",
)


@register()
def origins_are_https(**kwargs: Any) -> list[CheckMessage]:
    """A plain-http provider is a simulator's login page on this machine, or a mistake."""
    return [
        Error(f"{name} holds {origin}.", hint="Use an https origin; http only on loopback.", id="config.E001")
        for name, origin in _origins()
        if not _allowed(origin)
    ]


def _origins() -> Iterator[tuple[str, str]]:
    yield from (("SALESFORCE_ORIGINS", origin) for origin in settings.SALESFORCE_ORIGINS)
    yield from ((name, getattr(settings, name)) for name in PROVIDER_URLS)
    scheme, _, rest = settings.GOOGLE_JWKS_URL.partition("://")
    yield "GOOGLE_JWKS_URL", f"{scheme}://{rest.partition('/')[0]}"


def _allowed(origin: str) -> bool:
    parts = urlsplit(origin)
    if parts.path or parts.query or parts.fragment or parts.username or not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
