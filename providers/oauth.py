"""OAuth 2.0 as a client: discover, authorize (PKCE S256), exchange, refresh, revoke (C1, C10, RFC 9700).

Stores nothing but discovery metadata. A refresh's raw answer comes back unparsed, so that it can be sealed first."""

import hmac
import json
import os
import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from providers.base import AuthorizeRequest, Secret, TokenSet
from providers.errors import (
    NeedsReconnect,
    PermissionMissing,
    ProviderError,
    RateLimited,
    Rejected,
    Transient,
)
from providers.http import SecretForm, Session, ask
from providers.kept import Kept
from providers.salesforce import hosts, ids

SCOPES = ("id", "api", "refresh_token", "web")  # exactly these (C10)
METADATA_SECONDS = 3600.0
MOST_LOGIN_URLS = 256  # anybody may type one, before signing in
_WELL_KNOWN = ("openid-configuration", "oauth-authorization-server")
_IDENTITY = re.compile(r"(?P<base>https://[^/?#\\@\s]+(?:/[A-Za-z0-9_-]+)?)/id/(?P<org>\w{15,18})/(?P<user>\w{15,18})")

#: What Salesforce says in error_description -> what we tell the person. The text itself is never echoed.
_REASONS = (
    ("expired authorization code", "The sign-in took too long or was used twice; please start again."),
    ("code verifier", "The sign-in could not be matched to this browser; please start again."),
    ("inactive_user", "Your Salesforce user is not active."),
    ("inactive user", "Your Salesforce user is not active."),
    ("inactive_org", "Your Salesforce organization is not active."),
    ("inactive org", "Your Salesforce organization is not active."),
    ("ip restricted", "Salesforce does not allow this sign-in from our network address."),
    ("approved this consumer", "Salesforce asks for your approval again."),
    ("not approved", "Salesforce asks for your approval again."),
    ("authentication failure", "Salesforce no longer accepts the connection (password changed or user switched off)."),
    ("expired", "The connection was revoked or has expired at Salesforce."),
)


@dataclass(frozen=True, slots=True)
class Client:
    """Our registration at a login host. A public client has no secret."""

    client_id: str
    client_secret: Secret | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """Endpoints of one login host, all on allowed origins. `announces_iss`: callbacks carry `iss` (RFC 9207)."""

    login_url: str
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    revocation_endpoint: str
    announces_iss: bool = False


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """A token endpoint's answer before anybody parsed it."""

    status: int
    body: Secret


_metadata: Kept[tuple[str, frozenset[str]], Server] = Kept(most=MOST_LOGIN_URLS, seconds=METADATA_SECONDS)
os.register_at_fork(after_in_child=_metadata.clear)


def discover(login_url: str, http: Session) -> Server:
    """The endpoints below a checked login URL, from its metadata or, where it has none, Salesforce's standard paths.

    Kept for an hour, and fetched once for all who ask at once. Raises HostNotAllowed, Transient."""
    origins = http.settings.origins
    url = hosts.login_url(login_url, origins)
    return _metadata.get((url, origins), lambda: _server(url, _fetch_metadata(url, http), origins))


def known(login_url: str, http: Session) -> Server | None:
    """What `discover` would answer at once; None where it would have to ask. Raises HostNotAllowed."""
    origins = http.settings.origins
    return _metadata.peek((hosts.login_url(login_url, origins), origins))


def authorize(
    server: Server, client: Client, redirect_uri: str, *, scopes: Sequence[str] = SCOPES, prompt: str = ""
) -> AuthorizeRequest:
    """Where to send the browser, with fresh `state` and PKCE verifier (256 bits each)."""
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    extra = {"prompt": prompt} if prompt else {}
    url = prepare_grant_uri(
        server.authorization_endpoint,
        client_id=client.client_id,
        response_type="code",
        redirect_uri=redirect_uri,
        scope=" ".join(scopes),
        state=state,
        code_challenge=create_s256_code_challenge(verifier),
        code_challenge_method="S256",
        **extra,
    )
    return AuthorizeRequest(url, Secret(state), Secret(verifier), redirect_uri)


def is_expected_issuer(server: Server, iss: str | None) -> bool:
    """The callback's `iss` (RFC 9207): must be the server's own if given, and must be given if announced (BI-B15)."""
    if iss is None:
        return not server.announces_iss
    return hmac.compare_digest(iss.encode(), server.issuer.encode())


def exchange(
    server: Server, client: Client, *, code: Secret, code_verifier: Secret, redirect_uri: str, http: Session
) -> TokenSet:
    """The authorization code for tokens. Raises NeedsReconnect (code refused), PermissionMissing, Transient."""
    grant: dict[str, str | Secret] = {"grant_type": "authorization_code", "code": code, "code_verifier": code_verifier}
    grant["redirect_uri"] = redirect_uri
    return parse_token_answer(_post(server.token_endpoint, client, grant, http), http.settings.origins)


def refresh(server: Server, client: Client, refresh_token: Secret, http: Session) -> RawAnswer:
    """Ask for a new access token, once. Raises Transient only; what the answer means says `parse_token_answer`."""
    return _post(server.token_endpoint, client, {"grant_type": "refresh_token", "refresh_token": refresh_token}, http)


def revoke(server: Server, token: Secret, http: Session) -> None:
    """Tell the provider that a token is no longer wanted. A token it does not know (any 4xx) is already gone."""
    response = ask(http, "POST", server.revocation_endpoint, auth=SecretForm({"token": token}))
    if response.status_code == 429 or not (200 <= response.status_code < 300 or 400 <= response.status_code < 500):
        raise Transient("Salesforce could not revoke the connection just now.", provider="salesforce")


def parse_token_answer(raw: RawAnswer, origins: Collection[str] = ()) -> TokenSet:
    """What a token endpoint answered. Whose it is and what it leaves out (V10, V11) is for the vault to weigh.

    Raises NeedsReconnect (a definite verdict), PermissionMissing (our client is refused), HostNotAllowed (V12),
    RateLimited, Transient (everything else: 5xx, HTML, no access token)."""
    fields = _json_object(raw.body.reveal())
    if raw.status != 200 or not isinstance(fields.get("access_token"), str):
        raise _failure(raw.status, fields)
    return _token_set(fields, origins)


def identity_ids(identity: str, origins: Collection[str] = (), *, login_url: str | None = None) -> tuple[str, str]:
    """(organization id, user id), 18 characters each, of an identity URL on an allowed host (C11).

    `login_url`: where the person signed in; no other site may name him then."""
    match = _IDENTITY.fullmatch(identity)
    if match is None:
        raise Rejected("Salesforce named no valid identity.", provider="salesforce")
    hosts.check_identity_base(match["base"], origins, login_url)
    return ids.record_id(match["org"], "00D"), ids.record_id(match["user"], "005")


def _post(endpoint: str, client: Client, fields: Mapping[str, str | Secret], http: Session) -> RawAnswer:
    form: dict[str, str | Secret] = {**fields, "client_id": client.client_id}
    if client.client_secret:
        form["client_secret"] = client.client_secret
    response = ask(http, "POST", endpoint, auth=SecretForm(form), headers={"Accept": "application/json"})
    return RawAnswer(response.status_code, Secret(response.content.decode("utf-8", "replace")))


def _fetch_metadata(login_url: str, http: Session) -> Mapping[str, Any]:
    for name in _WELL_KNOWN:
        response = ask(http, "GET", f"{login_url}/.well-known/{name}", is_write=False)
        if response.status_code == 200:
            found = _json_object(response.text)
            if found:
                return found
        elif response.status_code >= 500 or response.status_code == 429:
            raise Transient("Salesforce's login host does not answer properly.", provider="salesforce")
    return {}


def _server(login_url: str, metadata: Mapping[str, Any], origins: Collection[str]) -> Server:
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


def _json_object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _token_set(fields: Mapping[str, Any], origins: Collection[str]) -> TokenSet:
    lifetime = fields.get("expires_in")
    known = isinstance(lifetime, int) and 0 < lifetime < 10**8
    return TokenSet(
        access_token=Secret(str(fields["access_token"])),
        refresh_token=_secret(fields.get("refresh_token")),
        scopes=tuple(str(fields.get("scope") or "").split()),
        api_url=hosts.api_url(str(fields.get("instance_url") or ""), origins),
        expires_at=datetime.now(UTC) + timedelta(seconds=lifetime) if known and lifetime else None,
        identity=str(fields.get("id") or ""),
    )


def _secret(value: object) -> Secret | None:
    return Secret(value) if isinstance(value, str) and value else None


def _failure(status: int, fields: Mapping[str, Any]) -> ProviderError:
    error, description = str(fields.get("error") or ""), str(fields.get("error_description") or "").lower()
    if status == 429:
        return RateLimited("Salesforce asks us to sign in less often.", provider="salesforce")
    if not 400 <= status < 500:
        return Transient("Salesforce's token endpoint gave no usable answer.", provider="salesforce")
    if error in {"invalid_grant", "inactive_user", "inactive_org"}:
        return NeedsReconnect(_reason(f"{error} {description}"), provider="salesforce")
    if error in {"invalid_client", "invalid_client_id", "invalid_client_credentials", "unauthorized_client"}:
        text = "Salesforce does not accept this product's client id; an administrator must check the app's set-up."
        return PermissionMissing(text, provider="salesforce")
    return Transient("Salesforce's token endpoint gave no usable answer.", provider="salesforce")


def _reason(description: str) -> str:
    default = "Salesforce no longer accepts the connection."
    return next((plain for part, plain in _REASONS if part in description), default)
