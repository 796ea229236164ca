"""Salesforce's OAuth 2.0: its login hosts, scopes, refusals and identity URLs (C1, C10, C11).

Its answers name no lifetime, and a refresh token used twice ends the grant: never send one again on suspicion (W2)."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from requests import Response

from providers import oauth
from providers.base import Account, Secret, TokenSet
from providers.errors import HostNotAllowed, NeedsReconnect, PermissionMissing, ProviderError, Rejected, Transient
from providers.http import Session, ask
from providers.oauth import Client, Server, StandardOAuth
from providers.salesforce import failures, hosts, ids
from providers.token_answers import json_object, text_of, token_set

_PURPOSES = {
    "id": "To know who you are in Salesforce",
    "api": "To find and change what you may see and change yourself",
    "refresh_token": "To stay connected, and to work in the background for you",
    "web": "To open a record in Salesforce without another sign-in",
}
SCOPES = tuple(_PURPOSES)  # exactly these (C10)
_ALIASES = {"offline_access": "refresh_token"}  # Salesforce's own: two names of one scope
_WELL_KNOWN = ("openid-configuration", "oauth-authorization-server")
_IDENTITY = re.compile(r"(?P<base>https://[^/?#\\@\s]+(?:/[A-Za-z0-9_-]+)?)/id/(?P<org>\w{15,18})/(?P<user>\w{15,18})")
_DEAD = frozenset({"invalid_grant", "inactive_user", "inactive_org"})
_BAD_CLIENT = frozenset({"invalid_client", "invalid_client_id", "invalid_client_credentials", "unauthorized_client"})

_IP = "Salesforce does not allow this sign-in from our network address."
_NOT_ACTIVE = "Your Salesforce {} is not active."
_FAILED = "Salesforce no longer accepts the connection (password changed or user switched off)."
#: What Salesforce says in error_description -> code for the doctor, sentence. The text itself is never echoed.
_REASONS = (
    ("expired authorization code", "code_refused", "The sign-in took too long or was used twice; please start again."),
    ("code verifier", "code_refused", "The sign-in could not be matched to this browser; please start again."),
    ("inactive_user", "user_inactive", _NOT_ACTIVE.format("user")),
    ("inactive user", "user_inactive", _NOT_ACTIVE.format("user")),
    ("inactive_org", "org_inactive", _NOT_ACTIVE.format("organization")),
    ("inactive org", "org_inactive", _NOT_ACTIVE.format("organization")),
    ("ip restricted", "ip_restricted", _IP),
    ("approved this consumer", "approval", "Salesforce asks for your approval again."),
    ("not approved", "approval", "Salesforce asks for your approval again."),
    ("authentication failure", "ended", _FAILED),
    ("expired", "ended", "The connection was revoked or has expired at Salesforce."),
)
#: About the app in this org, whatever `error` says: an administrator mends it, and the grant lives on (W7).
_APP_REASONS = (
    ("not installed", "app_not_installed", "This app is not installed in your Salesforce organization."),
    ("must be installed", "app_not_installed", "This app is not installed in your Salesforce organization."),
    ("not admin approved", "admin_approval", "A Salesforce administrator must approve this app for you first."),
    ("app_blocked", "app_blocked", "A Salesforce administrator has blocked this app."),
    ("app is blocked", "app_blocked", "A Salesforce administrator has blocked this app."),
)


class SalesforceOAuth(StandardOAuth):
    """See `providers.protocol.OAuth`."""

    name = "salesforce"
    label = "Salesforce"
    sends_unknown_again = False
    #: Both, and no other: developer.salesforce.com, Mobile SDK, "Revoking OAuth Tokens". (A 404 "Bad_Id", say, has left
    #: the token alive: mike4aday/SwiftlySalesforce issue 120.)
    _gone = frozenset({"invalid_token", "unsupported_token_type"})

    def scopes_for(self, features: Collection[str]) -> tuple[str, ...]:  # noqa: ARG002 - mail is not Salesforce's
        return SCOPES

    def purpose_of(self, scope: str) -> str:
        return _PURPOSES.get(_ALIASES.get(scope, scope), "Granted by Salesforce, not used by us")

    def missing(self, wanted: Collection[str], granted: Collection[str]) -> tuple[str, ...]:
        held = {_ALIASES.get(scope, scope) for scope in granted}
        return tuple(scope for scope in wanted if _ALIASES.get(scope, scope) not in held)

    def same_person(self, one: str, other: str, origins: Collection[str]) -> bool:
        try:
            return identity_ids(one, origins) == identity_ids(other, origins)
        except ProviderError:
            return False

    def exchange(
        self, server: Server, client: Client, *, code: Secret, code_verifier: Secret, redirect_uri: str, http: Session
    ) -> TokenSet:
        """Tokens for an API host that is none of Salesforce's are good for nowhere: `api_url` is empty then, so that
        whoever uses them meets HostNotAllowed, and still holds them to end them."""
        raw = oauth.redeem(server, client, code, code_verifier, redirect_uri, http)
        try:
            return self.parse(raw, http.settings.origins)
        except HostNotAllowed:
            fields = json_object(raw.body.reveal())
            return token_set(fields, identity=text_of(fields.get("id")))

    def account(self, tokens: TokenSet, http: Session) -> Account:
        """The ids only; `identity.identify` asks for the rest."""
        organization, user = identity_ids(tokens.identity, http.settings.origins)
        return Account(user, "", "", organization)

    def _login_url(self, text: str, origins: Collection[str]) -> str:
        return hosts.login_url(text, origins)

    def _discover(self, login_url: str, http: Session) -> Server:
        """From the host's metadata or, where it has none, Salesforce's standard paths."""
        return server_of(login_url, _fetch_metadata(login_url, http), http.settings.origins)

    def _proof_url(self, api_url: str, origins: Collection[str]) -> str:
        """The userinfo service counts as no API call."""
        return f"{hosts.api_url(api_url, origins)}/services/oauth2/userinfo"

    def _names(self, claims: Mapping[str, Any], subject: str) -> bool:
        """`user_id` and `organization_id` are always there: help.salesforce.com, "Query for User Information"."""
        try:
            person = ids.record_id(text_of(claims.get("user_id")), "005")
            ids.record_id(text_of(claims.get("organization_id")), "00D")
        except ProviderError:
            return False
        return subject[:15] in ("", person[:15])

    def _is_refused(self, response: Response) -> bool:
        """403 with the word `Bad_OAuth_Token` (jsforce pull 736, SalesforceMobileSDK-iOS issue 3398), else as the API
        refuses one; a 403 that says neither is a gateway's, and no reason to use up a refresh token."""
        return failures.is_session_gone(response.status_code, failures.parsed(response.content))

    def _token_set(self, fields: Mapping[str, Any], origins: Collection[str]) -> TokenSet:
        """Without an access token there is nothing to be sent to a host, so that none need be named."""
        named = str(fields.get("instance_url") or "")
        api_url = hosts.api_url(named, origins) if named or "access_token" in fields else ""
        return token_set(fields, api_url=api_url, identity=str(fields.get("id") or ""))

    def _verdict_on(self, error: str, said: str) -> ProviderError | None:
        about_app = next(((code, text) for mark, code, text in _APP_REASONS if mark in said), None)
        if about_app:
            return PermissionMissing(about_app[1], provider=self.name, code=about_app[0])
        if error in _DEAD:
            code, text = _reason(said)
            return NeedsReconnect(text, provider=self.name, code=code)
        return self._client_refused() if error in _BAD_CLIENT else None


OAUTH = SalesforceOAuth()


def identity_ids(identity: str, origins: Collection[str] = (), *, login_url: str | None = None) -> tuple[str, str]:
    """(organization id, user id), 18 characters each, of an identity URL on an allowed host (C11).

    `login_url`: where the person signed in; no other site may name him then."""
    match = _IDENTITY.fullmatch(identity)
    if match is None:
        raise Rejected("Salesforce named no valid identity.", provider="salesforce")
    hosts.check_identity_base(match["base"], origins, login_url)
    return ids.record_id(match["org"], "00D"), ids.record_id(match["user"], "005")


def server_of(login_url: str, metadata: Mapping[str, Any], origins: Collection[str]) -> Server:
    """What metadata announces counts only as far as it speaks of its own host (RFC 8414 section 3.3): a host that
    called itself by another's name could have that one's answers sent to it."""

    def endpoint(name: str, path: str) -> str:
        own = f"{login_url}/services/oauth2/{path}"
        return hosts.endpoint_url(metadata.get(name) or own, own, origins, is_page=path == "authorize")

    names_itself = metadata.get("issuer") == login_url
    return Server(
        login_url=login_url,
        issuer=login_url,
        authorization_endpoint=endpoint("authorization_endpoint", "authorize"),
        token_endpoint=endpoint("token_endpoint", "token"),
        revocation_endpoint=endpoint("revocation_endpoint", "revoke"),
        announces_iss=names_itself and metadata.get("authorization_response_iss_parameter_supported") is True,
    )


def _fetch_metadata(login_url: str, http: Session) -> Mapping[str, Any]:
    for name in _WELL_KNOWN:
        response = ask(http, "GET", f"{login_url}/.well-known/{name}", is_write=False)
        if response.status_code == 200:
            found = json_object(response.text)
            if found:
                return found
        elif response.status_code >= 500 or response.status_code == 429:
            raise Transient("Salesforce's login host does not answer properly.", provider="salesforce")
    return {}


def _reason(description: str) -> tuple[str, str]:
    """Code and sentence."""
    default = "ended", "Salesforce no longer accepts the connection."
    return next(((code, plain) for part, code, plain in _REASONS if part in description), default)
