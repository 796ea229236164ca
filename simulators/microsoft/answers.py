"""Answers of the identity platform's endpoints that are no pages: metadata and tokens.

Source: learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow."""

import hmac
import random
import time
from typing import Any

from simulators.front import Form, Result
from simulators.ledger import digest
from simulators.microsoft.accounts import GRAPH, Account, App, spelled
from simulators.microsoft.errors import error, long_stamp
from simulators.microsoft.provider import MANY, REFRESH_SECONDS, Microsoft
from simulators.oauth.browsing import Code
from simulators.oauth.families import Family
from simulators.oauth.proofs import verifies


def metadata(microsoft: Microsoft, tenant: str) -> Result:
    """openid-configuration of a tenant, or of one of the authorities for many, whose issuer is a template."""
    found = microsoft.tenant_named(tenant)
    if found is None and tenant not in MANY:
        return error(90002, microsoft.api_url, tenant=tenant)
    place, tid = (found.id, found.id) if found else (tenant, "{tenantid}")
    api, pages = f"{microsoft.api_url}/{place}", f"{microsoft.pages_url}/{place}"
    return 200, {
        "token_endpoint": f"{api}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": f"{api}/discovery/v2.0/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": f"{microsoft.api_url}/{tid}/v2.0",
        "request_uri_parameter_supported": False,
        "userinfo_endpoint": f"{microsoft.graph_url}/oidc/userinfo",
        "authorization_endpoint": f"{pages}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{api}/oauth2/v2.0/devicecode",
        "http_logout_supported": True,
        "end_session_endpoint": f"{pages}/oauth2/v2.0/logout",
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nonce", "preferred_username", "name", "tid", "email"],
        "tenant_region_scope": None,
        "cloud_instance_name": "microsoftonline.com",
        "msgraph_host": microsoft.graph_url.partition("://")[2],
    }


def instance_discovery(microsoft: Microsoft) -> Result:
    return 200, {
        "tenant_discovery_endpoint": f"{microsoft.api_url}/common/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [],
    }


def token(microsoft: Microsoft, tenant: str, form: Form, basic: tuple[str, str] | None) -> Result:
    base = microsoft.api_url
    if microsoft.tenant_named(tenant) is None and tenant not in MANY:
        return error(90002, base, tenant=tenant)
    kind = form.get("grant_type", "")
    if not kind:
        return error(900144, base, name="grant_type")
    if kind not in ("authorization_code", "refresh_token"):
        return error(70003, base, kind=kind)
    client_id, secret = basic or (form.get("client_id", ""), form.get("client_secret", ""))
    app = _client(microsoft, tenant, client_id, secret)
    if not isinstance(app, App):
        return app
    return _exchange(microsoft, form, app) if kind == "authorization_code" else _renew(microsoft, form, app)


def _client(microsoft: Microsoft, tenant: str, client_id: str, secret: str) -> App | Result:
    base, app = microsoft.api_url, microsoft.apps.get(client_id)
    if not client_id:
        return error(900144, base, name="client_id")
    if app is None:
        return error(700016, base, app=client_id, tenant=tenant)
    if not secret:
        return error(7000218, base)
    if not hmac.compare_digest(secret.encode(), app.client_secret.encode()):
        return error(7000215, base, app=client_id)
    return error(7000222, base, app=client_id) if app.secret_expired else app


def _exchange(microsoft: Microsoft, form: Form, app: App) -> Result:
    base = microsoft.api_url
    if not form.get("code"):
        return error(900144, base, name="code")
    code = microsoft.codes.get(digest(form["code"]))
    if code is None or code.pending.client_id != app.client_id:
        return error(9002313, base)
    if code.used:
        return error(54005, base)
    if code.expires < time.time():
        return error(70008, base)
    asked = code.pending.redirect_uri
    if asked != form.get("redirect_uri"):
        return error(500112, base, uri=form.get("redirect_uri", ""), asked=asked)
    if code.pending.challenge and not verifies(code.pending.challenge, form.get("code_verifier", "")):
        return error(501481, base)
    return _open(microsoft, form, app, code)


def _open(microsoft: Microsoft, form: Form, app: App, code: Code) -> Result:
    """A refresh token only where offline_access was asked for."""
    code.used = True
    account = microsoft.by_oid[code.user]
    scopes = tuple(sorted(microsoft.consented(account, app.client_id) | set(code.scopes)))
    family = microsoft.families.open(account.oid, app.client_id, scopes)
    family.marks = code.pending.extra["marks"].split()
    refresh = microsoft.new_refresh(family) if "offline_access" in code.scopes else ""
    asked = form.get("scope") or code.pending.extra["asked"]
    return 200, _answer(microsoft, account, family, refresh, code.pending.nonce, asked, form)


def _renew(microsoft: Microsoft, form: Form, app: App) -> Result:
    base, text = microsoft.api_url, form.get("refresh_token", "")
    if not text:
        return error(900144, base, name="refresh_token")
    family = microsoft.families.of_refresh(text)
    if family is None or family.client_id != app.client_id:
        return error(70000 if text.startswith("1.A") else 9002313, base)
    account = microsoft.by_oid[family.user]
    if refusal := _grant_refused(microsoft, family, account, app, family.refresh[digest(text)]):
        return refusal
    if microsoft.families.is_reused(text, microsoft.mode.reuse_kills_family):
        return error(70000, base)
    if refusal := _scopes_refused(microsoft, form, account, app):
        return refusal
    family.scopes = tuple(sorted(microsoft.consented(account, app.client_id)))
    refresh = ""
    if microsoft.mode.rotate:
        microsoft.families.spend(family, text)
        refresh = microsoft.new_refresh(family)
    return 200, _answer(microsoft, account, family, refresh, "", form.get("scope", ""), form)


def _grant_refused(microsoft: Microsoft, family: Family, account: Account, app: App, issued: float) -> Result | None:
    """Why this grant renews no more: the person, his consent, the tenant's policies, its age."""
    base, tenant, now = microsoft.api_url, microsoft.tenants[account.tid], microsoft.clock.now()
    if not account.active:
        return error(50057, base)
    if family.opened <= account.valid_from:
        return error(50173, base, issued=long_stamp(family.opened), valid=long_stamp(account.valid_from))
    if not set(family.scopes) <= microsoft.consented(account, app.client_id):
        return error(65001, base, app=app.client_id, name=app.name)
    if now - issued > REFRESH_SECONDS:
        return error(700082, base, issued=long_stamp(issued))
    if tenant.sign_in_seconds and now - family.opened > tenant.sign_in_seconds:
        return error(70043, base, issued=long_stamp(family.opened), seconds=str(int(tenant.sign_in_seconds)))
    if tenant.conditional_access:
        return error(53003, base)
    return error(50076, base) if (tenant.mfa or account.challenge) and "mfa" not in family.marks else None


def _scopes_refused(microsoft: Microsoft, form: Form, account: Account, app: App) -> Result | None:
    """A refresh may ask for less, or for what was consented to meanwhile."""
    base = microsoft.api_url
    for scope in form.get("scope", "").split():
        name = spelled(scope, microsoft.prefixes)
        if name is None and not scope.endswith("/.default"):
            return error(70011, base, scope=scope)
        if name and name not in (*microsoft.consented(account, app.client_id), "openid", "profile", "offline_access"):
            return error(65001, base, app=app.client_id, name=app.name)
    return None


def _answer(
    microsoft: Microsoft, account: Account, family: Family, refresh: str, nonce: str, asked: str, form: Form
) -> dict[str, Any]:
    """`scope` is everything consented to so far, in Graph's spelling, with the resource before it where it was asked
    so; offline_access is never among them. The life of an access token is drawn between 60 and 90 minutes."""
    seconds = microsoft.fixed_seconds or random.randint(3600, 5399)
    prefix = GRAPH if any(scope.lower().startswith(microsoft.prefixes) for scope in asked.split()) else ""
    told = [s if s in ("openid", "profile", "email") else prefix + s for s in family.scopes if s != "offline_access"]
    body: dict[str, Any] = {
        "token_type": "Bearer",
        "scope": " ".join(told),
        "expires_in": seconds,
        "ext_expires_in": seconds,
        "access_token": microsoft.new_access(family, account, seconds),
    }
    if refresh:
        body["refresh_token"] = refresh
    if "openid" in family.scopes:
        body["id_token"] = microsoft.id_token(account, family.client_id, family.scopes, nonce)
    if form.get("client_info") == "1":
        body["client_info"] = microsoft.client_info(account)
    return body
