"""Registered clients (connected apps, external client apps) and their exact redirect addresses. No I/O."""

from dataclasses import dataclass

from simulators.oauth.redirects import Redirects

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


@dataclass
class App(Redirects):
    client_id: str
    client_secret: str
    name: str = "Email sidebar"
    scopes: tuple[str, ...] = ("id", "api", "refresh_token", "web")
    pkce_required: bool = False
    secret_required: bool = True
    rotates: bool = True
    blocked: bool = False
    most_grants: int = 5
    allows_passwords: bool = True

    def scopes_for(self, asked: str) -> tuple[str, ...] | None:
        """The scopes to grant; None where one was asked that the app does not have."""
        if not asked.strip():
            return self.scopes
        wanted = tuple(dict.fromkeys(asked.split()))
        own = set(self.scopes) | ({"offline_access"} if "refresh_token" in self.scopes else set())
        return wanted if set(wanted) <= own else None
