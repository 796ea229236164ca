"""Answers of the OAuth endpoints that are no pages: metadata, tokens, introspection, single access."""

import base64
import hashlib
import hmac
import secrets
import time
from typing import Any
from urllib.parse import urlsplit

from simulators.front import Form, Result
from simulators.oauth.proofs import verifies
from simulators.salesforce.oauth.apps import SCOPES, App
from simulators.salesforce.oauth.grants import Code, Grant
from simulators.salesforce.oauth.hosts import Host
from simulators.salesforce.org import Org
from simulators.salesforce.profiles import User


def metadata(host: Host) -> dict[str, Any]:
    """openid-configuration; the authorization endpoint is on the pages' origin, all others on the API's."""
    api, pages = host.issuer, host.pages_url + host.prefix
    body: dict[str, Any] = {
        "issuer": api,
        "authorization_endpoint": f"{pages}/services/oauth2/authorize",
        "token_endpoint": f"{api}/services/oauth2/token",
        "revocation_endpoint": f"{api}/services/oauth2/revoke",
        "userinfo_endpoint": f"{api}/services/oauth2/userinfo",
        "introspection_endpoint": f"{api}/services/oauth2/introspect",
        "end_session_endpoint": f"{pages}/services/auth/idp/oidc/logout",
        "jwks_uri": f"{api}/id/keys",
        "scopes_supported": sorted(SCOPES),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "display_values_supported": ["page", "popup", "touch"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "code_challenge_methods_supported": ["S256"],
    }
    if host.announces_issuer:
        body["authorization_response_iss_parameter_supported"] = True
    return body


def oauth_error(error: str, description: str, status: int = 400) -> Result:
    return status, {"error": error, "error_description": description}


def client_of(host: Host, form: Form, authorization: str) -> App | Result:
    """The authenticated client, by Basic or by form."""
    client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    if authorization.lower().startswith("basic "):
        try:
            client_id, _, secret = base64.b64decode(authorization[6:]).decode().partition(":")
        except ValueError:
            return oauth_error("invalid_client", "invalid client credentials")
    app = host.app(client_id)
    if app is None:
        return oauth_error("invalid_client_id", "client identifier invalid")
    given = bool(secret) or app.secret_required
    if given and not hmac.compare_digest(secret.encode(), app.client_secret.encode()):
        return oauth_error("invalid_client", "invalid client credentials")
    return app


def token(host: Host, form: Form, authorization: str) -> Result:
    kind = form.get("grant_type", "")
    if kind not in ("authorization_code", "refresh_token", "password"):
        return oauth_error("unsupported_grant_type", "grant type not supported")
    app = client_of(host, form, authorization)
    if not isinstance(app, App):
        return app
    return {"authorization_code": _exchange, "refresh_token": _renew, "password": _by_password}[kind](host, form, app)


def _exchange(host: Host, form: Form, app: App) -> Result:
    for org in host.orgs:
        code = org.grants.take_code(form.get("code", ""))
        if code is None:
            continue
        if code.client_id != app.client_id or code.site != host.is_site:
            return oauth_error("invalid_grant", "invalid authorization code")
        if code.redirect_uri != form.get("redirect_uri"):
            return oauth_error("redirect_uri_mismatch", "redirect_uri must match configuration")
        if code.challenge and not verifies(code.challenge, form.get("code_verifier", "")):
            return oauth_error("invalid_grant", "invalid code verifier")
        user = org.by_id[code.user_id]
        if not user.active:
            return oauth_error("inactive_user", "user is inactive")
        access, refresh = org.grants.open(code, org.id, app.most_grants)
        return 200, _answer(host, org, user, app, code.scopes, access, refresh)
    return oauth_error("invalid_grant", "expired authorization code")


def _by_password(host: Host, form: Form, app: App) -> Result:
    """The username-password flow of scripts: never a refresh token, and only where the app allows it."""
    username, password = form.get("username", "").lower(), form.get("password", "")
    for org, user in host.members():
        if user.username.lower() == username and user.password == password and app.allows_passwords:
            scopes = tuple(scope for scope in app.scopes if scope != "refresh_token")
            code = Code(user.id, app.client_id, "", scopes, None, host.is_site, 0)
            access, _ = org.grants.open(code, org.id, app.most_grants)
            return 200, _answer(host, org, user, app, scopes, access, None)
    return oauth_error("invalid_grant", "authentication failure")


def _renew(host: Host, form: Form, app: App) -> Result:
    text = form.get("refresh_token", "")
    for org in host.orgs:
        known = org.grants.find(text)
        if known and known.client_id != app.client_id:
            return oauth_error("invalid_grant", "expired access/refresh token")
        if known and not org.by_id[known.user_id].active:
            return oauth_error("inactive_user", "user is inactive")
        renewed = org.grants.renew(text, org.id, app.rotates and org.mode.rotate, org.mode.reuse_kills_family)
        if renewed:
            grant, access, refresh = renewed
            return 200, _answer(host, org, org.by_id[grant.user_id], app, grant.scopes, access, refresh)
    return oauth_error("invalid_grant", "expired access/refresh token")


def _answer(
    host: Host, org: Org, user: User, app: App, scopes: tuple[str, ...], access: str, refresh: str | None
) -> dict[str, str]:
    """There is no expires_in: Salesforce never says when a session ends."""
    issued, identity = str(int(time.time() * 1000)), org.identity_url(user.id)
    mac = hmac.new(app.client_secret.encode(), (identity + issued).encode(), hashlib.sha256)
    body = {
        "access_token": access,
        "signature": base64.b64encode(mac.digest()).decode(),
        "scope": " ".join(scopes),
        "instance_url": org.api_url,
        "id": identity,
        "token_type": "Bearer",
        "issued_at": issued,
    }
    if refresh:
        body["refresh_token"] = refresh
    if host.is_site and org.site:
        body["sfdc_community_url"] = host.issuer
        body["sfdc_community_id"] = "0DB" + org.id[3:]
    return body


def revoke(host: Host, form: Form) -> Result:
    done = sum(org.grants.revoke_token(form.get("token", "")) for org in host.orgs)
    return (200, None) if done else oauth_error("unsupported_token_type", "this token is not supported")


def introspect(host: Host, form: Form, authorization: str) -> Result:
    app = client_of(host, form, authorization)
    if not isinstance(app, App):
        return 401, app[1]
    for org in host.orgs:
        grant = org.grants.find(form.get("token", ""))
        if grant and grant.client_id == app.client_id:
            user = org.by_id[grant.user_id]
            return 200, {
                "active": user.active,
                "scope": " ".join(grant.scopes),
                "client_id": grant.client_id,
                "username": user.username,
                "sub": org.identity_url(user.id),
                "token_type": "access_token",
            }
    return 200, {"active": False}


def grant_of(host: Host, bearer: str) -> tuple[Org, User, Grant] | None:
    """Whose living access token this is, among the orgs of the host."""
    for org in host.orgs:
        grant = org.grants.grant_of_access(bearer, org.limits.idle_seconds)
        if grant and org.by_id[grant.user_id].active:
            return org, org.by_id[grant.user_id], grant
    return None


def single_access(host: Host, form: Form, bearer: str) -> Result:
    """A one-time link into the browser UI; needs `web`. The page to open must be one of this org."""
    found = grant_of(host, bearer or form.get("access_token", ""))
    if found is None:
        return oauth_error("invalid_grant", "expired access/refresh token", 401)
    org, user, grant = found
    if not {"web", "full"} & set(grant.scopes):
        return oauth_error("invalid_scope", "the web scope is required", 403)
    target = form.get("redirect_uri", "/")
    parts = urlsplit(target)
    own = {urlsplit(url).netloc for url in (org.api_url, org.pages_url)}
    if (parts.netloc and parts.netloc not in own) or not parts.path.startswith("/") or "\\" in target:
        return oauth_error("invalid_request", "redirect_uri must be a page of this org")
    otp = secrets.token_urlsafe(48)
    page = parts.path + (f"?{parts.query}" if parts.query else "")
    org.single_access[otp] = (user.id, page, time.time() + 60)
    return 200, {"frontdoor_uri": f"{org.pages_url}/secur/frontdoor.jsp?otp={otp}"}
