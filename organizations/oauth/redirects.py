"""Which redirect URIs an add-in may register and use: exact ones, and plain http on loopback only (RFC 8252 7.3)."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from organizations.loopback import is_loopback

# The characters a URI may hold; anything else (space, backslash, control, non-ASCII) parses differently elsewhere.
_URI = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]{1,2000}")
# Releases of Python differ in what they take between brackets for a host, and in what may stand beside them.
_BRACKETED = re.compile(r"\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?")
_LOOPBACK_IP = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]))(?::([0-9]{1,5}))?(/.*)?")


def is_acceptable(uri: str) -> bool:
    """Whether `uri` may be a redirect at all: https, or http on loopback; no user, no fragment, a real port."""
    if not _URI.fullmatch(uri):
        return False
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return False
    if {"[", "]"} & set(parts.netloc) and not _BRACKETED.fullmatch(parts.netloc):
        return False
    if parts.username is not None or parts.password is not None or not parts.hostname or port == 0:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))


def is_plain_http(uri: str) -> bool:
    return uri.startswith("http://")


def is_allowed(uri: str, registered: Iterable[str]) -> bool:
    """Whether `uri` is one of `registered`, letter by letter.

    On a loopback IP any port will do, since a native app takes whichever the system gives it. `localhost` is a
    name that may resolve elsewhere, so it gets no such leave."""
    if not is_acceptable(uri):
        return False
    return any(uri == known or _differ_in_port_only(uri, known) for known in registered)


def _differ_in_port_only(uri: str, known: str) -> bool:
    asked, kept = _LOOPBACK_IP.fullmatch(uri), _LOOPBACK_IP.fullmatch(known)
    if asked is None or kept is None:
        return False
    return (asked[1], asked[3]) == (kept[1], kept[3])
