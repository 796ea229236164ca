"""Microsoft's own library, and two that are nobody's, drive the simulated Microsoft (C1)."""

from typing import Any

import pytest
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from msal import ConfidentialClientApplication
from requests_oauthlib import OAuth2Session

from tests.simulators.mail_providers import MailProvider

SCOPES = ["User.Read", "Mail.Read"]


def application(microsoft: MailProvider, tenant: str = "organizations") -> Any:
    return ConfidentialClientApplication(
        microsoft.info["client_id"],
        microsoft.info["client_secret"],
        authority=f"{microsoft.info['api_url']}/{tenant}",
        instance_discovery=False,
        http_client=microsoft.http,
    )


def sign_in(microsoft: MailProvider, app: Any, user: str = "alice", **options: Any) -> Any:
    flow = app.initiate_auth_code_flow(
        SCOPES, redirect_uri=microsoft.redirect_uri, response_mode="form_post", **options
    )
    query = microsoft.walk(user, url=flow["auth_uri"]).query
    return app.acquire_token_by_auth_code_flow(flow, query)


@pytest.mark.parametrize("tenant", ["organizations", "common", "acme.example"])
def test_msal_connects_renews_and_knows_the_person(microsoft: MailProvider, tenant: str) -> None:
    app = application(microsoft, tenant)
    result = sign_in(microsoft, app)
    assert "error" not in result, result
    claims = result["id_token_claims"]
    assert (claims["preferred_username"], claims["ver"]) == ("alice@acme.example", "2.0")
    assert set(SCOPES) <= set(result["scope"].split())
    account = app.get_accounts()[0]
    assert account["home_account_id"] == f"{claims['oid']}.{claims['tid']}"
    again = app.acquire_token_silent(SCOPES, account, force_refresh=True)
    assert again["access_token"] != result["access_token"]
    assert microsoft.sim("calls")["calls"][-1]["grant_type"] == "refresh_token"


def test_msal_is_told_what_to_do(microsoft: MailProvider) -> None:
    app = application(microsoft)
    sign_in(microsoft, app, "bob")
    microsoft.sim("tenants/acme.example", {"mfa": True})
    refused = app.acquire_token_silent_with_error(SCOPES, app.get_accounts()[0], force_refresh=True)
    assert (refused["error"], refused["suberror"], refused["error_codes"]) == ("invalid_grant", "basic_action", [50076])
    assert "access_token" in sign_in(microsoft, app, "bob", prompt="login")


def test_msal_hears_that_the_sessions_were_revoked(microsoft: MailProvider) -> None:
    app = application(microsoft)
    sign_in(microsoft, app, "bob")
    microsoft.sim("users/bob", {"revoke": True})
    refused = app.acquire_token_silent_with_error(SCOPES, app.get_accounts()[0], force_refresh=True)
    assert refused["error_codes"] == [50173]


def test_msal_hears_of_an_administrator_who_must_approve(microsoft: MailProvider) -> None:
    result = sign_in(microsoft, application(microsoft), "nina")
    assert result["error"] == "access_denied"
    assert "AADSTS90094" in result["error_description"]


def test_authlib_keeps_the_rotated_token(microsoft: MailProvider) -> None:
    known = microsoft.metadata()
    client = AuthlibSession(
        microsoft.info["client_id"],
        microsoft.info["client_secret"],
        scope="openid offline_access User.Read",
        redirect_uri=microsoft.redirect_uri,
        code_challenge_method="S256",
        token_endpoint=known["token_endpoint"],
        token_endpoint_auth_method="client_secret_post",
    )
    client.trust_env, client.verify, verifier = False, microsoft.info["ca"], "v" * 43
    url, state = client.create_authorization_url(microsoft.secure_authorization_endpoint, code_verifier=verifier)
    query = microsoft.walk("alice", url=url).query
    first = dict(client.fetch_token(code=query["code"], code_verifier=verifier, state=state))
    assert client.refresh_token()["refresh_token"] != first["refresh_token"]
    assert client.get(microsoft.info["graph_url"] + "/v1.0/me").json()["displayName"] == "Alice Anderson"
    with pytest.raises(OAuthError, match="AADSTS70000"):
        client.refresh_token(refresh_token="1.Anonsense")


def test_requests_oauthlib_reads_the_answer(microsoft: MailProvider) -> None:
    known = microsoft.metadata()
    client = OAuth2Session(
        microsoft.info["client_id"], scope=["openid", "profile", "User.Read"], redirect_uri=microsoft.redirect_uri
    )
    client.trust_env, client.verify = False, microsoft.info["ca"]
    url, _ = client.authorization_url(microsoft.secure_authorization_endpoint)
    code = microsoft.walk("alice", url=url).query["code"]
    secret = microsoft.info["client_secret"]
    token = client.fetch_token(known["token_endpoint"], code=code, client_secret=secret, include_client_id=True)
    assert "refresh_token" not in token, "offline_access was not asked for"
    assert client.get(microsoft.info["graph_url"] + "/v1.0/me?$select=id").json()["id"]
