"""Token answers as Google and Microsoft give them. Not signed: straight from a token endpoint nothing checks that."""

import json
import time
from base64 import urlsafe_b64encode
from typing import Any

from providers import oauth
from providers.base import Secret

CLIENT = oauth.Client("client-1.apps.example", Secret("canary-client-secret"))
CALLBACK = "https://us.example/connect/callback/"
VERIFIER = Secret("v" * 64)
SUBJECT = "110169484474386276334"
TENANT, PERSON = "9188040d-6c67-4c5b-b112-36a304b66dad", "00000000-0000-0000-66f3-3332eca7ea81"


def id_token(claims: dict[str, Any], header: dict[str, Any] | None = None) -> str:
    parts = [json.dumps(part).encode() for part in (header or {"alg": "RS256", "kid": "1"}, claims)]
    return ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in (*parts, b"signature"))


def google_claims(issuer: str = "https://accounts.google.com", **changes: Any) -> dict[str, Any]:
    claims = {
        "iss": issuer,
        "aud": CLIENT.client_id,
        "azp": CLIENT.client_id,
        "sub": SUBJECT,
        "email": "canary.jane@example.com",
        "email_verified": True,
        "hd": "example.com",
        "name": "Canary Jane",
        "nonce": oauth.nonce_of(VERIFIER),
        "iat": int(time.time()),
        "exp": int(time.time()) + 3600,
    }
    return _without_none(claims | changes)


def microsoft_claims(login_url: str = "https://login.microsoftonline.com", **changes: Any) -> dict[str, Any]:
    claims = {
        "iss": f"{login_url}/{TENANT}/v2.0",
        "aud": CLIENT.client_id,
        "tid": TENANT,
        "oid": PERSON,
        "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
        "preferred_username": "canary.jane@contoso.example",
        "name": "Canary Jane",
        "nonce": oauth.nonce_of(VERIFIER),
        "iat": int(time.time()),
        "exp": int(time.time()) + 3600,
        "ver": "2.0",
    }
    return _without_none(claims | changes)


def answer(claims: dict[str, Any] | None, **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "access_token": "canary-access",
        "refresh_token": "canary-refresh",
        "expires_in": 3599,
        "token_type": "Bearer",
        "id_token": id_token(claims) if claims is not None else None,
    }
    return _without_none(body | changes)


def raw(status: int, body: Any, retry_after: float | None = None) -> oauth.RawAnswer:
    return oauth.RawAnswer(status, Secret(body if isinstance(body, str) else json.dumps(body)), retry_after)


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
