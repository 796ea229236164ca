"""OAuth of the simulated Salesforce over HTTP: code flow, rotation, revocation, identity, single access."""

import base64
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from tests.simulators.running import REDIRECT_URI, Running, new_session


def token(running: Running, *, at: str | None = None, **form: str) -> requests.Response:
    org = running.org()
    form = {"client_id": org["client_id"], "client_secret": org["client_secret"], **form}
    return running.http.post(f"{at or org['api_url']}/services/oauth2/token", data=form, timeout=10)


def renew(running: Running, refresh_token: str) -> requests.Response:
    return token(running, grant_type="refresh_token", refresh_token=refresh_token)


def works(running: Running, access_token: str, org: str = "acme") -> bool:
    url = running.org(org)["api_url"] + "/services/data/v60.0/limits"
    return running.http.get(url, headers={"Authorization": f"Bearer {access_token}"}, timeout=10).status_code == 200


def authorize(running: Running, **changes: str) -> requests.Response:
    org = running.org()
    asked = {
        "response_type": "code",
        "client_id": org["client_id"],
        "redirect_uri": REDIRECT_URI,
        "state": "s",
        **changes,
    }
    url = f"{org['pages_url']}/services/oauth2/authorize?{urlencode(asked)}"
    return new_session(running.ca).get(url, allow_redirects=False, timeout=10)


def test_the_token_answer(salesforce: Running) -> None:
    tokens = salesforce.tokens("alice")
    assert set(tokens) == {
        "access_token",
        "refresh_token",
        "signature",
        "scope",
        "instance_url",
        "id",
        "token_type",
        "issued_at",
    }
    org = salesforce.org()
    assert tokens["instance_url"] == org["api_url"]
    assert tokens["id"].startswith(salesforce.login_host()["api_url"] + "/id/" + org["salesforce_org_id"])
    assert tokens["access_token"].startswith(org["salesforce_org_id"][:15] + "!")
    assert tokens["scope"].split() == ["id", "api", "refresh_token", "web"]


def test_a_code_works_once_and_only_with_its_verifier(salesforce: Running) -> None:
    code = salesforce.authorize("alice")
    form = {"grant_type": "authorization_code", "code": code.code, "redirect_uri": code.redirect_uri}
    assert token(salesforce, **form, code_verifier="wrong").json()["error"] == "invalid_grant"
    assert token(salesforce, **form, code_verifier=code.verifier).status_code == 400
    code = salesforce.authorize("alice")
    form["code"] = code.code
    other = {**form, "redirect_uri": REDIRECT_URI + "key/"}
    assert token(salesforce, **other, code_verifier=code.verifier).json()["error"] == "redirect_uri_mismatch"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_id": "nobody"}, "invalid_client_id"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"grant_type": "password", "username": "alice@acme.example", "password": "wrong"}, "invalid_grant"),
        ({"refresh_token": "5Aep861nonsense"}, "invalid_grant"),
    ],
)
def test_token_refusals(salesforce: Running, changes: dict[str, str], error: str) -> None:
    answer = token(salesforce, **{"grant_type": "refresh_token", "refresh_token": "x", **changes})
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_rotation_and_reuse(salesforce: Running) -> None:
    """Presenting a spent refresh token revokes the current one and every access token."""
    first = salesforce.tokens("alice")
    second = renew(salesforce, first["refresh_token"]).json()
    third = renew(salesforce, second["refresh_token"]).json()
    assert len({t["refresh_token"] for t in (first, second, third)}) == 3
    assert works(salesforce, third["access_token"])
    reused = renew(salesforce, first["refresh_token"])
    assert reused.json() == {"error": "invalid_grant", "error_description": "expired access/refresh token"}
    assert not works(salesforce, third["access_token"])
    assert renew(salesforce, third["refresh_token"]).json()["error"] == "invalid_grant"


def test_the_sixth_grant_ends_the_first(salesforce: Running) -> None:
    salesforce.reset(grants=True)
    grants = [salesforce.tokens("alice") for _ in range(6)]
    assert [works(salesforce, g["access_token"]) for g in grants] == [False, True, True, True, True, True]
    assert works(salesforce, salesforce.tokens("bob")["access_token"])


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_revoke(salesforce: Running, which: str) -> None:
    tokens = salesforce.tokens("alice")
    url = salesforce.org()["api_url"] + "/services/oauth2/revoke"
    assert salesforce.http.post(url, data={"token": tokens[which]}, timeout=10).status_code == 200
    assert not works(salesforce, tokens["access_token"])
    assert renew(salesforce, tokens["refresh_token"]).ok is (which == "access_token")
    assert salesforce.http.get(url, params={"token": tokens[which]}, timeout=10).status_code == 400


def test_idle_access_tokens_die_and_refresh_mends(salesforce: Running) -> None:
    tokens = salesforce.tokens("alice")
    salesforce.sim("tokens/expire", {})
    org = salesforce.org()
    answer = salesforce.http.get(
        org["api_url"] + "/services/data/v60.0/limits",
        headers={"Authorization": f"Bearer {tokens['access_token']}"},
        timeout=10,
    )
    assert answer.status_code == 401
    assert answer.json() == [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
    renewed = renew(salesforce, tokens["refresh_token"]).json()
    assert works(salesforce, renewed["access_token"])
    salesforce.sim("limits", {"idle_seconds": 0})
    assert not works(salesforce, renewed["access_token"])


def test_introspection_needs_the_client(salesforce: Running) -> None:
    org = salesforce.org()
    tokens = salesforce.tokens("alice")
    url = org["api_url"] + "/services/oauth2/introspect"
    client = (org["client_id"], org["client_secret"])
    body = salesforce.http.post(url, data={"token": tokens["access_token"]}, auth=client, timeout=10).json()
    assert (body["active"], body["username"]) == (True, "alice@acme.example")
    assert salesforce.http.post(url, data={"token": "x"}, auth=client, timeout=10).json() == {"active": False}
    assert salesforce.http.post(url, data={"token": tokens["access_token"]}, timeout=10).status_code == 401


def test_who_it_is(salesforce: Running) -> None:
    tokens = salesforce.tokens("bob")
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    org = salesforce.org()
    info = salesforce.http.get(org["api_url"] + "/services/oauth2/userinfo", headers=bearer, timeout=10).json()
    identity = salesforce.http.get(tokens["id"] + "?version=latest", headers=bearer, timeout=10).json()
    assert info["user_id"] == identity["user_id"]
    assert info["organization_id"] == identity["organization_id"] == org["salesforce_org_id"]
    assert (info["zoneinfo"], identity["language"]) == ("Europe/Berlin", "de")
    assert identity["urls"]["rest"] == org["api_url"] + "/services/data/v65.0/"
    assert salesforce.http.get(tokens["id"], timeout=10).status_code == 403
    root = salesforce.http.get(org["api_url"] + "/services/data/v60.0", headers=bearer, timeout=10).json()
    assert root["identity"] == tokens["id"]


def test_single_access_is_for_one_use(salesforce: Running) -> None:
    tokens = salesforce.tokens("alice")
    org = salesforce.org()
    rows = salesforce.sim("state?object=Contact")["records"]["Contact"]
    jane = next(row for row in rows if row.get("Email") == "jane.doe@northwind.example")

    def open_link(**form: str) -> requests.Response:
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        return salesforce.http.post(
            f"{org['api_url']}/services/oauth2/singleaccess", data=form, headers=bearer, timeout=10
        )

    link = open_link(redirect_uri=f"/lightning/r/Contact/{jane['Id']}/view").json()["frontdoor_uri"]
    with new_session(salesforce.ca) as browser:
        page = browser.get(link, timeout=10)
        assert "Jane Doe" in page.text
        assert page.url.startswith(org["pages_url"])
        assert "Jane Doe" in browser.get(f"{org['pages_url']}/{jane['Id']}", timeout=10).text
    assert requests.get(link, timeout=10).status_code == 403
    assert "Password" in requests.get(f"{org['pages_url']}/{jane['Id']}", timeout=10).text
    assert open_link(redirect_uri="https://evil.example/").status_code == 400
    tokens = salesforce.tokens("alice", scope="api id")
    assert "refresh_token" not in tokens
    assert open_link(redirect_uri="/").status_code == 403


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "api chatter_api"}, "invalid_scope"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
    ],
)
def test_errors_that_go_back_to_the_app(salesforce: Running, changes: dict[str, str], error: str) -> None:
    answer = authorize(salesforce, **changes)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(f"{REDIRECT_URI}?error={error}&")
    assert answer.headers["Location"].endswith("&state=s")


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "http://evil.example/",
        REDIRECT_URI + "../x",
        REDIRECT_URI + "a/b",
        REDIRECT_URI + "?x=1",
        REDIRECT_URI + "#x",
        "http://localhost:8000@evil.example/connect/salesforce/callback/",
        "https://localhost:8000/connect/salesforce/callback/",
        "http://localhost:8000/connect/salesforce/callback",
        "http://LOCALHOST:8000/connect/salesforce/callback/",
        "http://localhost:8000/connect/salesforce/callback/%2e%2e/",
        "http://localhost:8000\\@evil/connect/salesforce/callback/",
        "",
    ],
)
def test_redirect_addresses_match_exactly(salesforce: Running, redirect_uri: str) -> None:
    answer = authorize(salesforce, redirect_uri=redirect_uri)
    assert answer.status_code == 400
    assert answer.text == "error=redirect_uri_mismatch&error_description=redirect_uri%20must%20match%20configuration"


@pytest.mark.parametrize("redirect_uri", [REDIRECT_URI, REDIRECT_URI + "key_1/", REDIRECT_URI.replace("8000", "54321")])
def test_registered_addresses_keys_below_and_loopback_ports(salesforce: Running, redirect_uri: str) -> None:
    assert authorize(salesforce, redirect_uri=redirect_uri).headers["Location"].startswith("/login?")


def test_denying_and_remembering(salesforce: Running) -> None:
    salesforce.reset(grants=True)
    denied = salesforce.authorize("alice", allow=False)
    assert denied.query["error"] == "access_denied"
    salesforce.authorize("alice")
    remembered = salesforce.authorize("alice", allow=False)
    assert remembered.code, "consent was asked again"
    assert salesforce.authorize("alice", allow=False, prompt="consent").query["error"] == "access_denied"


def test_password_login_and_its_failure(salesforce: Running) -> None:
    pages = salesforce.org()["pages_url"]
    with new_session(salesforce.ca) as browser:
        failed = browser.post(f"{pages}/login", data={"username": "alice@acme.example", "pw": "wrong"}, timeout=10)
        assert "check your username and password" in failed.text
        done = browser.post(f"{pages}/login", data={"username": "Alice@acme.example", "pw": "demo"}, timeout=10)
        assert "Welcome, Alice" in done.text
        browser.get(f"{pages}/secur/logout.jsp", timeout=10)
        assert "Welcome" not in browser.get(pages, timeout=10).text


def test_generic_login_hosts(salesforce: Running) -> None:
    """login knows all production orgs, test the sandboxes; the answer names the org's own host."""
    login, test = salesforce.login_host("login")["api_url"], salesforce.login_host("test")["api_url"]
    for key, user in (("acme", "alice"), ("globex", "charlie")):
        assert salesforce.tokens(user, key, at=login)["instance_url"] == salesforce.org(key)["api_url"]
    sandbox = salesforce.tokens("alice", "sandbox", at=test)
    assert sandbox["instance_url"] == salesforce.org("sandbox")["api_url"]
    assert sandbox["id"].startswith(test)
    assert works(salesforce, sandbox["access_token"], "sandbox")
    assert not works(salesforce, sandbox["access_token"], "acme")


def test_a_site_with_its_path(salesforce: Running) -> None:
    site = salesforce.org()["site"]
    metadata = salesforce.http.get(site["login_url"] + "/.well-known/openid-configuration", timeout=10).json()
    assert metadata["issuer"] == site["login_url"]
    assert metadata["authorization_endpoint"] == f"{site['pages_url']}/partners/services/oauth2/authorize"
    tokens = salesforce.tokens("pat", at=site["login_url"])
    assert tokens["sfdc_community_url"] == site["login_url"]
    assert tokens["instance_url"] == salesforce.org()["api_url"]
    assert salesforce.http.get(site["api_url"] + "/services/oauth2/token", timeout=10).status_code == 404
    with pytest.raises(AssertionError):
        salesforce.tokens("bob", at=site["login_url"])


def test_metadata_announces_an_issuer_only_when_told(salesforce: Running) -> None:
    url = salesforce.org()["api_url"]
    member = "authorization_response_iss_parameter_supported"

    def metadata() -> Any:
        return salesforce.http.get(url + "/.well-known/openid-configuration", timeout=10).json()

    assert member not in metadata()
    assert "iss" not in salesforce.authorize("alice").query
    salesforce.sim("metadata", {"iss": True})
    try:
        assert metadata()[member] is True
        assert salesforce.authorize("alice").query["iss"] == metadata()["issuer"] == url
    finally:
        salesforce.sim("metadata", {"iss": False})


def test_an_app_of_ones_own(salesforce: Running) -> None:
    mine = {
        "client_id": "own",
        "client_secret": "own-secret",
        "redirect_uris": ["https://sidebar.example/cb"],
        "pkce_required": True,
        "scopes": ["id", "api"],
    }
    salesforce.sim("apps", mine, "globex")
    code = salesforce.authorize(
        "charlie", "globex", client_id="own", redirect_uri="https://sidebar.example/cb", scope=""
    )
    form = {"grant_type": "authorization_code", "code": code.code, "redirect_uri": code.redirect_uri}
    basic = {"Authorization": "Basic " + base64.b64encode(b"own:own-secret").decode()}
    url = salesforce.org("globex")["api_url"] + "/services/oauth2/token"
    answer = salesforce.http.post(url, data={**form, "code_verifier": code.verifier}, headers=basic, timeout=10)
    assert answer.json()["scope"] == "id api"
    without = salesforce.authorize(
        "charlie",
        "globex",
        client_id="own",
        redirect_uri="https://sidebar.example/cb",
        scope="",
        code_challenge="",
        code_challenge_method="",
    )
    assert without.query["error"] == "invalid_request"
    elsewhere = authorize(salesforce, client_id="own")
    assert (elsewhere.status_code, elsewhere.text.partition("&")[0]) == (400, "error=invalid_client_id")


def test_a_deactivated_user_is_out_at_once(salesforce: Running) -> None:
    tokens = salesforce.tokens("bob")
    salesforce.sim("users/bob", {"active": False})
    assert not works(salesforce, tokens["access_token"])
    assert renew(salesforce, tokens["refresh_token"]).json()["error"] == "inactive_user"


def test_passwords_where_an_app_allows_them(salesforce: Running) -> None:
    form = {"grant_type": "password", "username": "alice@acme.example", "password": "demo"}
    answer = token(salesforce, **form).json()
    assert works(salesforce, answer["access_token"])
    assert "refresh_token" not in answer
    salesforce.sim("apps", {"client_id": "sidebar-demo", "allows_passwords": False})
    try:
        assert token(salesforce, **form).json()["error_description"] == "authentication failure"
    finally:
        salesforce.sim("apps", {"client_id": "sidebar-demo", "allows_passwords": True})
