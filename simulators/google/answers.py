"""Answers of Google's endpoints that are no pages: metadata, tokens, revocation, userinfo; its errors word by word.

Sources: developers.google.com/identity/protocols/oauth2/web-server, .../openid-connect/openid-connect."""

import base64
import hmac
import time
from typing import Any

from simulators.front import Form, Result
from simulators.google.accounts import LABELS, Account, App
from simulators.google.provider import TESTING_SECONDS, Google
from simulators.ledger import digest
from simulators.oauth.families import Family
from simulators.oauth.proofs import challenge_of, verifies

_EXPIRED = "Token has been expired or revoked."
_POLICY = "Access to your account data is restricted by policies within your organization."
_REAUTH = {
    "error": "invalid_grant",
    "error_description": "reauth related error (invalid_rapt)",
    "error_uri": "https://support.google.com/a/answer/9368756",
    "error_subtype": "invalid_rapt",
}


def metadata(google: Google) -> dict[str, Any]:
    """openid-configuration; the authorization endpoint is on the pages' origin, all others on the API's."""
    api, pages = google.api_url, google.pages_url
    body: dict[str, Any] = {
        "issuer": api,
        "authorization_endpoint": f"{pages}/o/oauth2/v2/auth",
        "device_authorization_endpoint": f"{api}/device/code",
        "token_endpoint": f"{api}/token",
        "userinfo_endpoint": f"{api}/v1/userinfo",
        "revocation_endpoint": f"{api}/revoke",
        "jwks_uri": f"{api}/oauth2/v3/certs",
        "response_types_supported": ["code", "token", "id_token", "code token", "code id_token", "none"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "email", "profile"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "claims_supported": ["aud", "email", "email_verified", "exp", "iat", "iss", "name", "picture", "sub"],
        "code_challenge_methods_supported": ["plain", "S256"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
    }
    if google.announces_issuer:
        body["authorization_response_iss_parameter_supported"] = True
    return body


def error(name: str, description: str, status: int = 400) -> Result:
    return status, {"error": name, "error_description": description}


def client_of(google: Google, form: Form, authorization: str) -> App | Result:
    """The authenticated client, by Basic or by form."""
    client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    if authorization.lower().startswith("basic "):
        try:
            client_id, _, secret = base64.b64decode(authorization[6:]).decode().partition(":")
        except ValueError:
            return error("invalid_client", "Unauthorized", 401)
    if not client_id:
        return error("invalid_request", "Could not determine client ID from request.")
    app = google.apps.get(client_id)
    if app is None:
        return error("invalid_client", "The OAuth client was not found.", 401)
    if not secret:
        return error("invalid_request", "client_secret is missing.")
    if not hmac.compare_digest(secret.encode(), app.client_secret.encode()):
        return error("invalid_client", "The provided client secret is invalid.", 401)
    return app


def token(google: Google, form: Form, authorization: str) -> Result:
    kind = form.get("grant_type", "")
    if not kind:
        return error("invalid_request", "Required parameter is missing: grant_type")
    if kind not in ("authorization_code", "refresh_token"):
        return error("unsupported_grant_type", f"Invalid grant_type: {kind}")
    app = client_of(google, form, authorization)
    if not isinstance(app, App):
        return app
    return _exchange(google, form, app) if kind == "authorization_code" else _renew(google, form, app)


def _exchange(google: Google, form: Form, app: App) -> Result:
    if not form.get("code"):
        return error("invalid_request", "Missing required parameter: code")
    code = google.codes.get(digest(form["code"]))
    if code is None or code.pending.client_id != app.client_id:
        return error("invalid_grant", "Malformed auth code.")
    if code.used or code.expires < time.time():
        return error("invalid_grant", "Bad Request")
    if code.pending.redirect_uri != form.get("redirect_uri"):
        return error("redirect_uri_mismatch", "Bad Request")
    if refusal := _verifier_refused(code.pending.challenge, code.pending.extra["method"], form):
        return refusal
    code.used = True
    account = google.by_sub[code.user]
    offline = code.pending.extra["offline"] == "yes"
    access, refresh = google.open(account, app, code.scopes, offline)
    answer = _answer(google, account, app, code.scopes, access, refresh, code.pending.nonce)
    if refresh and app.publishing == "testing":
        answer["refresh_token_expires_in"] = int(TESTING_SECONDS) - 1
    return 200, answer


def _verifier_refused(challenge: str, method: str, form: Form) -> Result | None:
    if not challenge:
        return None
    verifier = form.get("code_verifier", "")
    if not verifier:
        return error("invalid_grant", "Missing code verifier.")
    expected = challenge if method == "S256" else challenge_of(challenge)
    return None if verifies(expected, verifier) else error("invalid_grant", "Invalid code verifier.")


def _renew(google: Google, form: Form, app: App) -> Result:
    text = form.get("refresh_token", "")
    if not text:
        return error("invalid_request", "Missing required parameter: refresh_token")
    family = google.families.of_refresh(text)
    if family is None:
        return error("invalid_grant", _EXPIRED if text.startswith("1//") else "Bad Request")
    if family.client_id != app.client_id:
        return error("unauthorized_client", "Unauthorized", 401)
    if refusal := _grant_refused(google, family, app):
        return refusal
    if google.families.is_reused(text, google.mode.reuse_kills_family):
        return error("invalid_grant", _EXPIRED)
    access = google.new_access(family)
    refresh = ""
    if google.mode.rotate:
        google.families.spend(family, text)
        refresh = google.new_refresh(family)
    return 200, _answer(google, google.by_sub[family.user], app, family.scopes, access, refresh, "")


def _grant_refused(google: Google, family: Family, app: App) -> Result | None:
    """Why this grant renews no more: the account, the client's seven days, the Workspace's administrator."""
    account = google.by_sub.get(family.user)
    if account is None:
        return error("invalid_grant", "Account has been deleted")
    if not account.active or google.has_run_out(family, app):
        return error("invalid_grant", _EXPIRED)
    workspace = google.workspaces.get(account.domain)
    if workspace is None:
        return None
    if workspace.blocks or set(workspace.blocked_scopes) & set(family.scopes):
        return error(
            "admin_policy_enforced", "Access to your account data is restricted by policies within your organization."
        )
    if workspace.reauth_seconds and google.clock.now() - family.opened > workspace.reauth_seconds:
        return 400, _REAUTH
    return None


def _answer(
    google: Google, account: Account, app: App, scopes: tuple[str, ...], access: str, refresh: str, nonce: str
) -> dict[str, Any]:
    body: dict[str, Any] = {"access_token": access, "expires_in": google.access_seconds}
    if refresh:
        body["refresh_token"] = refresh
    body |= {"scope": " ".join(scopes), "token_type": "Bearer"}
    if "openid" in scopes:
        body["id_token"] = google.id_token(account, app.client_id, scopes, nonce)
    return body


def revoke(google: Google, form: Form) -> Result:
    """Takes an access or a refresh token and withdraws the person's whole consent to the client: every other grant of
    the two ends as well ("access to all of that authorization's scopes ... revoked simultaneously", web-server#
    incrementalAuth; seen in practice: Significant-Gravitas/AutoGPT#10493)."""
    text = form.get("token", "")
    if not text:
        return error("invalid_request", "Missing required parameter: token")
    family = google.families.of_refresh(text) or google.families.of_access(text)
    if family is None:
        return error("invalid_token", "Token expired or revoked")
    google.families.withdraw(family.user, family.client_id)
    return 200, {}


def userinfo(google: Google, bearer: str) -> Result:
    found = google.grant_of(bearer)
    if found is None:
        return error("invalid_request", "Invalid Credentials", 401)
    account, family = found
    return 200, google.person(account, family.scopes)


def tokeninfo(google: Google, form: Form) -> Result:
    found = google.grant_of(form.get("access_token", ""))
    if found is None:
        return error("invalid_token", "Invalid Value")
    account, family = found
    left = int(family.access[digest(form["access_token"])] - google.clock.now())
    body = {"azp": family.client_id, "aud": family.client_id, "sub": account.sub, "scope": " ".join(family.scopes)}
    return 200, {**body, "exp": str(int(time.time()) + left), "expires_in": str(left), "access_type": "offline"}


def known_scopes(scopes: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Valid ones and invalid ones."""
    return [s for s in scopes if s in LABELS], [s for s in scopes if s not in LABELS]
