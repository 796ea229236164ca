"""Refuse to start on settings of tracking that could not work, or that would not keep what we promise."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from organizations.loopback import is_loopback
from tracking.hot.tokens import Keyring, KeyUnusable, read_keys


@register()
def tracking_is_whole(**_: Any) -> list[CheckMessage]:
    """Either TRACKING_URL and TRACKING_KEY, or neither: then nothing can be switched on."""
    if bool(settings.TRACKING_URL) != bool(settings.TRACKING_KEY):
        message = "Only one of TRACKING_URL and TRACKING_KEY is set. Set both, or neither to do without tracking."
        return [Error(message, id="tracking.E001")]
    return [*_key(), *_url()] if settings.TRACKING_KEY else []


def _key() -> list[CheckMessage]:
    try:
        Keyring(read_keys(settings.TRACKING_KEY))
    except KeyUnusable as fault:
        return [Error(str(fault), hint="Make one with: openssl rand -base64 32", id="tracking.E002")]
    return []


def _url() -> list[CheckMessage]:
    """Links in mail live for years and cross every network: https, but for one's own machine. What answers there knows
    /t/o/ and /t/c/ and no path before them."""
    parts = urlsplit(settings.TRACKING_URL)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    is_origin = parts.hostname and not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
    if is_safe and is_origin:
        return []
    message = "TRACKING_URL must be an https origin, such as https://t.example.com, without a path."
    return [Error(message, id="tracking.E003")]
