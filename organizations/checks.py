"""Refuse to start on settings that would not keep our promises. Run by `manage.py check` and at process start."""

import base64
import binascii
from itertools import combinations
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from organizations import certificate
from organizations.loopback import is_loopback

MIN_KEY = 32
_KEYS = ("SECRET_KEY", "AUDIT_KEY", "VAULT_KEK", "SIGNING_KEY", "TRACKING_KEY")
#: Settings that hold several keys.
_LISTS = ("VAULT_KEK", "TRACKING_KEY")
_SAMPLES = ("changeme", "change-me", "example", "insecure", "secret-key", "sample", "placeholder", "password")


def _fault_of_key(value: str) -> str:
    if len(value.encode()) < MIN_KEY:
        return f"is shorter than {MIN_KEY} bytes" if value else "is not set"
    if len(set(value)) < 8 or any(sample in value.lower() for sample in _SAMPLES):
        return "is a sample, not a random value"
    return ""


def _keys_in(name: str) -> set[bytes]:
    """The bytes of each key in a setting, however it is written; keys of a list may have names (docs/vault.md 3), and
    what stands behind `transit:` is an address."""
    text = getattr(settings, name, "")
    if name not in _LISTS:
        return {_bytes_of(text)} if text else set()
    parts = [part.strip() for part in text.split(",")]
    return {_bytes_of(part.rpartition(":")[2]) for part in parts if part and not part.startswith("transit:")}


def _bytes_of(text: str) -> bytes:
    """Two spellings of one base64 value are the same; what is none counts as it stands."""
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return text.encode()


@register()
def keys_are_real(**_: Any) -> list[CheckMessage]:
    """SECRET_KEY and AUDIT_KEY are long and random, and no key serves two purposes (docs/vault.md 3)."""
    found: list[CheckMessage] = []
    for number, name in enumerate(("SECRET_KEY", "AUDIT_KEY"), start=1):
        fault = _fault_of_key(getattr(settings, name, ""))
        if fault:
            hint = "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))'"
            found.append(Error(f"{name} {fault}.", hint=hint, id=f"organizations.E00{number}"))
    if any(one & other for one, other in combinations(map(_keys_in, _KEYS), 2)):
        message = f"Two of {', '.join(_KEYS)} are the same. Give each its own value."
        found.append(Error(message, id="organizations.E003"))
    return found


@register()
def signing_key_is_real(**_: Any) -> list[CheckMessage]:
    """It is wanted only where an organization is destroyed (C37), so none at all is fine until then."""
    if not settings.SIGNING_KEY:
        return []
    try:
        certificate.seed_in(settings.SIGNING_KEY)
    except ValueError as fault:
        return [Error(f"SIGNING_KEY {fault}.", hint="Make one with: openssl rand -base64 32", id="organizations.E008")]
    return []


@register()
def sign_up_is_known(**_: Any) -> list[CheckMessage]:
    if settings.SIGN_UP in ("open", "invited"):
        return []
    return [Error("SIGN_UP is neither open nor invited.", id="organizations.E004")]


@register()
def public_url_is_safe(**_: Any) -> list[CheckMessage]:
    """Plain http and DEBUG are for loopback only."""
    parts = urlsplit(settings.PUBLIC_URL)
    host, found = parts.hostname or "", list[CheckMessage]()
    is_bare = "@" not in parts.netloc and parts[2:] == ("", "", "")
    if parts.scheme not in ("http", "https") or not host or not is_bare:
        message = "PUBLIC_URL is not an origin such as https://sidebar.example.com."
        found.append(Error(message, id="organizations.E005"))
    elif parts.scheme == "http" and not is_loopback(host):
        message = "PUBLIC_URL is plain http off loopback: tokens would travel in clear. Use https."
        found.append(Error(message, id="organizations.E006"))
    real = [name for name in (host, *settings.ALLOWED_HOSTS) if name and name != "testserver" and not is_loopback(name)]
    if settings.DEBUG and real:
        found.append(Error("DEBUG is on with a real host.", id="organizations.E007"))
    return found
