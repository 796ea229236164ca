"""Google's OAuth 2.0 and OpenID Connect (C1, C10, C64). Never asks for a Drive scope.

Sources, all at developers.google.com/identity/protocols/oauth2: `web-server` (parameters, incremental and granular
consent, time-based access, revocation, error codes), `#expiration` (why refresh tokens end), `openid-connect` (iss,
sub, email_verified), `scopes`. A refresh token is not rotated: answers to a refresh carry none, the old one stays."""

from collections.abc import Collection, Mapping
from typing import Any

from providers import openid
from providers.base import Account, Secret
from providers.errors import NeedsReconnect, PermissionMissing, ProviderError, RateLimited
from providers.google.hosts import HOSTS
from providers.http import Session
from providers.oauth import Server

_AUTH = "https://www.googleapis.com/auth/"
_BASE = {
    "openid": "To know which Google account this is",
    f"{_AUTH}userinfo.email": "To show you which Google account is connected",
    f"{_AUTH}userinfo.profile": "To show you the name of that account",
}
#: The narrowest that reads messages with their history, and that reads and writes events (C64). Labels, drafts, sending
#: and other people's calendars stay closed.
_FEATURES = {
    "email": {
        f"{_AUTH}gmail.readonly": "To read your mail, so that it can be logged in Salesforce; it cannot change it"
    },
    "calendar": {f"{_AUTH}calendar.events": "To read and write your appointments, so that they match Salesforce"},
}
_PURPOSES = {scope: why for scopes in (_BASE, *_FEATURES.values()) for scope, why in scopes.items()}
#: Answers spell the OpenID names as URLs ("email" comes back as .../userinfo.email): `scopes`, "OpenID Connect".
_SPELLINGS = {"email": f"{_AUTH}userinfo.email", "profile": f"{_AUTH}userinfo.profile"}
#: Wider scopes, which a person may have granted to this client before (include_granted_scopes).
_COVERED_BY = {
    f"{_AUTH}gmail.readonly": (f"{_AUTH}gmail.modify", "https://mail.google.com/"),
    f"{_AUTH}calendar.events": (f"{_AUTH}calendar",),
}
_ISSUERS = frozenset({"https://accounts.google.com", "accounts.google.com"})  # openid-connect: both are in use
_PROMPTS = {"login": "select_account", "select_account": "select_account"}  # it knows no "login"
_USERINFO = "/v1/userinfo"

_ENDED = (
    "Google no longer accepts the connection: the access was withdrawn or unused for six months, the password was "
    "changed, or the app at Google is still in testing, where access ends after seven days."
)
#: Marks in `error error_subtype error_description` -> code for the doctor, sentence. The text itself is never echoed.
_REASONS = (
    ("invalid_rapt", "session_control", "Your organization's Google sign-in policy asks you to sign in again."),
    ("account has been deleted", "account_gone", "This Google account does not exist any more."),
    ("code verifier", "code_refused", "The sign-in could not be matched to this browser; please start again."),
    ("auth code", "code_refused", "The sign-in took too long or was used twice; please start again."),
    ("authorization code", "code_refused", "The sign-in took too long or was used twice; please start again."),
    ("code was already redeemed", "code_refused", "The sign-in took too long or was used twice; please start again."),
)
_NOT_ALLOWED = {
    "admin_policy_enforced": (
        "admin_policy",
        "Your Google Workspace administrator does not allow this app; he can under Security, API controls.",
    ),
    "org_internal": (
        "org_internal",
        "The app at Google is open to its own organization only; its owner must make it external or use his own.",
    ),
    "disabled_client": ("client_disabled", "The app at Google has been disabled; its owner must look at Google Cloud."),
    "deleted_client": ("client_unknown", "The app at Google has been deleted; its owner must make a new one."),
}
_BAD_CLIENT = frozenset({"invalid_client", "unauthorized_client"})
_TOO_MANY = frozenset({"rate_limit_exceeded", "quota_exceeded", "slow_down", "userratelimitexceeded"})


class GoogleOAuth(openid.OpenIdOAuth):
    """See `providers.protocol.OAuth`."""

    name = "google"
    label = "Google"
    #: Ending one ends every token of this person for this client, whatever their scopes.
    revokes_all = True  # googleapis/google-auth-library-nodejs issue 1338, AutoGPT pull 10493

    def app_of(self, client_id: str) -> str:
        """The project, whose clients share a person's consent (developers.google.com/identity/protocols/oauth2/
        cross-client-identity). Its number comes first in their ids: `<number>-<random>.apps.googleusercontent.com`."""
        number = client_id.partition("-")[0]
        return number if number.isdecimal() and client_id.endswith(".apps.googleusercontent.com") else client_id

    def scopes_for(self, features: Collection[str]) -> tuple[str, ...]:
        wanted = [scope for feature, scopes in _FEATURES.items() if feature in features for scope in scopes]
        return (*_BASE, *wanted)

    def purpose_of(self, scope: str) -> str:
        return _PURPOSES.get(_SPELLINGS.get(scope, scope), "Granted by Google, not used by us")

    def missing(self, wanted: Collection[str], granted: Collection[str]) -> tuple[str, ...]:
        """People may untick scopes one by one (granular consent), so an answer may well hold fewer than were asked."""
        held = {_SPELLINGS.get(scope, scope) for scope in granted}

        def is_held(scope: str) -> bool:
            name = _SPELLINGS.get(scope, scope)
            return name in held or any(wider in held for wider in _COVERED_BY.get(name, ()))

        return tuple(scope for scope in wanted if not is_held(scope))

    def _proof_url(self, api_url: str, origins: Collection[str]) -> str:
        return HOSTS.api_url(api_url, origins) + _USERINFO

    def _names(self, claims: Mapping[str, Any], subject: str) -> bool:
        """`openid-connect`, "Obtaining user profile information": the claims of the id_token, `sub` always."""
        found = self._account_of(claims)
        return found is not None and subject in ("", found.subject)

    def _login_url(self, text: str, origins: Collection[str]) -> str:
        return HOSTS.login_url(text, origins)

    def _discover(self, login_url: str, http: Session) -> Server:
        """`announces_iss` stays false: Google sends `iss` without announcing it (openiddict-core issue 2428)."""
        found, origins = self._metadata_of(login_url, login_url, http), http.settings.origins
        userinfo = HOSTS.endpoint(found.get("userinfo_endpoint"), login_url, origins)
        return Server(
            login_url=login_url,
            issuer=login_url,
            authorization_endpoint=HOSTS.endpoint(
                found.get("authorization_endpoint"), login_url, origins, is_page=True
            ),
            token_endpoint=HOSTS.endpoint(found.get("token_endpoint"), login_url, origins),
            revocation_endpoint=HOSTS.endpoint(found.get("revocation_endpoint"), login_url, origins),
            announces_iss=found.get("authorization_response_iss_parameter_supported") is True,
            api_url=userinfo.removesuffix(_USERINFO),
        )

    def _extras(self, verifier: Secret, prompt: str, login_hint: str) -> dict[str, str]:
        """`web-server`: a refresh token comes with access_type=offline, and a second time only after a new consent."""
        prompts = " ".join(filter(None, (_PROMPTS.get(prompt, ""), "consent")))
        fixed = {"access_type": "offline", "include_granted_scopes": "true"}
        return {**super()._extras(verifier, prompts, login_hint), **fixed}

    def _issued(self, server: Server, claims: Mapping[str, Any]) -> bool:
        return claims.get("iss") in (_ISSUERS if server.issuer in _ISSUERS else {server.issuer})

    def _account_of(self, claims: Mapping[str, Any]) -> Account | None:
        """`sub` is the one lasting name of an account; an address counts only as far as Google has verified it."""
        subject = openid.text_of(claims, "sub", 255)
        email = openid.text_of(claims, "email") if claims.get("email_verified") is True else ""
        return (
            Account(subject, openid.text_of(claims, "name"), email, openid.text_of(claims, "hd")) if subject else None
        )

    def _verdict_on(self, error: str, said: str) -> ProviderError | None:
        if error in _TOO_MANY:
            return RateLimited("Google asks us to sign in less often.", provider=self.name)
        if error in _NOT_ALLOWED:
            code, text = _NOT_ALLOWED[error]
            return PermissionMissing(text, provider=self.name, code=code)
        if error in _BAD_CLIENT:
            return self._client_refused()
        if error == "invalid_grant":
            code, text = next(((code, text) for mark, code, text in _REASONS if mark in said), ("ended", _ENDED))
            return NeedsReconnect(text, provider=self.name, code=code)
        return None


OAUTH = GoogleOAuth()
