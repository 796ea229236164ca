"""Registered clients (connected apps, external client apps) and their exact redirect addresses. No I/O."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

SCOPES = frozenset(
    {
        "id",
        "api",
        "refresh_token",
        "offline_access",
        "web",
        "openid",
        "profile",
        "email",
        "address",
        "phone",
        "full",
        "chatter_api",
        "custom_permissions",
        "visualforce",
        "lightning",
        "content",
    }
)
#: What the consent page says for each scope, in Salesforce's words.
LABELS = {
    "id": "Access the identity URL service",
    "api": "Manage user data via APIs",
    "web": "Manage user data via Web browsers",
    "refresh_token": "Perform requests at any time",
    "offline_access": "Perform requests at any time",
    "openid": "Access unique user identifiers",
    "full": "Full access",
    "profile": "Access your basic information",
    "email": "Access your email address",
}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_KEY = re.compile(r"^[A-Za-z0-9_.-]{1,64}/?$")


@dataclass
class App:
    """`redirect_uris` match character by character. With `keys_below`, one further path segment (a login host's key)
    may follow; with `any_loopback_port`, an address on loopback may have another port (RFC 8252), nothing else."""

    client_id: str
    client_secret: str
    name: str = "Email sidebar"
    redirect_uris: list[str] = field(default_factory=list)
    scopes: tuple[str, ...] = ("id", "api", "refresh_token", "web")
    keys_below: bool = False
    any_loopback_port: bool = False
    pkce_required: bool = False
    secret_required: bool = True
    rotates: bool = True
    blocked: bool = False
    most_grants: int = 5
    allows_passwords: bool = True

    def accepts(self, redirect_uri: str) -> bool:
        return any(self._fits(allowed, redirect_uri) for allowed in self.redirect_uris)

    def _fits(self, allowed: str, asked: str) -> bool:
        if asked == allowed:
            return True
        try:
            want, got = urlsplit(allowed), urlsplit(asked)
            other_port = self.any_loopback_port and got.hostname in _LOOPBACK and got.port is not None
        except ValueError:
            return False
        if got.query or got.fragment or "@" in got.netloc or "\\" in asked or got.geturl() != asked:
            return False
        same_host = got.netloc.rpartition(":")[0] == want.netloc.rpartition(":")[0]
        if got.scheme != want.scheme or not (got.netloc == want.netloc or (other_port and same_host)):
            return False
        return got.path == want.path or (self.keys_below and self._key_below(want.path, got.path))

    def _key_below(self, path: str, asked: str) -> bool:
        stem = path if path.endswith("/") else path + "/"
        return asked.startswith(stem) and bool(_KEY.match(asked[len(stem) :]))

    def scopes_for(self, asked: str) -> tuple[str, ...] | None:
        """The scopes to grant; None where one was asked that the app does not have."""
        if not asked.strip():
            return self.scopes
        wanted = tuple(dict.fromkeys(asked.split()))
        own = set(self.scopes) | ({"offline_access"} if "refresh_token" in self.scopes else set())
        return wanted if set(wanted) <= own else None
