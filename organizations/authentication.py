"""Who is asking: a browser session on pages, our own bearer token on the API. A warm token check makes no query.

The Member a token stands for is shared between requests: read it, never change it."""

import hashlib
import time
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.utils import timezone
from oauth2_provider.models import get_access_token_model
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from organizations import policies
from organizations.models import Member
from organizations.ramcache import RamCache

#: Seconds a checked token may be served from RAM; revocation empties it sooner.
LIFETIME = 30.0
REALM = 'Bearer realm="api"'
DEFAULT_SCOPES = frozenset({"sidebar"})
#: No token of ours is longer; longer ones are not even hashed.
MAX_TOKEN = 512


class MemberBackend(BaseBackend):
    """Django's session backend. Nobody signs in with it (C2); it only finds who has signed in."""

    def get_user(self, user_id: Any) -> Member | None:
        member = Member.objects.select_related("organization").filter(pk=user_id).first()
        return member if member is not None and may_enter(member) else None


def may_enter(member: Member) -> bool:
    """Active, and on the whitelist where there is one."""
    return member.is_active and policies.is_let_in(member.username, member.organization_id)


@dataclass(frozen=True, slots=True)
class CheckedToken:
    """`request.auth`: an access token that was found good. Holds its SHA-256, never the token."""

    digest: str
    member: Member
    scopes: frozenset[str]
    client_id: str
    expires_at: float  # seconds since the epoch


_checked: RamCache[str, CheckedToken] = RamCache(maxsize=20_000, ttl=LIFETIME)


_checked.forget_on("token", lambda _, token: token.member.pk)
_checked.forget_on("member", lambda _, token: token.member.pk)
_checked.forget_on("organization", lambda _, token: token.member.organization_id)


class InvalidToken(AuthenticationFailed):
    default_detail = "The access token is unknown, expired or revoked. Get a new one."
    auth_header = f'{REALM}, error="invalid_token"'


class InsufficientScope(PermissionDenied):
    default_detail = "The access token does not allow this."
    auth_header = f'{REALM}, error="insufficient_scope"'


class _UnknownTokenError(Exception):
    """Not a token that is good now."""


def check(token: str) -> CheckedToken | None:
    """The token's meaning, from RAM when warm; None when it is good for nothing."""
    if not 0 < len(token) <= MAX_TOKEN:
        return None
    digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
    try:
        found = _checked.get_or_load(digest, lambda: _load(digest))
    except _UnknownTokenError:
        return None
    return found if time.time() < found.expires_at else None


def _load(digest: str) -> CheckedToken:
    rows = get_access_token_model().objects.filter(token_checksum=digest, expires__gt=timezone.now())
    row = rows.select_related("user__organization", "application").first()
    if row is None or row.application is None or not isinstance(row.user, Member) or not may_enter(row.user):
        raise _UnknownTokenError
    return CheckedToken(
        digest, row.user, frozenset(row.scope.split()), row.application.client_id, row.expires.timestamp()
    )


class BearerAuthentication(BaseAuthentication):
    """RFC 6750, header only: a token in a URL or a form ends up in logs, so it is refused even where it is good."""

    def authenticate(self, request: Request) -> tuple[Member, CheckedToken] | None:
        scheme, _, token = get_authorization_header(request).partition(b" ")
        if "access_token=" in request.META.get("QUERY_STRING", ""):
            raise InvalidToken("Send the access token in the Authorization header only.")
        if scheme.lower() != b"bearer":
            return None
        checked = check(token.strip().decode("latin-1"))
        if checked is None:
            raise InvalidToken
        self._check_scopes(request, checked)
        return checked.member, checked

    def authenticate_header(self, request: Request) -> str:
        """RFC 6750 3: a reason only where a token was sent."""
        sent = get_authorization_header(request)[:7].lower() == b"bearer "
        return InvalidToken.auth_header if sent else REALM

    def _check_scopes(self, request: Request, checked: CheckedToken) -> None:
        """A view may name `required_scopes`; without, it needs the sidebar's."""
        view = (request.parser_context or {}).get("view")
        needed: frozenset[str] = frozenset(getattr(view, "required_scopes", DEFAULT_SCOPES))
        if not needed <= checked.scopes:
            raise InsufficientScope
