"""Our OAuth server as a good client meets it, ours and one that is not ours (Authlib)."""

from typing import Any

import pytest
from authlib.integrations.requests_client import OAuth2Session
from pytest_django import Settings

from organizations.membership import join
from organizations.models import Member
from tests.organizations import people


@pytest.mark.django_db
def test_code_to_token_to_api(alice: Member) -> None:
    answer = people.tokens_for(alice)
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 600
    assert answer["access_token"].startswith(f"{alice.routing_prefix}.")
    assert answer["refresh_token"].startswith(f"{alice.routing_prefix}.")
    assert answer["scope"] == "sidebar"
    me = people.Api(answer["access_token"]).call("get", "me/")
    assert me.status_code == 200
    assert me.json()["name"] == "Alice Adams"


@pytest.mark.django_db
def test_refresh_rotates(alice: Member) -> None:
    first = people.tokens_for(alice)
    second = people.refresh(first["refresh_token"])
    assert second.status_code == 200, second.content
    assert second["Cache-Control"] == "no-store"
    assert second.json()["refresh_token"] != first["refresh_token"]
    assert people.Api(second.json()["access_token"]).call("get", "me/").status_code == 200


@pytest.mark.django_db
def test_metadata_lists_what_is_on_and_nothing_else(settings: Settings) -> None:
    """RFC 8414, where a strict client looks first and below /o/ alike."""
    at_root = people.browser().get("/.well-known/oauth-authorization-server")
    assert at_root.json() == people.browser().get("/o/.well-known/oauth-authorization-server").json()
    told = at_root.json()
    assert told["issuer"] == settings.PUBLIC_URL
    assert told["response_types_supported"] == ["code"]
    assert told["grant_types_supported"] == ["authorization_code", "refresh_token"]
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert told["token_endpoint_auth_methods_supported"] == ["none"]
    assert told["authorization_response_iss_parameter_supported"] is True
    assert {name for name in told if name.endswith("_endpoint")} == {
        "authorization_endpoint",
        "token_endpoint",
        "revocation_endpoint",
        "introspection_endpoint",
    }


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["applications/", "userinfo/", "register/", "device-authorization/", "authorized_tokens/"]
)
def test_nothing_else_is_routed(path: str) -> None:
    assert people.browser().get(f"/o/{path}").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_an_independent_client_dances_it_all(
    live_server: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Authlib, knowing nothing but the issuer: discovery, code with PKCE, refresh, revocation over HTTP."""
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    settings.PUBLIC_URL = live_server.url
    people.add_in()
    browser = people.sign_in(join(people.ALICE))
    session = OAuth2Session(
        people.CLIENT_ID,
        redirect_uri=people.REDIRECT,
        scope="sidebar",
        code_challenge_method="S256",
        token_endpoint_auth_method="none",
    )
    session.trust_env = False
    told = session.get(f"{live_server.url}/.well-known/oauth-authorization-server", withhold_token=True).json()
    verifier = people.pkce().verifier
    url, state = session.create_authorization_url(told["authorization_endpoint"], code_verifier=verifier)
    back = browser.get(url.removeprefix(live_server.url))["Location"]
    assert people.answer_of(browser.get(url.removeprefix(live_server.url)))["iss"] == told["issuer"]
    token = session.fetch_token(
        told["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier
    )
    assert session.get(f"{live_server.url}/api/v1/me/").json()["username"] == "Alice@acme.example"
    renewed = session.refresh_token(told["token_endpoint"])
    assert renewed["access_token"] != token["access_token"]
    gone = session.revoke_token(told["revocation_endpoint"], token=renewed["refresh_token"])
    assert gone.status_code == 200
    assert session.get(f"{live_server.url}/api/v1/me/").status_code == 401
