"""OAuth 2.0 as a client, as far as all providers speak it alike: PKCE S256, exchange, refresh, revoke (RFC 9700).

Stores nothing but discovery metadata. A refresh's raw answer comes back unparsed, so that it can be sealed first."""

import hashlib
import hmac
import os
import re
import secrets
from abc import ABC, abstractmethod
from base64 import urlsafe_b64encode
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from requests import Response

from providers import verdicts
from providers.base import AuthorizeRequest, Secret, TokenSet
from providers.errors import PermissionMissing, ProviderError, RateLimited, Transient
from providers.http import Bearer, SecretForm, Session, ask
from providers.kept import Kept
from providers.token_answers import has_usable_tokens, json_object, refresh_token_alone, retry_after, text_of

METADATA_SECONDS = 3600.0
_JSON = {"Accept": "application/json"}
_WHOSE = ("refresh_token", "id", "id_token")  # `id`: Salesforce's identity URL
MOST_LOGIN_URLS = 256  # anybody may type one, before signing in


@dataclass(frozen=True, slots=True)
class Client:
    """Our registration at a login host. A public client has no secret."""

    client_id: str
    client_secret: Secret | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """Endpoints of one login host, all on allowed origins. `announces_iss`: callbacks carry `iss` (RFC 9207).
    `api_url`: where its tokens are good for, as far as metadata says so; Salesforce names it in each token answer."""

    login_url: str
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    revocation_endpoint: str
    announces_iss: bool = False
    api_url: str = ""


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """A token endpoint's answer before anybody parsed it. `retry_after`: seconds, where the header says so."""

    status: int
    body: Secret
    retry_after: float | None = None


_metadata: Kept[tuple[str, str, frozenset[str]], Server] = Kept(most=MOST_LOGIN_URLS, seconds=METADATA_SECONDS)
os.register_at_fork(after_in_child=_metadata.clear)


class StandardOAuth(ABC):
    """What is the same at all three providers. Each says for itself where it stands and what its answers mean."""

    name: str
    label: str
    sends_unknown_again = True
    revokes = True
    revokes_all = False
    ending_advice = ""
    _gone: frozenset[str] = frozenset({"invalid_token"})  # the errors by which it says that there is nothing to revoke

    def app_of(self, client_id: str) -> str:
        return client_id

    def metadata_url(self, login_url: str) -> str:
        return f"{login_url.rstrip('/')}/.well-known/openid-configuration"

    @abstractmethod
    def _login_url(self, text: str, origins: Collection[str]) -> str:
        """The checked login URL. Raises HostNotAllowed."""

    @abstractmethod
    def _discover(self, login_url: str, http: Session) -> Server:
        """Ask a checked login URL for its endpoints. Raises HostNotAllowed, Transient."""

    @abstractmethod
    def _proof_url(self, api_url: str, origins: Collection[str]) -> str:
        """What any token of ours opens, and says whose it is. Raises HostNotAllowed."""

    @abstractmethod
    def _names(self, claims: Mapping[str, Any], subject: str) -> bool:
        """Whether an answer from there names a person: `subject`, unless that is ""."""

    @abstractmethod
    def _token_set(self, fields: Mapping[str, Any], origins: Collection[str]) -> TokenSet:
        """What an accepting answer says."""

    @abstractmethod
    def _verdict_on(self, error: str, said: str) -> ProviderError | None:
        """What a refusal (4xx) means, in our words; None where it is no verdict. `said`: all it said, lower case."""

    def server(self, login_url: str, http: Session) -> Server:
        """Kept for an hour, and fetched once for all who ask at once."""
        key = self._key(login_url, http)
        return _metadata.get(key, lambda: self._discover(key[1], http))

    def known(self, login_url: str, http: Session) -> Server | None:
        return _metadata.peek(self._key(login_url, http))

    def authorize(
        self,
        server: Server,
        client: Client,
        redirect_uri: str,
        *,
        scopes: Sequence[str],
        prompt: str = "",
        login_hint: str = "",
    ) -> AuthorizeRequest:
        state, verifier = Secret(secrets.token_urlsafe(32)), Secret(secrets.token_urlsafe(48))
        url = prepare_grant_uri(
            server.authorization_endpoint,
            client_id=client.client_id,
            response_type="code",
            redirect_uri=redirect_uri,
            scope=" ".join(scopes),
            state=state.reveal(),
            code_challenge=create_s256_code_challenge(verifier.reveal()),
            code_challenge_method="S256",
            **self._extras(verifier, prompt, login_hint),
        )
        return AuthorizeRequest(url, state, verifier, redirect_uri)

    def exchange(
        self, server: Server, client: Client, *, code: Secret, code_verifier: Secret, redirect_uri: str, http: Session
    ) -> TokenSet:
        return self.parse(redeem(server, client, code, code_verifier, redirect_uri, http), http.settings.origins)

    def refresh(self, server: Server, client: Client, refresh_token: Secret, http: Session) -> RawAnswer:
        fields: dict[str, str | Secret] = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return _post(server.token_endpoint, client, fields, http)

    def parse(self, raw: RawAnswer, origins: Collection[str], *, partly: bool = False) -> TokenSet:
        """Raised here, in a frame that holds nothing but secrets: a traceback page shows local variables."""
        found = self._read(raw, origins, partly)
        if isinstance(found, ProviderError):
            raise found
        return found

    def remnant(self, raw: RawAnswer) -> TokenSet:
        fields = json_object(raw.body.reveal())
        unusable = () if refresh_token_alone(fields) else ("refresh_token",)
        return self._token_set({name: fields[name] for name in _WHOSE if name in fields and name not in unusable}, ())

    def revoke(self, server: Server, token: Secret, http: Session) -> None:
        form = SecretForm({"token": token})
        response = ask(http, "POST", server.revocation_endpoint, auth=form, headers=_JSON)
        if not verdicts.is_gone(response, self._gone):
            raise self._passing(f"{self.label} has not confirmed the end of the connection.", response)

    def works(self, token: Secret, api_url: str, http: Session, subject: str = "") -> bool:
        url = self._proof_url(api_url, http.settings.origins)
        response = ask(http, "GET", url, is_write=False, auth=Bearer(token), headers=_JSON)
        if self._names(verdicts.claims_in(response), subject):
            return True
        if self._is_refused(response):
            return False
        raise self._passing(f"{self.label} does not answer properly.", response)

    def _key(self, login_url: str, http: Session) -> tuple[str, str, frozenset[str]]:
        origins = http.settings.origins
        return self.name, self._login_url(login_url, origins), origins

    def _extras(self, verifier: Secret, prompt: str, login_hint: str) -> dict[str, str]:  # noqa: ARG002
        """Further parameters of the authorization request."""
        return {name: value for name, value in (("prompt", prompt), ("login_hint", login_hint)) if value}

    def _read(self, raw: RawAnswer, origins: Collection[str], partly: bool) -> TokenSet | ProviderError:
        fields = json_object(raw.body.reveal())
        whole = fields if has_usable_tokens(fields) else {}
        usable = whole or (refresh_token_alone(fields) if partly else {})
        try:
            if raw.status == 200 and usable:
                return self._token_set(usable, origins)
            return self._failure(raw, fields)
        except ProviderError as error:
            return error.with_traceback(None)

    def _failure(self, raw: RawAnswer, fields: Mapping[str, Any]) -> ProviderError:
        error = text_of(fields.get("error"))
        said = " ".join((error, text_of(fields.get("error_subtype")), text_of(fields.get("error_description")))).lower()
        if raw.status == 429:
            text = f"{self.label} asks us to sign in less often."
            return RateLimited(text, provider=self.name, retry_after=raw.retry_after or 60.0)
        verdict = self._verdict_on(error, said) if 400 <= raw.status < 500 else None
        return verdict or self._no_usable_answer(raw.retry_after)

    def _is_refused(self, response: Response) -> bool:
        """Whether what `_proof_url` answers is the provider's no to the token."""
        return verdicts.is_refused(response)

    def _passing(self, text: str, response: Response) -> Transient:
        wait = retry_after(response.headers.get("Retry-After"))
        return Transient(text, provider=self.name, retry_after=wait or 5.0)

    def _no_usable_answer(self, retry_after: float | None = None) -> Transient:
        text = f"{self.label}'s token endpoint gave no usable answer."
        return Transient(text, provider=self.name, retry_after=retry_after or 5.0)

    def _client_refused(self) -> PermissionMissing:
        text = f"{self.label} does not accept this product's client id; an administrator must check the app's set-up."
        return PermissionMissing(text, provider=self.name, code="client_refused")


def is_expected_issuer(server: Server, iss: str | None) -> bool:
    """The callback's `iss` (RFC 9207): must be the server's own if given, and must be given if announced (BI-B15)."""
    if iss is None:
        return not server.announces_iss
    if "{tenantid}" in server.issuer:  # Microsoft: one issuer per directory
        pattern = re.escape(server.issuer).replace(re.escape("{tenantid}"), "[0-9a-f-]{36}")
        return re.fullmatch(pattern, iss) is not None
    return hmac.compare_digest(iss.encode(), server.issuer.encode())


def redeem(
    server: Server, client: Client, code: Secret, code_verifier: Secret, redirect_uri: str, http: Session
) -> RawAnswer:
    """Present an authorization code, once. Raises Transient only."""
    fields: dict[str, str | Secret] = {
        "grant_type": "authorization_code",
        "code": code,
        "code_verifier": code_verifier,
        "redirect_uri": redirect_uri,
    }
    return _post(server.token_endpoint, client, fields, http)


def nonce_of(code_verifier: Secret) -> str:
    """The OpenID Connect nonce of a sign-in. Derived, so that nobody has to keep a second secret beside the verifier:
    who knows one cannot compute the other, and both belong to the same browser session."""
    digest = hmac.digest(code_verifier.reveal().encode(), b"openid nonce v1", hashlib.sha256)
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _post(endpoint: str, client: Client, fields: Mapping[str, str | Secret], http: Session) -> RawAnswer:
    form: dict[str, str | Secret] = {**fields, "client_id": client.client_id}
    if client.client_secret:
        form["client_secret"] = client.client_secret
    response = ask(http, "POST", endpoint, auth=SecretForm(form), headers=_JSON)
    body = Secret(response.content.decode("utf-8", "replace"))
    return RawAnswer(response.status_code, body, retry_after(response.headers.get("Retry-After")))
