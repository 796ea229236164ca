"""Sign-ins that also say who it was: the id_token of OpenID Connect, as Google and Microsoft send it.

Its signature is not checked: it comes straight from the token endpoint over TLS, which is enough (OpenID Connect Core
3.1.3.7, point 6). Never take one from anywhere else."""

import binascii
import json
import time
from abc import abstractmethod
from base64 import urlsafe_b64decode
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from providers import oauth, token_answers
from providers.base import Account, Secret, TokenSet
from providers.errors import HostNotAllowed, Rejected, Transient
from providers.http import Session, ask
from providers.oauth import Client, Server, StandardOAuth

LEEWAY = 60  # seconds by which two clocks may differ (docs/vault.md V22)
_LONGEST = 64 * 1024


class OpenIdOAuth(StandardOAuth):
    """What Google and Microsoft have in common beyond OAuth: metadata with an issuer, a nonce, an id_token."""

    def exchange(
        self, server: Server, client: Client, *, code: Secret, code_verifier: Secret, redirect_uri: str, http: Session
    ) -> TokenSet:
        """An answer whose id_token is not this sign-in's says whose it is to nobody: `identity` and `account` are empty
        then and `account()` raises, so that the caller still holds the tokens and can end them."""
        raw = oauth.redeem(server, client, code, code_verifier, redirect_uri, http)
        tokens = self.parse(raw, http.settings.origins)
        claims = claims_of(token_answers.json_object(raw.body.reveal()))
        is_ours = is_for_us(claims, client.client_id, oauth.nonce_of(code_verifier)) and self._issued(server, claims)
        account = self._account_of(claims) if is_ours else None
        identity = account.subject if account else ""
        return replace(tokens, identity=identity, account=account, api_url=server.api_url)

    def account(self, tokens: TokenSet, http: Session) -> Account:  # noqa: ARG002 - the answer itself has said it
        if tokens.account is None:
            raise Rejected(f"{self.label} did not say who signed in; please start again.", provider=self.name)
        return tokens.account

    def same_person(self, one: str, other: str, origins: Collection[str]) -> bool:  # noqa: ARG002 - no URL in it
        return bool(one) and one == other

    @abstractmethod
    def _issued(self, server: Server, claims: Mapping[str, Any]) -> bool:
        """Whether `iss` names the issuer of this server."""

    @abstractmethod
    def _account_of(self, claims: Mapping[str, Any]) -> Account | None:
        """Whose claims these are; None where they do not say."""

    def _extras(self, verifier: Secret, prompt: str, login_hint: str) -> dict[str, str]:
        return {"nonce": oauth.nonce_of(verifier), **super()._extras(verifier, prompt, login_hint)}

    def _token_set(self, fields: Mapping[str, Any], origins: Collection[str]) -> TokenSet:  # noqa: ARG002
        """A refresh answer names no API host: the one that was sealed with the grant stays."""
        account = self._account_of(claims_of(fields))
        return token_answers.token_set(fields, identity=account.subject if account else "")

    def _metadata_of(self, login_url: str, issuer: str, http: Session) -> Mapping[str, Any]:
        """The openid-configuration. It must call itself `issuer` (OpenID Connect Discovery 4.3)."""
        response = ask(http, "GET", self.metadata_url(login_url), is_write=False)
        found = token_answers.json_object(response.text) if response.status_code == 200 else {}
        if not found:
            raise Transient(f"{self.label}'s sign-in service does not answer properly.", provider=self.name)
        if found.get("issuer") != issuer:
            text = f"{self.label}'s sign-in service calls itself by another name; nothing was sent there."
            raise HostNotAllowed(text, provider=self.name)
        return found


def claims_of(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """The claims of the id_token in a token answer; {} where there is none that can be read."""
    token = fields.get("id_token")
    parts = token.reveal().split(".") if isinstance(token, Secret) else []
    if len(parts) != 3 or len(parts[1]) > _LONGEST:
        return {}
    try:
        found = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def is_for_us(claims: Mapping[str, Any], client_id: str, nonce: str) -> bool:
    """OpenID Connect Core 3.1.3.7, points 3, 9 and 11: our client, this sign-in, not run out."""
    audience, expires = claims.get("aud"), claims.get("exp")
    if not isinstance(expires, (int, float)) or isinstance(expires, bool):
        return False
    is_ours = audience in (client_id, [client_id]) and claims.get("nonce") == nonce
    return is_ours and expires > time.time() - LEEWAY


def text_of(claims: Mapping[str, Any], name: str, most: int = 320) -> str:
    """A claim as text, "" where it is none or longer than `most`."""
    value = claims.get(name)
    return value if isinstance(value, str) and len(value) <= most and value.isprintable() else ""
