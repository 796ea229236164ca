"""Google's own libraries, and two that are nobody's, drive the simulated Google: they meet what they expect (C1)."""

from typing import Any

import pytest
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request
from google.oauth2 import id_token
from google_auth_oauthlib.flow import Flow
from joserfc import jwt
from joserfc.jwk import KeySet
from jwt.exceptions import InvalidAudienceError
from requests_oauthlib import OAuth2Session

from tests.simulators.mail_providers import GMAIL, MailProvider

BASE = "https://www.googleapis.com/auth/userinfo."
SCOPES = ["openid", f"{BASE}email", f"{BASE}profile", GMAIL]


def flow_of(google: MailProvider) -> Any:
    known = google.metadata()
    config = {
        "client_id": google.info["client_id"],
        "client_secret": google.info["client_secret"],
        "auth_uri": google.secure_authorization_endpoint,
        "token_uri": known["token_endpoint"],
    }
    flow = Flow.from_client_config({"web": config}, SCOPES, redirect_uri=google.redirect_uri)
    flow.oauth2session.trust_env, flow.oauth2session.verify = False, google.info["ca"]
    return flow


def credentials_of(google: MailProvider, user: str = "alice") -> Any:
    flow = flow_of(google)
    url, state = flow.authorization_url(access_type="offline", prompt="consent", include_granted_scopes="true")
    query = google.walk(user, url=url).query
    assert query["state"] == state
    flow.fetch_token(code=query["code"])
    return flow.credentials


def test_googles_library_connects_and_renews(google: MailProvider) -> None:
    credentials = credentials_of(google)
    assert credentials.valid
    assert set(credentials.scopes) == set(SCOPES)
    first, kept = credentials.token, credentials.refresh_token
    credentials.refresh(Request(google.http))
    assert credentials.token != first
    assert credentials.refresh_token == kept


def test_googles_library_verifies_the_id_token(google: MailProvider) -> None:
    token, certs = credentials_of(google).id_token, google.metadata()["jwks_uri"]
    claims = id_token.verify_token(token, Request(google.http), google.info["client_id"], certs)
    assert (claims["email"], claims["hd"], claims["iss"]) == (
        "alice@acme.example",
        "acme.example",
        google.info["api_url"],
    )
    with pytest.raises(InvalidAudienceError):
        id_token.verify_token(token, Request(google.http), "somebody-else", certs)


def test_googles_library_understands_the_end(google: MailProvider) -> None:
    credentials = credentials_of(google, "bob")
    google.sim("users/bob", {"withdraw": True})
    with pytest.raises(RefreshError, match="Token has been expired or revoked"):
        credentials.refresh(Request(google.http))


def test_authlib_by_metadata_with_pkce_and_revocation(google: MailProvider) -> None:
    known = google.metadata()
    client = AuthlibSession(
        google.info["client_id"],
        google.info["client_secret"],
        scope="openid email",
        redirect_uri=google.redirect_uri,
        code_challenge_method="S256",
        token_endpoint=known["token_endpoint"],
        token_endpoint_auth_method="client_secret_post",
        revocation_endpoint_auth_method="client_secret_post",
    )
    client.trust_env, client.verify, verifier = False, google.info["ca"], "v" * 43
    url, state = client.create_authorization_url(
        google.secure_authorization_endpoint, code_verifier=verifier, access_type="offline", nonce="n-1"
    )
    query = google.walk("alice", url=url).query
    token = client.fetch_token(code=query["code"], code_verifier=verifier, state=state)
    keys = KeySet.import_key_set(google.http.get(known["jwks_uri"], timeout=10).json())
    assert jwt.decode(token["id_token"], keys, algorithms=["RS256"]).claims["nonce"] == "n-1"
    assert client.refresh_token()["access_token"] != token["access_token"]
    assert client.get(known["userinfo_endpoint"]).json()["email"] == "alice@acme.example"
    assert client.revoke_token(known["revocation_endpoint"], token["refresh_token"]).status_code == 200
    assert google.refresh(dict(token)).json()["error"] == "invalid_grant"


def test_requests_oauthlib_renews_by_itself(google: MailProvider) -> None:
    known = google.metadata()
    kept: list[Any] = []
    tokens = google.tokens("alice")
    secret = {"client_id": google.info["client_id"], "client_secret": google.info["client_secret"]}
    client = OAuth2Session(
        google.info["client_id"],
        token={**tokens, "expires_in": -10},
        auto_refresh_url=known["token_endpoint"],
        auto_refresh_kwargs=secret,
        token_updater=kept.append,
    )
    client.trust_env, client.verify = False, google.info["ca"]
    assert client.get(known["userinfo_endpoint"]).json()["sub"]
    assert kept[0]["refresh_token"] == tokens["refresh_token"]
