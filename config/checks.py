"""Guards of the wiring: what must not start, and what must not be deployed."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

LOOPBACK = ("localhost", "127.0.0.1", "::1")


@register()
def public_url_is_whole(**kwargs: Any) -> list[CheckMessage]:
    parts = urlsplit(settings.PUBLIC_URL)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path:
        return [Error("PUBLIC_URL is no origin.", hint="Write it like https://sidebar.example.com.", id="config.E001")]
    return []


@register()
def origins_are_https(**kwargs: Any) -> list[CheckMessage]:
    """A plain-http provider is a simulator's login page on this machine, or a mistake."""
    wrong = [origin for origin in settings.SALESFORCE_ORIGINS if not _allowed(origin)]
    return [
        Error(f"SALESFORCE_ORIGINS holds {origin}.", hint="Use https; http only on loopback.", id="config.E002")
        for origin in wrong
    ]


def _allowed(origin: str) -> bool:
    parts = urlsplit(origin)
    if parts.path or parts.query or parts.fragment or parts.username or not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
