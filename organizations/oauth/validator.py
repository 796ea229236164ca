"""What our OAuth server believes: django-oauth-toolkit's rules with its gaps closed.

Runs inside the token view's transaction, which the row locks here rely on. Never logs a token or a code."""
# ruff: noqa: ARG002  oauthlib's signatures

import hashlib
import hmac
import logging
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone
from oauth2_provider.models import get_grant_model, get_refresh_token_model
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauth2_provider.settings import oauth2_settings
from oauthlib.oauth2.rfc6749.errors import InvalidGrantError, InvalidScopeError

from organizations import audit, devices
from organizations.authentication import may_enter
from organizations.models import Application, UsedCode
from organizations.oauth import families

logger = logging.getLogger(__name__)
MAX_CLIENT_ID = 255
SECRET_PREFIX = "sha256:"  # noqa: S105  how a secret of 256 random bits is kept; no password needs a slow hash here


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Validator(OAuth2Validator):
    """Public clients, codes hashed and used once, refresh tokens rotated once, families that end."""

    # --- Clients ------------------------------------------------------------------------------------

    def _load_application(self, client_id: Any, request: Any) -> Application | None:
        """PostgreSQL takes no NUL, which a Basic header may hold; and no id of ours is that long."""
        if not isinstance(client_id, str) or "\0" in client_id or len(client_id) > MAX_CLIENT_ID:
            return None
        application: Application | None = super()._load_application(client_id, request)
        return application

    def _check_secret(self, provided_secret: str, stored_secret: str) -> bool:
        """Only resource servers that introspect have a secret, of our own making, so a plain hash is enough;
        a public client's is empty and matches nothing, and nobody can make us compute a slow hash."""
        if not stored_secret.startswith(SECRET_PREFIX):
            return False
        return hmac.compare_digest(SECRET_PREFIX + digest_of(provided_secret), stored_secret)

    def validate_grant_type(
        self, client_id: str, grant_type: str, client: Application, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        return _is_add_in(request.client) and grant_type in ("authorization_code", "refresh_token")

    def validate_response_type(
        self, client_id: str, response_type: str, client: Application, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        return _is_add_in(client) and response_type == "code"

    def validate_scopes(
        self, client_id: str, scopes: list[str], client: Application, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        """Known scopes, each once."""
        return 0 < len(scopes) == len(set(scopes)) and set(scopes) <= set(oauth2_settings.SCOPES)

    # --- Authorization codes: only their hash is kept -------------------------------------------------

    def _create_authorization_code(self, request: Any, code: dict[str, str], expires: Any = None) -> Any:
        """Without the toolkit's nonce, claims and resource: those belong to features that are off."""
        lifetime = timedelta(seconds=oauth2_settings.AUTHORIZATION_CODE_EXPIRE_SECONDS)
        return get_grant_model().objects.create(
            application=request.client,
            user=request.user,
            code=digest_of(code["code"]),
            expires=expires or timezone.now() + lifetime,
            redirect_uri=request.redirect_uri,
            scope=" ".join(request.scopes),
            code_challenge=request.code_challenge,
            code_challenge_method=request.code_challenge_method,
        )

    def validate_code(
        self, client_id: str, code: str, client: Application, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        """Locks the code's row: a second request with it waits here, and then finds it used."""
        stored = get_grant_model().objects.select_for_update(of=("self",)).select_related("user__organization")
        grant = stored.filter(code=digest_of(code), application=client).first()
        if grant is None:
            self._notice_replay(code)
            return False
        if grant.is_expired() or not may_enter(grant.user):
            return False
        request.scopes, request.user, request.stored_grant = grant.scope.split(), grant.user, grant
        return True

    def _notice_replay(self, code: str) -> None:
        used = UsedCode.objects.filter(digest=digest_of(code)).select_related("member").first()
        if used is not None and families.is_alive(used.family):
            logger.warning("an authorization code was used twice; its tokens are revoked: member %s", used.member_id)
            families.revoke(used.family, used.member_id)
            audit.record(used.member.organization_id, used.member, "token.code_reused", result="revoked")

    def confirm_redirect_uri(
        self, client_id: str, code: str, redirect_uri: str, client: Application, request: Any, *args: Any, **kw: Any
    ) -> bool:
        return bool(request.stored_grant.redirect_uri == redirect_uri)

    def get_code_challenge(self, code: str, request: Any) -> str | None:
        return request.stored_grant.code_challenge or None

    def get_code_challenge_method(self, code: str, request: Any) -> str | None:
        return request.stored_grant.code_challenge_method or None

    def invalidate_authorization_code(self, client_id: str, code: str, request: Any, *args: Any, **kw: Any) -> None:
        request.stored_grant.delete()
        UsedCode.objects.create(digest=digest_of(code), member=request.user, family=request.token_family)
        families.forget_dead(request.user)
        devices.begin(request.token_family, request.user, request.client, request.headers.get("HTTP_USER_AGENT") or "")
        audit.record(
            request.user.organization_id, request.user, "token.issued", request.client.client_id, scopes=request.scopes
        )

    # --- Refresh tokens -------------------------------------------------------------------------------

    def validate_refresh_token(
        self, refresh_token: str, client: Application, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        """Good for one rotation. Of two requests at once one wins and the other is refused; one that comes
        later shows that two hold the token, and the family dies (RFC 9700 4.14.2)."""
        rows = get_refresh_token_model().objects.filter(token_checksum=digest_of(refresh_token), application=client)
        before = rows.values_list("revoked", "token_family").first()
        if before is None:
            return False
        was_spent, family = before
        families.lock(family)
        token = rows.select_for_update(of=("self",)).select_related("access_token", "user__organization").first()
        if token is None:
            return False
        if token.revoked is not None:
            if was_spent:
                self._notice_reuse(token)
            return False
        if token.access_token is None or families.is_too_old(token.token_family) or not may_enter(token.user):
            return False
        request.user, request.refresh_token, request.refresh_token_instance = token.user, refresh_token, token
        return True

    def _notice_reuse(self, token: Any) -> None:
        """A family that is dead already (signed out) has nothing left to protect: no alarm."""
        if families.is_alive(token.token_family):
            logger.warning("a refresh token was used twice; its family is revoked: member %s", token.user_id)
            families.revoke(token.token_family, token.user_id)
            audit.record(token.user.organization_id, token.user, "token.reused", result="revoked")

    def is_within_original_scope(
        self, request_scopes: list[str], refresh_token: str, request: Any, *a: Any, **kw: Any
    ) -> bool:
        return False

    # --- Issuing and revoking -------------------------------------------------------------------------

    def _check_and_set_request_resource(self, request: Any) -> None:
        """RFC 8707 resources are a feature that is off; our tokens are for one API."""
        request.resource = []

    def _save_bearer_token(self, token: dict[str, Any], request: Any, *args: Any, **kwargs: Any) -> None:
        if len(request.scopes) != len(set(request.scopes)):
            raise InvalidScopeError(request=request)
        super()._save_bearer_token(token, request, *args, **kwargs)
        if not token["access_token"]:  # the toolkit's grace period hands out what it has not kept
            raise InvalidGrantError(request=request)

    def _create_refresh_token(self, request: Any, refresh_token_code: str, access_token: Any, previous: Any) -> Any:
        created = super()._create_refresh_token(request, refresh_token_code, access_token, previous)
        request.token_family = created.token_family
        devices.note_use(created.token_family)
        return created

    def revoke_token(self, token: str, token_type_hint: str, request: Any, *args: Any, **kwargs: Any) -> None:
        """Either token ends its whole family: signing out is signing out. An unknown one is no error (RFC 7009)."""
        rows = get_refresh_token_model().objects.filter(application=request.client).select_related("user")
        digest = digest_of(token)
        found = rows.filter(token_checksum=digest).first() or rows.filter(access_token__token_checksum=digest).first()
        if found is None or not families.is_alive(found.token_family):
            return
        family: UUID = found.token_family
        families.revoke(family, found.user_id)
        audit.record(found.user.organization_id, found.user, "token.revoked", request.client.client_id)


def _is_add_in(client: Application) -> bool:
    """Add-ins are public clients with the code flow; anything else we know may only introspect."""
    return bool(
        client.client_type == Application.CLIENT_PUBLIC
        and client.authorization_grant_type == Application.GRANT_AUTHORIZATION_CODE
    )
